package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.DualPipe.Kind;
import dev.wok.fabric.DualPipe.Step;
import dev.wok.fabric.DualPipe.Work;
import dev.wok.fabric.PipelineRun.Times;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class DualPipeTest {
    /// The overlapped pair takes as long as its parts one after the other.
    private static final Times UNIT = new Times(1, 1, 1, 3);

    private static final Times HIDDEN = new Times(1, 1, 1, 2.5);

    @Test
    void everyRankIsIdleAsLongAsTheFormulaSays() {
        for (int ranks = 2; ranks <= 16; ranks += 2) {
            for (int batches : new int[] {2 * ranks, 2 * ranks + 2, 3 * ranks, 120}) {
                PipelineRun run = PipelineRun.of(DualPipe.twoWay(ranks, batches), UNIT);
                assertIdle(run, UNIT.bubble(ranks), 3 * batches);
            }
        }
    }

    @Test
    void theVShapeHasTheBubbleOfTwiceTheStages() {
        for (int ranks = 1; ranks <= 16; ranks++) {
            for (int batches : new int[] {2 * ranks, 2 * ranks + 1, 3 * ranks, 60}) {
                PipelineRun run = PipelineRun.of(DualPipe.vShape(ranks, batches), UNIT);
                assertIdle(run, UNIT.bubble(2 * ranks), 6 * batches);
            }
        }
    }

    private static void assertIdle(PipelineRun run, double bubble, double busy) {
        assertEquals(busy + bubble, run.makespan());
        for (int rank = 0; rank < run.spans().length; rank++) {
            assertEquals(bubble, run.idle(rank));
        }
    }

    @Test
    void agreesWithVerifiedNumbers() {
        assertEquals(26, PipelineRun.of(DualPipe.twoWay(4, 8), UNIT).makespan());
        assertEquals(66, PipelineRun.of(DualPipe.twoWay(8, 20), UNIT).makespan());
        assertEquals(374, PipelineRun.of(DualPipe.twoWay(16, 120), UNIT).makespan());
        PipelineRun hidden = PipelineRun.of(DualPipe.twoWay(8, 20), HIDDEN);
        assertEquals(59, hidden.makespan());
        assertArrayEquals(new double[] {3.5, 4.0, 4.5, 4.5, 4.5, 4.5, 4.0, 3.5}, idle(hidden));
        assertEquals(4.5, HIDDEN.bubble(8));
    }

    private static double[] idle(PipelineRun run) {
        double[] idle = new double[run.spans().length];
        Arrays.setAll(idle, run::idle);
        return idle;
    }

    @Test
    void firstRankOfEightWorksInThisOrder() {
        List<Step> steps = DualPipe.twoWay(8, 20).ranks().getFirst();
        assertEquals(
                "F0 F0 F0 F0 F0 F0 F0 F1 b1 W1 F1 b1 W1 F1 b1 W1 F1 F0B1 F1B0 F0B1 F1B0 F0B1 F1B0"
                        + " B1 F1B0 B1 F1B0 B1 F1B0 B1 b0 W0 b0 W0 b0 W0 b0 W0",
                steps.stream().map(DualPipeTest::text).collect(Collectors.joining(" ")));
    }

    /// `0` where micro-batches enter, `1` where they leave; `b` is a backward pass without weights.
    private static String text(Step step) {
        return step.works().stream()
                .map(work -> switch (work.kind()) {
                            case FORWARD -> "F";
                            case BACKWARD -> "B";
                            case BACKWARD_INPUT -> "b";
                            case BACKWARD_WEIGHT -> "W";
                        }
                        + (work.stage() == 0 ? 0 : 1))
                .collect(Collectors.joining());
    }

    @Test
    void countsOfSixteenRanks() {
        List<Step> steps = DualPipe.twoWay(16, 120).ranks().getFirst();
        Map<Object, Long> counts = steps.stream()
                .collect(Collectors.groupingBy(
                        step -> step.works().size() == 2
                                ? "F&B"
                                : step.works().getFirst().kind(),
                        Collectors.counting()));
        assertEquals(
                Map.of(
                        "F&B",
                        97L,
                        Kind.FORWARD,
                        23L,
                        Kind.BACKWARD,
                        8L,
                        Kind.BACKWARD_INPUT,
                        15L,
                        Kind.BACKWARD_WEIGHT,
                        15L),
                counts);
    }

    @Test
    void everyPassIsMadeOnceInEveryStage() {
        for (DualPipe schedule :
                List.of(DualPipe.twoWay(2, 4), DualPipe.twoWay(6, 14), DualPipe.vShape(1, 2), DualPipe.vShape(5, 13))) {
            Set<Work> expected = new HashSet<>();
            for (int batch = 0; batch < schedule.microBatches(); batch++) {
                for (int stage = 0; stage < schedule.stages(); stage++) {
                    expected.add(new Work(Kind.FORWARD, batch, stage));
                    expected.add(new Work(Kind.BACKWARD_INPUT, batch, stage));
                    expected.add(new Work(Kind.BACKWARD_WEIGHT, batch, stage));
                }
            }
            List<Work> works = schedule.ranks().stream()
                    .flatMap(List::stream)
                    .flatMap(step -> step.works().stream())
                    .mapMulti((Work work, Consumer<Work> each) -> {
                        if (work.kind() == Kind.BACKWARD) {
                            each.accept(new Work(Kind.BACKWARD_INPUT, work.microBatch(), work.stage()));
                            each.accept(new Work(Kind.BACKWARD_WEIGHT, work.microBatch(), work.stage()));
                        } else {
                            each.accept(work);
                        }
                    })
                    .toList();
            assertEquals(expected.size(), works.size());
            assertEquals(expected, Set.copyOf(works));
        }
    }

    @Test
    void noStepBeginsBeforeWhatItNeeds() {
        PipelineRun run = PipelineRun.of(DualPipe.vShape(3, 7), new Times(1.25, 1.5, 0.75, 2.75));
        double[][][] ends = new double[Kind.values().length][7][6];
        double[][][] begins = new double[Kind.values().length][7][6];
        for (int rank = 0; rank < 3; rank++) {
            for (int i = 0; i < run.spans()[rank].length; i++) {
                for (Work work : run.schedule().ranks().get(rank).get(i).works()) {
                    Kind kind = work.kind() == Kind.BACKWARD ? Kind.BACKWARD_INPUT : work.kind();
                    ends[kind.ordinal()][work.microBatch()][work.stage()] = run.spans()[rank][i].end();
                    begins[kind.ordinal()][work.microBatch()][work.stage()] = run.spans()[rank][i].begin();
                }
                assertTrue(i == 0 || run.spans()[rank][i - 1].end() <= run.spans()[rank][i].begin());
            }
        }
        int forward = Kind.FORWARD.ordinal();
        int backward = Kind.BACKWARD_INPUT.ordinal();
        for (int batch = 0; batch < 7; batch++) {
            for (int stage = 0; stage < 5; stage++) {
                assertTrue(begins[forward][batch][stage + 1] >= ends[forward][batch][stage]);
                assertTrue(begins[backward][batch][stage] >= ends[backward][batch][stage + 1]);
            }
            assertTrue(begins[backward][batch][5] >= ends[forward][batch][5]);
        }
    }

    /// Activations of one stage more than there are stages, on every rank (DeepSeek-V3, table 2).
    @Test
    void keepsActivationsOfOnePassMoreThanStages() {
        for (int ranks = 2; ranks <= 16; ranks += 2) {
            PipelineRun run = PipelineRun.of(DualPipe.twoWay(ranks, 3 * ranks), UNIT);
            assertEquals(Set.of(ranks + 1), held(run));
        }
        assertEquals(Set.of(9), held(PipelineRun.of(DualPipe.vShape(4, 9), UNIT)));
    }

    private static Set<Integer> held(PipelineRun run) {
        return Arrays.stream(run.held()).boxed().collect(Collectors.toSet());
    }

    @Test
    void refusesWhatCannotBeScheduled() {
        refuses(() -> DualPipe.twoWay(3, 12), "DualPipe: 3 ranks, expected an even number; the V shape takes any");
        refuses(
                () -> DualPipe.twoWay(4, 9),
                "DualPipe: 9 micro-batches, expected an even number: half enter at each end");
        refuses(() -> DualPipe.twoWay(4, 6), "DualPipe: 6 micro-batches on 4 ranks, expected 8 or more");
        refuses(() -> DualPipe.vShape(4, 7), "DualPipe: 7 micro-batches on 4 ranks, expected 8 or more");
        refuses(() -> DualPipe.vShape(0, 7), "DualPipe: 0 ranks, expected 1 or more");
    }

    private static void refuses(Thrown.Code schedule, String message) {
        assertEquals(message, Thrown.message(IllegalArgumentException.class, schedule));
    }
}
