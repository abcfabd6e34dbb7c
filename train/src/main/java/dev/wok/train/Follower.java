package dev.wok.train;

import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.Progress;
import java.util.Arrays;
import java.util.List;

/// A rank of a run's group that does what rank 0 says until that lets it go. It reads weights where the leader has
/// them, and writes nothing.
public final class Follower {
    private final Fabric fabric;
    private final Progress progress;
    private boolean answered;

    private Follower(Fabric fabric, Progress progress) {
        this.fabric = fabric;
        this.progress = progress;
    }

    /// Follows until the leader ends the sitting.
    ///
    /// @param fabric stays the caller's
    /// @param progress hears what this rank has to say, with its number before it; its tasks are not shown
    /// @return whether the run is done; else it can go on another time
    /// @throws dev.wok.notice.BadInput where this rank cannot do what the leader says; the leader knows it too
    /// @throws Departed where the leader, or another rank, is gone
    public static boolean run(Fabric fabric, Progress progress) {
        return new Follower(fabric, new RankProgress(fabric.rank(), progress)).run();
    }

    private boolean run() {
        return switch (next()) {
            case Order.Begin begin -> take(begin);
            case Order.End end -> isFinished(end);
            case Order other ->
                throw new Departed(0, "rank 0 gave the order %s before there was a model.".formatted(name(other)));
        };
    }

    private static boolean isFinished(Order.End end) {
        return switch (end.ending()) {
            case FINISHED -> true;
            case STOPPED -> false;
            case FAILED -> throw new Departed(0, "rank 0 gave the run up; it says why.");
        };
    }

    private static String name(Order order) {
        return order.getClass().getSimpleName();
    }

    /// @return the next order but for signs of life
    private Order next() {
        while (true) {
            byte[] bytes = fabric.broadcast(new byte[0], 0);
            try {
                Order order = OrderLayout.order(bytes);
                if (!(order instanceof Order.Wait)) {
                    return order;
                }
            } catch (IllegalArgumentException e) {
                throw new Departed(0, "rank 0 sent %s.".formatted(e.getMessage()));
            }
        }
    }

    private boolean take(Order.Begin begin) {
        fabric.doing(begin.doing());
        try {
            Settings settings = Settings.of(begin.settings());
            return RunModel.compute(settings, fabric)
                    .with(RunModel.threads(settings, fabric), progress, kernels -> follow(begin, settings, kernels));
        } catch (Departed e) {
            throw e;
        } catch (RuntimeException | Error e) {
            if (!answered) {
                answer(Readiness.not(e));
            }
            throw e;
        }
    }

    private boolean follow(Order.Begin begin, Settings settings, Kernels kernels) {
        try (Model model = RunModel.of(begin, settings, kernels, fabric, progress);
                TrainingStep step =
                        Trainer.step(model, settings, RunModel.places(begin).orElse(null))) {
            if (begin.resumed() && begin.weights() != null) {
                step.descent().restore(Checkpoint.optimizer(begin.weights()));
            }
            answer(Readiness.ready());
            return obey(model, step, new StepTraces(model.fabric(), settings.run(), null, progress));
        }
    }

    /// Says how this rank is, and learns how the others are.
    private void answer(Readiness mine) {
        answered = true;
        List<byte[]> all = fabric.allGather(mine.bytes());
        byte[] ready = Readiness.ready().bytes();
        for (int rank = 0; rank < all.size(); rank++) {
            if (rank != fabric.rank() && !Arrays.equals(all.get(rank), ready)) {
                throw new Departed(rank, "rank %d has no share of the model; rank 0 says why.".formatted(rank));
            }
        }
    }

    private boolean obey(Model model, TrainingStep step, StepTraces traces) {
        Order order = next();
        while (!(order instanceof Order.End)) {
            obey(order, model, step, traces);
            order = next();
        }
        return isFinished((Order.End) order);
    }

    private void obey(Order order, Model model, TrainingStep step, StepTraces traces) {
        fabric.doing(order.doing());
        switch (order) {
            case Order.Step(var batches, long number, double learningRate, double gamma) -> {
                traces.begin(number);
                boolean _ = step.run(batches, number, learningRate, gamma).isFinite();
                boolean _ = traces.end(number).isEmpty();
            }
            case Order.Evaluate(var batch) -> {
                double _ = step.evaluate(batch);
            }
            case Order.Read(var kind) -> model.serve(kind);
            case Order.Measure _ -> {
                boolean _ = step.descent().isFinite();
            }
            case Order.GiveModel _ -> model.giveTensors();
            case Order.GiveMoments _ -> step.descent().give();
            case Order.Wait _, Order.End _ -> {}
            case Order.Begin _ -> throw new Departed(0, "rank 0 gave the order Begin a second time.");
        }
    }
}
