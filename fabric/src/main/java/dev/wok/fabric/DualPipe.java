package dev.wok.fabric;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Which rank of a pipeline does what in which order, so that one micro-batch's exchange hides behind another's
/// computation (DeepSeek-V3 §3.2.1; `dualpipe.py` and `dualpipev.py` of deepseek-ai/DualPipe). Every rank holds two of
/// the model's stages and works on micro-batches that come from two sides.
///
/// A backward pass may leave the gradients of weights for later, when the rank would wait.
///
/// @param stages of the model, counted from 0 at the input
/// @param microBatches of a step
/// @param ranks what each rank does, in order
public record DualPipe(int stages, int microBatches, List<List<Step>> ranks) {
    /// A part of the work on one micro-batch in one stage.
    public enum Kind {
        FORWARD,
        /// Gradients of the stage's input and of its weights.
        BACKWARD,
        /// The gradient of the stage's input alone.
        BACKWARD_INPUT,
        /// The gradients of weights that [#BACKWARD_INPUT] left.
        BACKWARD_WEIGHT
    }

    /// @param microBatch counted from 0
    public record Work(Kind kind, int microBatch, int stage) {}

    /// What a rank does at a time: one work, or a forward and a backward one that hide each other's exchange.
    public record Step(List<Work> works) {}

    /// Two directions: half of the micro-batches enter at the first rank, the others at the last, and each rank holds
    /// the stages of both (the model twice). As many stages as ranks.
    ///
    /// @param ranks even
    /// @param microBatches even, twice the ranks or more
    public static DualPipe twoWay(int ranks, int microBatches) {
        if (ranks < 2 || ranks % 2 != 0) {
            throw new IllegalArgumentException(
                    "DualPipe: %d ranks, expected an even number; the V shape takes any".formatted(ranks));
        }
        requireEnough(microBatches, ranks);
        if (microBatches % 2 != 0) {
            throw new IllegalArgumentException(
                    "DualPipe: %d micro-batches, expected an even number: half enter at each end"
                            .formatted(microBatches));
        }
        int half = microBatches / 2;
        return new DualPipe(
                ranks,
                microBatches,
                IntStream.range(0, ranks)
                        .mapToObj(rank -> {
                            boolean left = rank < ranks / 2;
                            return new Program(ranks, left ? rank : ranks - 1 - rank, left ? 0 : half, left ? half : 0)
                                    .write(half);
                        })
                        .toList());
    }

    /// A pipeline that is folded: micro-batches go down the ranks and come back, rank `r` holds stages `r` and
    /// `2 ranks - 1 - r` (the model once). Twice as many stages as ranks.
    ///
    /// @param microBatches twice the ranks or more
    public static DualPipe vShape(int ranks, int microBatches) {
        if (ranks < 1) {
            throw new IllegalArgumentException("DualPipe: %d ranks, expected 1 or more".formatted(ranks));
        }
        requireEnough(microBatches, ranks);
        return new DualPipe(
                2 * ranks,
                microBatches,
                IntStream.range(0, ranks)
                        .mapToObj(rank -> new Program(2 * ranks, rank, 0, 0).write(microBatches))
                        .toList());
    }

    private static void requireEnough(int microBatches, int ranks) {
        if (microBatches < 2 * ranks) {
            throw new IllegalArgumentException("DualPipe: %d micro-batches on %d ranks, expected %d or more"
                    .formatted(microBatches, ranks, 2 * ranks));
        }
    }

    /// One rank's work. A two-way pipeline is a folded one with each rank there twice: in both, a rank's near stage is
    /// as far from the input as its far stage from the output, and micro-batches pass through each in their order.
    private static final class Program {
        private final int ranks;
        private final int place;
        private final Side near;
        private final Side far;
        private final List<Step> steps = new ArrayList<>();
        private final ArrayDeque<Work> deferred = new ArrayDeque<>();

        /// @param place of the rank in the folded pipeline: its near stage
        /// @param nearBatch the first micro-batch that comes to the near stage
        Program(int stages, int place, int nearBatch, int farBatch) {
            this.ranks = stages / 2;
            this.place = place;
            near = new Side(place, nearBatch);
            far = new Side(stages - 1 - place, farBatch);
        }

        private static final class Side {
            final int stage;
            int forward;
            int backward;

            Side(int stage, int batch) {
                this.stage = stage;
                forward = batch;
                backward = batch;
            }
        }

        /// The eight phases of `dualpipev.py`.
        List<Step> write(int batches) {
            int after = ranks - place - 1;
            for (int i = 0; i < 2 * after; i++) {
                add(forward(near));
            }
            for (int i = 0; i <= place; i++) {
                add(forward(near));
                add(forward(far));
            }
            for (int i = 0; i < after; i++) {
                add(backwardInput(far));
                addDeferred();
                add(forward(far));
            }
            for (int i = 0; i < batches - 2 * ranks + place + 1; i++) {
                if (i == 0 && after == 0) {
                    // At the fold one after the other: ranks wait for what the forward pass yields.
                    add(forward(near));
                    add(backward(far));
                } else {
                    add(forward(near), backward(far));
                }
                add(forward(far), backward(near));
            }
            for (int i = 0; i < after; i++) {
                add(backward(far));
                add(forward(far), backward(near));
            }
            for (int i = 0; i < 2 * (place + 1); i++) {
                Side side = i % 2 == 0 ? far : near;
                add(i > place ? backwardInput(side) : backward(side));
            }
            for (int i = 0; i < after; i++) {
                addDeferred();
                add(backwardInput(near));
            }
            while (!deferred.isEmpty()) {
                addDeferred();
            }
            return List.copyOf(steps);
        }

        private void add(Work... works) {
            steps.add(new Step(List.of(works)));
        }

        private void addDeferred() {
            add(deferred.remove());
        }

        private static Work forward(Side side) {
            return new Work(Kind.FORWARD, side.forward++, side.stage);
        }

        private static Work backward(Side side) {
            return new Work(Kind.BACKWARD, side.backward++, side.stage);
        }

        private Work backwardInput(Side side) {
            Work work = new Work(Kind.BACKWARD_INPUT, side.backward++, side.stage);
            deferred.add(new Work(Kind.BACKWARD_WEIGHT, work.microBatch(), work.stage()));
            return work;
        }
    }
}
