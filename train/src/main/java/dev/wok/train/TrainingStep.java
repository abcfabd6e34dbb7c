package dev.wok.train;

import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.Training;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.SequencedMap;

/// One step of training after another on a model: gradients over micro-batches, clipping by the global norm, AdamW,
/// the router biases' move. One thread at a time.
public final class TrainingStep implements AutoCloseable {
    /// What a step found.
    ///
    /// @param losses before the step
    /// @param gradNorm before clipping
    public record Result(Training.Result losses, double gradNorm) {
        /// @return whether all of it are numbers; a step of which they are not changes nothing
        public boolean isFinite() {
            return Double.isFinite(losses.loss() + losses.mtpLoss() + losses.balanceLoss() + gradNorm);
        }
    }

    private final Model model;
    private final Training training;
    private final Optimizer optimizer;

    /// @param model stays the caller's
    /// @param settings of a micro-batch
    public TrainingStep(Model model, Training.Settings settings, Optimizer.Constants constants) {
        this.model = model;
        training = model.training(settings);
        optimizer = new Optimizer(model.kernels(), model.parameters(), constants);
    }

    /// Learns from a step's micro-batches.
    ///
    /// @param step counts from 1
    /// @param gamma how far the router biases move
    public Result run(List<Batch> microBatches, long step, double learningRate, double gamma) {
        long targets = 0;
        int sequences = 0;
        for (Batch batch : microBatches) {
            targets += batch.targetCount();
            sequences += batch.sequences();
        }
        training.begin(targets, sequences);
        microBatches.forEach(training::accumulate);
        List<Tensor> gradients = training.gradients();
        double norm = optimizer.norm(gradients);
        Result result = new Result(training.result(), norm);
        if (!result.isFinite()) {
            return result;
        }
        optimizer.update(gradients, step, learningRate);
        model.weightsChanged();
        if (gamma > 0) {
            training.moveBiases(gamma);
        }
        model.kernels().stream().synchronize();
        return result;
    }

    /// Measures a batch without learning from it.
    ///
    /// @return the sum of the cross-entropy over the batch's targets, in nats
    public double evaluate(Batch batch) {
        return training.evaluate(batch);
    }

    /// @return whether the weights have a finite norm
    boolean isFinite() {
        return optimizer.isFinite();
    }

    /// @return the optimizer's state by name, on the device: `m.` and `v.` before each parameter's name
    SequencedMap<String, Tensor> state() {
        return optimizer.state();
    }

    @Override
    public void close() {
        training.close();
        optimizer.close();
    }
}
