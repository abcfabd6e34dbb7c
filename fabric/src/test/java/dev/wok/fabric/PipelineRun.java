package dev.wok.fabric;

import dev.wok.fabric.DualPipe.Kind;
import dev.wok.fabric.DualPipe.Step;
import dev.wok.fabric.DualPipe.Work;
import java.util.Arrays;
import java.util.List;

/// A schedule played through: each rank does its steps in order, each as soon as what it needs is there.
///
/// @param spans `[ranks][steps]`: when each begins and ends
/// @param held `[ranks]`: the most forward passes of which a rank keeps activations at a time
record PipelineRun(DualPipe schedule, Span[][] spans, int[] held) {
    record Span(double begin, double end) {}

    /// What works take, in any unit; `overlapped` is a forward and a whole backward pass together.
    record Times(double forward, double backwardInput, double backwardWeight, double overlapped) {
        double of(Step step) {
            return step.works().size() == 2
                    ? overlapped
                    : switch (step.works().getFirst().kind()) {
                        case FORWARD -> forward;
                        case BACKWARD -> backwardInput + backwardWeight;
                        case BACKWARD_INPUT -> backwardInput;
                        case BACKWARD_WEIGHT -> backwardWeight;
                    };
        }

        /// (PP/2 - 1)(F&B + B - 3W), PP being the stages (DeepSeek-V3, table 2).
        double bubble(int stages) {
            return (stages / 2.0 - 1) * (overlapped + backwardInput + backwardWeight - 3 * backwardWeight);
        }
    }

    static PipelineRun of(DualPipe schedule, Times times) {
        int ranks = schedule.ranks().size();
        Span[][] spans = new Span[ranks][];
        for (int rank = 0; rank < ranks; rank++) {
            spans[rank] = new Span[schedule.ranks().get(rank).size()];
        }
        Ends ends = new Ends(schedule);
        int[] next = new int[ranks];
        boolean moved = true;
        while (moved) {
            moved = false;
            for (int rank = 0; rank < ranks; rank++) {
                List<Step> steps = schedule.ranks().get(rank);
                while (next[rank] < steps.size() && ends.ready(steps.get(next[rank])) < Double.POSITIVE_INFINITY) {
                    Step step = steps.get(next[rank]);
                    double free = next[rank] == 0 ? 0 : spans[rank][next[rank] - 1].end();
                    double begin = Math.max(free, ends.ready(step));
                    spans[rank][next[rank]++] = new Span(begin, begin + times.of(step));
                    step.works().forEach(work -> ends.set(work, begin + times.of(step)));
                    moved = true;
                }
            }
        }
        for (int rank = 0; rank < ranks; rank++) {
            if (next[rank] < spans[rank].length) {
                throw new AssertionError("rank %d waits for ever before %s"
                        .formatted(rank, schedule.ranks().get(rank).get(next[rank])));
            }
        }
        return new PipelineRun(
                schedule,
                spans,
                schedule.ranks().stream().mapToInt(PipelineRun::held).toArray());
    }

    double makespan() {
        return Arrays.stream(spans)
                .flatMap(Arrays::stream)
                .mapToDouble(Span::end)
                .max()
                .orElse(0);
    }

    double idle(int rank) {
        return makespan()
                - Arrays.stream(spans[rank])
                        .mapToDouble(span -> span.end() - span.begin())
                        .sum();
    }

    private static int held(List<Step> steps) {
        int now = 0;
        int most = 0;
        for (Step step : steps) {
            for (Work work : step.works()) {
                now += work.kind() == Kind.FORWARD ? 1 : 0;
                most = Math.max(most, now);
            }
            for (Work work : step.works()) {
                now -= work.kind() == Kind.BACKWARD || work.kind() == Kind.BACKWARD_WEIGHT ? 1 : 0;
            }
        }
        return most;
    }

    /// When each pass through each stage is done.
    private static final class Ends {
        private final double[][] forward;
        private final double[][] backward;
        private final double[][] weight;

        Ends(DualPipe schedule) {
            forward = never(schedule);
            backward = never(schedule);
            weight = never(schedule);
        }

        private static double[][] never(DualPipe schedule) {
            double[][] ends = new double[schedule.microBatches()][schedule.stages()];
            Arrays.stream(ends).forEach(row -> Arrays.fill(row, Double.POSITIVE_INFINITY));
            return ends;
        }

        double ready(Step step) {
            return step.works().stream().mapToDouble(this::ready).max().orElseThrow();
        }

        private double ready(Work work) {
            int stage = work.stage();
            return switch (work.kind()) {
                case FORWARD -> stage == 0 ? 0 : forward[work.microBatch()][stage - 1];
                case BACKWARD, BACKWARD_INPUT ->
                    stage + 1 == backward[0].length
                            ? forward[work.microBatch()][stage]
                            : Math.max(forward[work.microBatch()][stage], backward[work.microBatch()][stage + 1]);
                case BACKWARD_WEIGHT -> backward[work.microBatch()][stage];
            };
        }

        void set(Work work, double end) {
            double[] ends = switch (work.kind()) {
                case FORWARD -> forward[work.microBatch()];
                case BACKWARD, BACKWARD_INPUT -> backward[work.microBatch()];
                case BACKWARD_WEIGHT -> weight[work.microBatch()];
            };
            if (ends[work.stage()] < Double.POSITIVE_INFINITY) {
                throw new AssertionError(work + " is done twice");
            }
            ends[work.stage()] = end;
        }
    }
}
