package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EstimatesTest {
    private static final int SAMPLES = 9;

    /// Factors are rounded, a handful of them.
    private static final double ROUNDING = 1e-14;

    @Test
    void passAtIsTheShareOfSubsetsThatHoldARightSample() {
        for (int right = 0; right <= SAMPLES; right++) {
            for (int k = 1; k <= SAMPLES; k++) {
                int subsets = 0;
                int hits = 0;
                for (int subset = 0; subset < 1 << SAMPLES; subset++) {
                    if (Integer.bitCount(subset) == k) {
                        subsets++;
                        hits += (subset & (1 << right) - 1) != 0 ? 1 : 0;
                    }
                }
                assertEquals(hits / (double) subsets, Estimates.passAt(SAMPLES, right, k), ROUNDING, right + " " + k);
            }
        }
    }

    @Test
    void passAtOfManySamplesNeitherOverflowsNorCancels() {
        assertEquals(1e-4, Estimates.passAt(100_000, 10, 1), 1e-15);
        assertEquals(1, Estimates.passAt(100_000, 100_000, 100_000));
        assertEquals(0, Estimates.passAt(100_000, 0, 100_000));
        double hundred = Estimates.passAt(100_000, 1000, 100);
        assertEquals(1 - Math.pow(0.99, 100), hundred, 1e-3);
    }

    /// Of 8 in 10, worked out by hand: (0.8 + z²/20 ± z √(0.016 + z²/400)) / (1 + z²/10).
    @Test
    void ofOneSampleAProblemItIsWilsonsInterval() {
        int[] right = new int[10];
        Arrays.fill(right, 0, 8, 1);
        assertInterval(0.8, 0.4901625, 0.9433178, Estimates.interval(right, 1));
    }

    @Test
    void samplesThatAreAllAlikeSayNoMoreThanOne() {
        int[] right = new int[10];
        Arrays.fill(right, 0, 8, 50);
        assertInterval(0.8, 0.4901625, 0.9433178, Estimates.interval(right, 50));
    }

    @Test
    void problemsThatAreAllAlikeSayAsMuchAsAllSamples() {
        int[] clustered = new int[10];
        Arrays.fill(clustered, 4);
        int[] alone = new int[50];
        Arrays.fill(alone, 0, 40, 1);
        Evaluation.Interval expected = Estimates.interval(alone, 1);
        assertInterval(0.8, expected.low(), expected.high(), Estimates.interval(clustered, 5));
    }

    /// Two right of two, one of two, none of two: a mean of 1/2 whose variance is 1/18, which is what
    /// 4.5 independent samples give.
    @Test
    void betweenThemItHasTheSizeThatGivesTheVariance() {
        double z2 = 1.959963984540054 * 1.959963984540054 / 4.5;
        double half = Math.sqrt(z2 * 0.25 + z2 * z2 / 4) / (1 + z2);
        assertInterval(0.5, 0.5 - half, 0.5 + half, Estimates.interval(new int[] {2, 1, 0}, 2));
    }

    @Test
    void whereAllIsRightOrWrongItStillHasAWidth() {
        Evaluation.Interval none = Estimates.interval(new int[20], 4);
        assertEquals(0, none.low());
        assertEquals(0.1611, none.high(), 1e-4);
        int[] all = new int[20];
        Arrays.fill(all, 4);
        assertEquals(1 - none.high(), Estimates.interval(all, 4).low(), 1e-12);
        assertEquals(1, Estimates.interval(all, 4).high(), 1e-12);
    }

    private static void assertInterval(double value, double low, double high, Evaluation.Interval found) {
        assertEquals(value, found.value(), 1e-12);
        assertEquals(low, found.low(), 1e-6);
        assertEquals(high, found.high(), 1e-6);
        assertTrue(found.low() < found.value() && found.value() < found.high());
    }

    @Test
    void majorityCountsVotesAndSharesTies() {
        assertEquals(1, majority("7 7 8", true, true, false));
        assertEquals(0, majority("7 8 8", true, false, false));
        assertEquals(0.5, majority("8 7 8 7", false, true, false, true));
        assertEquals(1 / 3.0, majority("9 8 7", false, false, true));
        assertEquals(1, majority("- - - 7", false, false, false, true), "who says nothing has no vote");
        assertEquals(0, majority("- -", false, false));
    }

    private static double majority(String answers, boolean... right) {
        List<Optional<String>> given = Arrays.stream(answers.split(" "))
                .map(answer -> answer.equals("-") ? Optional.<String>empty() : Optional.of(answer))
                .toList();
        return Estimates.majority(given, right);
    }
}
