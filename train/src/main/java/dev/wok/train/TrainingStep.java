package dev.wok.train;

import dev.wok.fabric.Timeline;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.Training;
import java.util.List;

/// One step of training after another on a model: gradients over micro-batches, clipping by the global norm, AdamW,
/// the router biases' move. Where ranks share the model, all of them make the same calls. One thread at a time.
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
    private final Descent descent;

    /// @param model stays the caller's; made with a [dev.wok.fabric.Fabric] where gradients have several parts
    /// @param settings of a micro-batch
    public TrainingStep(Model model, Training.Settings settings, Optimizer.Constants constants) {
        this.model = model;
        training = model.training(settings);
        descent = settings.gradientParts() == 1 && model.fabric().size() == 1
                ? new WholeDescent(model, constants)
                : new SharedDescent(model, constants);
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
        try (Timeline.Span _ = span("step")) {
            return run(microBatches, targets, sequences, step, learningRate, gamma);
        }
    }

    private Timeline.Span span(String name) {
        return model.fabric().timeline().span(Timeline.Kind.COMPUTE, name, -1);
    }

    private Result run(
            List<Batch> microBatches, long targets, int sequences, long step, double learningRate, double gamma) {
        training.begin(targets, sequences);
        training.accumulate(microBatches);
        double norm = norm();
        Result result = new Result(training.result(), norm);
        if (!result.isFinite()) {
            return result;
        }
        update(step, learningRate);
        model.weightsChanged();
        if (gamma > 0) {
            training.moveBiases(gamma);
        }
        model.kernels().stream().synchronize();
        return result;
    }

    private double norm() {
        try (Timeline.Span _ = span("reduce")) {
            return descent.norm(training);
        }
    }

    private void update(long step, double learningRate) {
        try (Timeline.Span _ = span("optimizer")) {
            descent.update(training, step, learningRate);
        }
    }

    /// Measures a batch without learning from it.
    ///
    /// @return the sum of the cross-entropy over the batch's targets, in nats
    public double evaluate(Batch batch) {
        return training.evaluate(batch);
    }

    /// @return the weights' and the optimizer's part in this
    Descent descent() {
        return descent;
    }

    @Override
    public void close() {
        training.close();
        descent.close();
    }
}
