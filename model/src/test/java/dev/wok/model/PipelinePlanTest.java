package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.DualPipe;
import dev.wok.model.PipelinePlan.Action;
import dev.wok.model.PipelinePlan.Compute;
import dev.wok.model.PipelinePlan.Expect;
import dev.wok.model.PipelinePlan.Visit;
import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Plans of all ranks fit together, and layers are dealt as evenly as they can be.
class PipelinePlanTest {
    /// Ranks that do their plans, of which nothing is known but who waits for whom: whoever can go on
    /// does, some ranks as rarely as possible.
    private static final class Played {
        final int ranks;
        final List<PipelinePlan> plans;
        final int[] next;

        /// What was sent and not taken, by sender and receiver.
        final Map<List<Integer>, Deque<Visit>> ways = new HashMap<>();

        final Set<Visit> computed = new HashSet<>();
        final Set<Visit> taken = new HashSet<>();

        Played(int ranks, int microBatches) {
            this.ranks = ranks;
            DualPipe schedule = DualPipe.vShape(ranks, microBatches);
            plans = IntStream.range(0, ranks)
                    .mapToObj(rank -> PipelinePlan.of(schedule, rank))
                    .toList();
            next = new int[ranks];
        }

        int rankOf(int stage) {
            return Math.min(stage, 2 * ranks - 1 - stage);
        }

        /// @param lazy does something only where nobody else can
        void play(int lazy) {
            boolean moved = true;
            while (moved) {
                moved = false;
                for (int rank = 0; rank < ranks; rank++) {
                    while (rank != lazy && step(rank)) {
                        moved = true;
                    }
                }
                moved = moved || step(lazy);
            }
            for (int rank = 0; rank < ranks; rank++) {
                assertEquals(plans.get(rank).actions().size(), next[rank], "rank %d waits".formatted(rank));
            }
            ways.values().forEach(way -> assertTrue(way.isEmpty()));
        }

        private boolean step(int rank) {
            if (next[rank] == plans.get(rank).actions().size()) {
                return false;
            }
            Action action = plans.get(rank).actions().get(next[rank]);
            boolean can = switch (action) {
                case Expect expect -> canExpect(rank, expect);
                case Compute(Visit visit) -> canCompute(rank, visit);
            };
            if (can && action instanceof Compute(Visit visit)) {
                computed.add(visit);
                int to = visit.next().stage();
                if (to >= 0 && to < 2 * ranks && rankOf(to) != rank) {
                    ways.computeIfAbsent(List.of(rank, rankOf(to)), _ -> new ArrayDeque<>())
                            .add(visit.next());
                }
            }
            next[rank] += can ? 1 : 0;
            return can;
        }

        /// A gradient lands where an earlier one was, which has to be gone: to who has computed with
        /// it, or at least expects it.
        private boolean canExpect(int rank, Expect expect) {
            Visit visit = expect.visit();
            if (visit.forward() || visit.stage() == 0 || rankOf(visit.stage() - 1) == rank) {
                return true;
            }
            int before = rankOf(visit.stage() - 1);
            PipelinePlan theirs = plans.get(before);
            int room = visit.stage() == rank ? theirs.near() : theirs.far();
            Visit gone = new Visit(false, visit.microBatch() - room, visit.stage() - 1);
            return gone.microBatch() < 0
                    || theirs.actions().subList(0, next[before]).stream()
                            .anyMatch(action -> action.equals(new Expect(gone, rank)));
        }

        /// What comes lands in the order in which it was sent, where it is expected.
        private boolean canCompute(int rank, Visit visit) {
            Visit before = visit.before();
            if (before.stage() < 0 || before.stage() == 2 * ranks) {
                return visit.forward() || computed.contains(new Visit(true, visit.microBatch(), visit.stage()));
            }
            if (rankOf(before.stage()) == rank) {
                return computed.contains(before);
            }
            land(rank, rankOf(before.stage()));
            return taken.contains(visit);
        }

        private void land(int rank, int from) {
            Deque<Visit> way = ways.getOrDefault(List.of(from, rank), new ArrayDeque<>());
            for (Action action : plans.get(rank).actions().subList(0, next[rank])) {
                if (action instanceof Expect(Visit expected, int sender)
                        && sender == from
                        && !taken.contains(expected)) {
                    if (way.isEmpty()) {
                        return;
                    }
                    assertEquals(expected, way.remove(), "what rank %d takes from rank %d".formatted(rank, from));
                    taken.add(expected);
                }
            }
        }
    }

