package dev.wok.model;

import dev.wok.fabric.DualPipe;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a rank of a pipeline does in a step: its part of a schedule, and before each of its passes
/// what has to come for it. What comes from another rank is expected in the order in which that rank
/// sends it, which its part of the schedule says; and one pass ahead, so that it travels while the one
/// before is computed.
///
/// A backward pass is made as a whole where the schedule has the gradient of its input, and nothing
/// where it has the rest.
///
/// @param actions in their order
/// @param near the most micro-batches of which the rank's stage on the way down keeps activations, or
///     waits for hidden states
/// @param far the same of its stage on the way back
record PipelinePlan(List<Action> actions, int near, int far) {
    /// A micro-batch's way through a stage.
    record Visit(boolean forward, int microBatch, int stage) {
        /// @return what is made of what this one gives, where there is such a stage
        Visit next() {
            return new Visit(forward, microBatch, forward ? stage + 1 : stage - 1);
        }

        /// @return what gives what this one is made of
        Visit before() {
            return new Visit(forward, microBatch, forward ? stage - 1 : stage + 1);
        }
    }

    sealed interface Action {
        Visit visit();
    }

    /// Make room for what another rank sends for a visit.
    record Expect(Visit visit, int from) implements Action {}

    record Compute(Visit visit) implements Action {}

    /// @param schedule of [DualPipe#vShape]
    static PipelinePlan of(DualPipe schedule, int rank) {
        Writer writer = new Writer(schedule, rank);
        List<Visit> own = visits(schedule, rank);
        for (int i = 0; i < own.size(); i++) {
            writer.expect(own.get(i));
            if (i + 1 < own.size()) {
                writer.expect(own.get(i + 1));
            }
            writer.compute(own.get(i));
        }
        return new PipelinePlan(List.copyOf(writer.actions), writer.near.most, writer.far.most);
    }

    private static List<Visit> visits(DualPipe schedule, int rank) {
        List<Visit> visits = new ArrayList<>();
        for (DualPipe.Step step : schedule.ranks().get(rank)) {
            for (DualPipe.Work work : step.works()) {
                switch (work.kind()) {
                    case FORWARD -> visits.add(new Visit(true, work.microBatch(), work.stage()));
                    case BACKWARD, BACKWARD_INPUT -> visits.add(new Visit(false, work.microBatch(), work.stage()));
                    case BACKWARD_WEIGHT -> {}
                }
            }
        }
        return visits;
    }

    private static final class Count {
        int now;
        int most;

        void add() {
            most = Math.max(most, ++now);
        }
    }

    private static final class Writer {
        final List<Action> actions = new ArrayList<>();
        final Count near = new Count();
        final Count far = new Count();
        private final int rank;
        private final int stages;

        /// What each neighbour sends here and was not expected yet, in its order.
        private final Map<Integer, Deque<Visit>> coming = new HashMap<>();

        private final Set<Visit> expected = new HashSet<>();

        Writer(DualPipe schedule, int rank) {
            this.rank = rank;
            stages = schedule.stages();
            for (int from : new int[] {rank - 1, rank + 1}) {
                if (from >= 0 && from < schedule.ranks().size()) {
                    Deque<Visit> sent = new ArrayDeque<>();
                    for (Visit visit : visits(schedule, from)) {
                        if (rankOf(visit.next()) == rank) {
                            sent.add(visit.next());
                        }
                    }
                    coming.put(from, sent);
                }
            }
        }

        /// @return -1 where there is no such stage
        private int rankOf(Visit visit) {
            return Math.min(visit.stage, stages - 1 - visit.stage);
        }

        void expect(Visit visit) {
            Deque<Visit> from = coming.get(rankOf(visit.before()));
            while (from != null && !expected.contains(visit)) {
                Visit next = from.remove();
                actions.add(new Expect(next, rankOf(next.before())));
                expected.add(next);
                if (next.forward) {
                    count(next).add();
                }
            }
        }

        void compute(Visit visit) {
            actions.add(new Compute(visit));
            if (!visit.forward) {
                count(visit).now--;
            } else if (!expected.contains(visit)) {
                count(visit).add();
            }
        }

        private Count count(Visit visit) {
            return visit.stage == rank ? near : far;
        }
    }
}
