package dev.wok.train;

import dev.wok.fabric.Timeline;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.MoeConfig;
import dev.wok.model.Training;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// One step of training after another on a model: gradients over micro-batches, clipping by the global norm, AdamW,
/// the router biases' move. Where ranks share the model, all of them make the same calls. One thread at a time.
public final class TrainingStep implements AutoCloseable {
    /// What a step found.
    ///
    /// @param losses before the step
    /// @param gradNorm before clipping
    /// @param rankLoad tokens that came to the fullest rank's experts over the mean, in the layer
    ///     where it was most; 1 on one rank and in a pipeline
    public record Result(Training.Result losses, double gradNorm, double rankLoad) {
        /// @return whether all of it are numbers; a step of which they are not changes nothing
        public boolean isFinite() {
            return Double.isFinite(losses.loss() + losses.mtpLoss() + losses.balanceLoss() + gradNorm);
        }
    }

    private final Model model;
    private final Training training;
    private final Descent descent;
    private final @Nullable Replanning replanning;

    /// Null where ranks count as alike.
    private final @Nullable MeasuredSpeeds speeds;

    private Optional<Replanning.Plan> planned = Optional.empty();

    /// Experts stay where they lie.
    ///
    /// @param model stays the caller's; made with a [dev.wok.fabric.Fabric] where gradients have several parts
    /// @param settings of a micro-batch
    public TrainingStep(Model model, Training.Settings settings, Optimizer.Constants constants) {
        this(model, settings, constants, 0, false, null);
    }

    /// @param replanEvery so many steps it is considered where experts of ranks that share the model
    ///     lie; 0 for never
    /// @param measuredSpeeds whether it counts then how fast each rank's experts computed
    /// @param before what a checkpoint kept of that, or null
    TrainingStep(
            Model model,
            Training.Settings settings,
            Optimizer.Constants constants,
            long replanEvery,
            boolean measuredSpeeds,
            @Nullable ExpertPlaces before) {
        this.model = model;
        training = model.training(settings);
        descent = descent(model, settings, constants);
        MoeConfig moe = model.config().moe();
        boolean stay = model.fabric().size() == 1
                || model.isPipeline()
                || model.placements().isEmpty();
        replanning = stay || moe == null
                ? null
                : new Replanning(model.fabric().shape(), moe.nGroup(), model.placements(), replanEvery, before);
        speeds = replanning == null || !measuredSpeeds || replanEvery == 0
                ? null
                : new MeasuredSpeeds(model.fabric(), replanEvery / 2.0);
    }

    private static Descent descent(Model model, Training.Settings settings, Optimizer.Constants constants) {
        if (model.isPipeline()) {
            return new PipelineDescent(model, constants);
        }
        return settings.gradientParts() == 1 && model.fabric().size() == 1
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
        if (replanning != null) {
            replanning.next().ifPresent(descent::move);
        }
        training.begin(targets, sequences);
        training.accumulate(microBatches, (from, to) -> descent.finished(training, from, to));
        double norm = norm();
        Training.Result losses = training.result();
        Result result = new Result(losses, norm, rankLoad(losses));
        if (!result.isFinite()) {
            return result;
        }
        update(step, learningRate);
        model.weightsChanged();
        if (gamma > 0) {
            training.moveBiases(gamma);
        }
        model.kernels().stream().synchronize();
        if (replanning != null) {
            planned = replan(replanning, step, losses.load());
        }
        return result;
    }

    private Optional<Replanning.Plan> replan(Replanning from, long step, int[][] load) {
        if (speeds == null) {
            return from.after(step, model.placements(), load, from::sameSpeeds);
        }
        speeds.add(training.takeExpertWork());
        return from.after(step, model.placements(), load, speeds::ofRanks);
    }

    private double rankLoad(Training.Result losses) {
        return replanning == null ? 1 : replanning.fullest(model.placements(), losses.load());
    }

    /// @return what the last step decided of where experts are to lie
    Optional<Replanning.Plan> planned() {
        return planned;
    }

    /// @return where experts lie, nothing on one rank
    Optional<ExpertPlaces> places() {
        return Optional.ofNullable(replanning).map(r -> r.places(model.placements()));
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