    @Test
    void noRankWaitsForEver() {
        for (int ranks = 2; ranks <= 6; ranks++) {
            for (int microBatches : new int[] {2 * ranks, 2 * ranks + 1, 3 * ranks + 1}) {
                for (int lazy = 0; lazy < ranks; lazy++) {
                    new Played(ranks, microBatches).play(lazy);
                }
            }
        }
    }

    /// Activations of one pass more than there are stages, and room for what comes next.
    @Test
    void keepsWhatTheScheduleKeeps() {
        for (int ranks = 2; ranks <= 8; ranks++) {
            for (int rank = 0; rank < ranks; rank++) {
                PipelinePlan few = PipelinePlan.of(DualPipe.vShape(ranks, 2 * ranks), rank);
                PipelinePlan many = PipelinePlan.of(DualPipe.vShape(ranks, 4 * ranks), rank);
                PipelinePlan more = PipelinePlan.of(DualPipe.vShape(ranks, 9 * ranks), rank);
                assertTrue(few.near() <= many.near() && few.far() <= many.far(), few.near() + " " + few.far());
                assertEquals(many.near(), more.near());
                assertEquals(many.far(), more.far());
                assertTrue(many.near() + many.far() <= 2 * ranks + 3, many.near() + " " + many.far());
            }
        }
    }

    /// A gradient's place is free once the stage before has made room for as many: by then its forward
    /// pass has been made here.
    @Test
    void gradientsComeAfterForwardPasses() {
        for (int ranks = 2; ranks <= 8; ranks++) {
            for (int rank = 0; rank < ranks; rank++) {
                Set<Visit> made = new HashSet<>();
                for (Action action :
                        PipelinePlan.of(DualPipe.vShape(ranks, 3 * ranks), rank).actions()) {
                    Visit visit = action.visit();
                    if (action instanceof Compute) {
                        made.add(visit);
                    } else if (!visit.forward()) {
                        assertTrue(made.contains(new Visit(true, visit.microBatch(), visit.stage())));
                    }
                }
            }
        }
    }

    private static ModelConfig layers(int count, int vocabulary, int dense, int mtp) {
        return layers(Models.config(6, Models.v3Moe(4, 2, 1), false, mtp), count, vocabulary, dense);
    }

    static ModelConfig layers(ModelConfig small, int count) {
        return layers(small, count, small.vocabSize(), small.firstKDenseReplace());
    }

    private static ModelConfig layers(ModelConfig small, int count, int vocabulary, int dense) {
        return new ModelConfig(
                small.family(),
                vocabulary,
                small.hiddenSize(),
                count,
                small.numAttentionHeads(),
                small.attention(),
                small.intermediateSize(),
                dense,
                1,
                List.of(),
                small.moe(),
                small.rope(),
                small.maxPositionEmbeddings(),
                small.rmsNormEps(),
                small.initializerRange(),
                small.tieWordEmbeddings(),
                small.numNextnPredictLayers(),
                0,
                List.of(1));
    }

    private static List<Integer> dealt(ModelConfig config, int ranks) {
        Stages stages = Stages.of(config, ranks);
        List<Integer> layers = new ArrayList<>();
        for (int stage = 0; stage < stages.count(); stage++) {
            layers.add(stages.layers(stage));
            assertEquals(stages.rankOf(stage), stages.rankOfLayer(stages.bounds()[stage]));
            assertEquals(stages.rankOf(stage), stages.rankOfLayer(stages.bounds()[stage + 1] - 1));
        }
        assertEquals(0, stages.rankOfLayer(-1));
        assertEquals(0, stages.rankOfLayer(config.numHiddenLayers()));
        return layers;
    }

    @Test
    void layersAreDealtEvenly() {
        // A head of 23 rows is a fraction of a layer, so it decides which stage has less where not all have as much.
        assertEquals(List.of(2, 2, 2, 2), dealt(layers(8, 23, 0, 0), 2));
        assertEquals(List.of(2, 2, 2, 1), dealt(layers(7, 23, 0, 0), 2));
        assertEquals(List.of(1, 1, 1, 1), dealt(layers(4, 23, 1, 2), 2));
        // A head as heavy as many layers leaves its rank one layer for each stage.
        assertEquals(List.of(1, 4, 4, 1), dealt(layers(10, 2000, 0, 0), 2));
        assertEquals(List.of(1, 2, 2, 3, 3, 1), dealt(layers(12, 2000, 0, 1), 3));
    }

    @Test
    void fewerLayersThanStagesAreRefused() {
        assertEquals(
                "a pipeline of 3 ranks has 6 stages, num_hidden_layers is 5; use fewer ranks or more layers.",
                Thrown.message(BadInput.class, () -> Stages.of(layers(5, 23, 0, 0), 3)));
    }
}
