package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;
import org.junit.jupiter.api.Test;

class GuardsTest {
    private static final Settings.Limits LIMITS = new Settings.Limits(3, 0.5, 0.1, 100, 4);

    /// @return the first verdict that ends the run, by the step that it came at
    private static Map.Entry<Long, Guards.Verdict> watched(
            Settings.Limits limits, LongFunction<Map<String, ?>> figures) {
        Guards guards = new Guards(limits);
        for (long step = 1; step <= 50; step++) {
            Guards.Verdict verdict = guards.watch(step, figures.apply(step));
            if (!(verdict instanceof Guards.Verdict.GoOn)) {
                return Map.entry(step, verdict);
            }
        }
        return Map.entry(0L, new Guards.Verdict.GoOn());
    }

    private static void assertStops(long step, String said, LongFunction<Map<String, ?>> figures) {
        Map.Entry<Long, Guards.Verdict> found = watched(LIMITS, figures);
        assertEquals(step, found.getKey());
        String line =
                assertInstanceOf(Guards.Verdict.Stop.class, found.getValue()).line();
        assertTrue(line.contains(said), line);
        assertEquals(0L, watched(new Settings.Limits(3, 0, 0, 0, 0), figures).getKey());
    }

    @Test
    void oneStepThatIsNoNumberIsEnough() {
        Map.Entry<Long, Guards.Verdict> found =
                watched(LIMITS, step -> Map.of("loss", step == 7 ? Double.NaN : 1.0, "grad_norm", 1));
        assertEquals(7, found.getKey());
        assertTrue(found.getValue().toString().contains("loss of step 7 is NaN"), found.toString());
        found = watched(LIMITS, step -> Map.of("loss", 1, "grad_norm", step == 2 ? Double.POSITIVE_INFINITY : 1.0));
        assertTrue(found.getValue().toString().contains("grad_norm of step 2 is Infinity"), found.toString());
    }

    @Test
    void klThatStaysAboveItsLimitStops() {
        assertStops(
                12,
                "kl 0.6000 after step 12 is above max_kl 0.5 since 3 steps",
                step -> Map.of("kl", step >= 10 || step == 4 || step == 5 ? 0.6 : 0.5));
    }

    @Test
    void entropyIsComparedWithThatOfTheFirstSteps() {
        assertStops(12, "0.09000 after step 12, 1.000 at first", step -> Map.of("entropy", step < 10 ? 1.0 : 0.09));
    }

    @Test
    void gradientsThatStayLargeStop() {
        assertStops(5, "grad_norm 101.0 of step 5", step -> Map.of("grad_norm", step < 3 ? 1 : 101));
    }

    @Test
    void noDifferenceBetweenAnswersStops() {
        assertStops(7, "flat: 0.000 after step 7", step -> Map.of("reward", 0.0, "equal_groups", step < 4 ? 0.5 : 1.0));
        assertStops(
                9,
                "flat: 0.5000 after step 9",
                step -> Map.of("reward", step == 2 ? 0.9 : step < 6 ? 0.1 * step : 0.5));
    }

    @Test
    void whereAllAnswersAreAsGoodAsEverTheRunIsDone() {
        Map.Entry<Long, Guards.Verdict> found =
                watched(LIMITS, step -> Map.of("reward", step < 5 ? 0.7 : 1.2, "equal_groups", step < 5 ? 0.9 : 1.0));
        assertEquals(8, found.getKey());
        String line =
                assertInstanceOf(Guards.Verdict.Done.class, found.getValue()).line();
        assertTrue(line.contains("the reward is 1.200, the best so far"), line);
    }

    private static List<Boolean> counting(LongFunction<Map<String, ?>> figures) {
        Guards guards = new Guards(LIMITS);
        List<Boolean> counting = new ArrayList<>();
        for (long step = 1; step <= 8; step++) {
            guards.watch(step, figures.apply(step));
            counting.add(guards.isCounting());
        }
        return counting;
    }

    @Test
    void aCountRunsWhereStepsMayEndInAStop() {
        List<Boolean> expected = List.of(false, false, false, true, true, false, false, false);
        assertEquals(expected, counting(step -> Map.of("kl", step == 4 || step == 5 ? 0.6 : 0.5)));
        assertEquals(expected, counting(step -> Map.of("grad_norm", step == 4 || step == 5 ? 101 : 100)));
        assertEquals(expected, counting(step -> Map.of("entropy", step == 4 || step == 5 ? 0.09 : 1)));
        assertEquals(
                expected,
                counting(step -> step == 4 || step == 5
                        ? Map.of("reward", 0.1, "equal_groups", 1)
                        : Map.of("reward", 0.3, "equal_groups", 0)));
        assertEquals(
                List.of(false),
                counting(step -> Map.of("reward", 0.3, "equal_groups", step < 4 ? 0 : 1)).stream()
                        .distinct()
                        .toList(),
                "where all is as good as ever");
    }

    @Test
    void figuresThatAMethodDoesNotHaveAreNotWatched() {
        assertEquals(
                0L, watched(LIMITS, _ -> Map.of("loss", 1.0, "grad_norm", 1.0)).getKey());
    }
}
