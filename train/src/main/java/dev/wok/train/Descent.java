package dev.wok.train;

import dev.wok.model.Training;
import java.nio.file.Path;

/// How a model's weights follow their gradients, and the optimizer's state that this takes. Where a group of ranks
/// shares the model, all of them make the same calls.
sealed interface Descent extends AutoCloseable permits WholeDescent, SharedDescent, PipelineDescent {
    /// Lets a layer's experts go to other ranks during the step that begins: after its [#update] they lie there.
    void move(ExpertPlaces.Next next);

    /// Hears, while a step is computed, that nothing more is added to some gradients: see
    /// [dev.wok.model.Training.Finished]. What is heard is all of them before [#norm].
    void finished(Training training, long from, long to);

    /// Measures a step's gradients for [#update], which clips by what was measured last.
    ///
    /// @return their norm before clipping, the same on all ranks
    double norm(Training training);

    /// Moves the weights; the model has to be told ([dev.wok.model.Model#weightsChanged]).
    ///
    /// @param step counts from 1
    void update(Training training, long step, double learningRate);

    /// @return whether the weights have a finite norm, the same on all ranks
    boolean isFinite();

    /// Writes the optimizer's state; on the leader, while the other ranks [#give].
    ///
    /// @param file safetensors: `m.` and `v.` before each parameter's name
    void write(Path file);

    /// Gives the leader this rank's part of the state.
    void give();

    /// Takes this rank's part of a state that was written by any number of ranks.
    void restore(Path file);

    @Override
    void close();
}
