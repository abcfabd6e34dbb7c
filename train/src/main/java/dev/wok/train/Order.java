package dev.wok.train;

import dev.wok.model.Batch;
import dev.wok.model.Model;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What the leader of a group tells the other ranks to do next, all together.
sealed interface Order {
    /// @return what a rank does then, in words, for who waits for it
    default String doing() {
        return switch (this) {
            case Begin _ -> "taking its share of the model";
            case Step step -> "step " + step.number;
            case Evaluate _ -> "an evaluation";
            case Read _ -> "a sample";
            case Measure _, GiveMoments _ -> "a checkpoint";
            case GiveModel _ -> "writing the model";
            case Wait _ -> "waiting for rank 0";
            case End _ -> "leaving";
        };
    }

    /// The first one: take your share of the model.
    ///
    /// @param settings of the run, by key
    /// @param weights a model folder to read, or null for weights drawn from the seed
    /// @param resumed whether that folder is a checkpoint, with the optimizer's state
    /// @param bosId of the drawn model, -1 for none
    /// @param eosId of the drawn model, -1 for none
    record Begin(Map<String, String> settings, @Nullable Path weights, boolean resumed, int bosId, int eosId)
            implements Order {}

    /// Learn.
    ///
    /// @param batches the step's micro-batches, whole
    /// @param number counts from 1
    /// @param gamma how far the router biases move
    record Step(List<Batch> batches, long number, double learningRate, double gamma) implements Order {}

    /// Measure a batch.
    record Evaluate(Batch batch) implements Order {}

    /// Serve your experts while the leader reads.
    record Read(Model.ReadKind kind) implements Order {}

    /// Measure the weights' norm.
    record Measure() implements Order {}

    /// Give the leader your experts, for a model folder.
    record GiveModel() implements Order {}

    /// Give the leader your part of the optimizer's state.
    record GiveMoments() implements Order {}

    /// Go on waiting: the leader is alive.
    record Wait() implements Order {}

    /// Leave: the sitting is over.
    record End(Ending ending) implements Order {}

    /// How a sitting ends.
    enum Ending {
        /// The run is done.
        FINISHED,
        /// It can go on another time.
        STOPPED,
        /// The leader gave it up, and says why.
        FAILED
    }
}
