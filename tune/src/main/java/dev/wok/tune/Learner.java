package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.model.Model;
import dev.wok.model.Training;
import dev.wok.tensor.Tensor;
import dev.wok.train.Optimizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// A model under post-training with what moves in it: gradients, optimizer, updates. One thread at a
/// time.
final class Learner implements AutoCloseable {
    private final Model model;
    private final @Nullable Adapters adapters;
    private final Training training;
    private final Optimizer optimizer;
    private final int tokens;

    /// All weights move.
    ///
    /// @param model stays the caller's
    /// @param tokens of a micro-batch, at most
    /// @param asSampled whether logits have the bits of those that the engine samples from
    Learner(Model model, int tokens, boolean asSampled, Optimizer.Constants constants) {
        this(model, null, tokens, asSampled, constants);
    }

    /// @param adapters of the model, which move instead of its weights, closed with this; null for
    ///     all weights
    Learner(Model model, @Nullable Adapters adapters, int tokens, boolean asSampled, Optimizer.Constants constants) {
        this.model = model;
        this.adapters = adapters;
        this.tokens = tokens;
        training = model.training(new Training.Settings(1, tokens, 0, 0, asSampled, true));
        optimizer = new Optimizer(
                model.kernels(), adapters == null ? model.parameters() : adapters.parameters(), constants);
    }

    Model model() {
        return model;
    }

    /// @return the most tokens of a micro-batch
    int tokens() {
        return tokens;
    }

    /// @return the most tokens of a text that the model reads
    int context() {
        return model.config().maxPositionEmbeddings();
    }

    /// Begins a step: gradients are zero.
    void begin() {
        training.begin(1, 1);
    }

    /// Adds a micro-batch's gradients.
    ///
    /// @param batch texts one after another in one sequence, without padding; see [Packed]
    /// @param loss gets the logits before each target, and leaves the gradient of the whole step's
    ///     loss there
    void accumulate(Batch batch, LogitLoss loss) {
        training.accumulate(batch, loss);
    }

    /// Shows a loss the same logits, bit for bit, without learning.
    void score(Batch batch, LogitLoss loss) {
        training.score(batch, loss);
    }

    /// Clips and applies the gradients, unless they are no numbers: then nothing changes.
    ///
    /// @param step counts from 1
    /// @return the gradients' norm before clipping
    double update(long step, double learningRate) {
        List<Tensor> gradients = adapters == null ? training.gradients() : adapters.gradients(training);
        double norm = optimizer.norm(gradients);
        if (Double.isFinite(norm)) {
            optimizer.update(gradients, step, learningRate);
            changed();
            model.kernels().stream().synchronize();
        }
        return norm;
    }

    private void changed() {
        if (adapters == null) {
            model.weightsChanged();
        } else {
            adapters.merge();
        }
    }

    /// @return whether what moves has a finite norm
    boolean isFinite() {
        return optimizer.isFinite();
    }

    /// @return what a checkpoint has to keep beside the weights, by name: moments, and adapters where
    ///     there are some
    SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>(optimizer.state());
        if (adapters != null) {
            adapters.parameters().forEach(parameter -> state.put(parameter.name(), parameter.value()));
        }
        return state;
    }

    /// To be called when [#state] was written.
    void restored() {
        changed();
    }

    /// @return adapters, where they move instead of the weights
    Optional<Adapters> adapters() {
        return Optional.ofNullable(adapters);
    }

    @Override
    public void close() {
        training.close();
        optimizer.close();
        if (adapters != null) {
            adapters.close();
        }
    }
}
