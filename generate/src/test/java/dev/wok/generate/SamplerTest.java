package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final float[] LOGITS = {1, 3, -2, 3, 0.5f, -0.25f};
    private static final Sampling ALL = Sampling.atTemperature(1);

    private static TreeMap<Integer, Integer> draw(Sampling sampling, int draws) {
        Sampler sampler = new Sampler(sampling, LOGITS.length);
        TreeMap<Integer, Integer> counts = new TreeMap<>();
        for (int i = 0; i < draws; i++) {
            counts.merge(sampler.pick(LOGITS.clone()), 1, Integer::sum);
        }
        return counts;
    }

    @Test
    void greedyTakesTheLowestOfTheLikeliest() {
        assertEquals(1, new Sampler(Sampling.greedy(), LOGITS.length).pick(LOGITS.clone()));
    }

    @Test
    void drawsFollowTheSoftmax() {
        int draws = 40_000;
        double temperature = 1.5;
        var counts = draw(Sampling.atTemperature(temperature).withSeed(7), draws);
        double sum = 0;
        for (float logit : LOGITS) {
            sum += Math.exp(logit / temperature);
        }
        for (int id = 0; id < LOGITS.length; id++) {
            double p = Math.exp(LOGITS[id] / temperature) / sum;
            // Five standard deviations of a binomial count.
            double bound = 5 * Math.sqrt(draws * p * (1 - p));
            assertEquals(draws * p, counts.getOrDefault(id, 0), bound, "token " + id);
        }
    }

    @Test
    void filtersKeepTheLikeliest() {
        assertEquals("[1, 3]", draw(ALL.withTopK(2), 500).keySet().toString());
        assertEquals("[1]", draw(ALL.withTopK(1), 50).keySet().toString());
        assertEquals("[1]", draw(ALL.withTopP(0.3), 50).keySet().toString());
        assertEquals("[1, 3]", draw(ALL.withTopP(0.8), 500).keySet().toString());
        assertEquals("[0, 1, 3]", draw(ALL.withMinP(0.1), 2000).keySet().toString());
        assertEquals(6, draw(Sampling.atTemperature(3), 5000).size());
    }

    @Test
    void repetitionPenaltyLowersWhatIsInTheText() {
        Sampler sampler = new Sampler(Sampling.greedy().withRepetitionPenalty(2), LOGITS.length);
        sampler.read(1);
        sampler.add(2);
        float[] logits = LOGITS.clone();
        assertEquals(3, sampler.pick(logits));
        assertEquals(1.5f, logits[1]);
        assertEquals(-4, logits[2]);
    }

    @Test
    void frequencyAndPresenceCountWhatWasGenerated() {
        Sampling sampling = Sampling.greedy().withFrequencyPenalty(0.25).withPresencePenalty(1);
        Sampler sampler = new Sampler(sampling, LOGITS.length);
        sampler.read(0);
        sampler.add(1);
        sampler.add(1);
        sampler.add(2);
        float[] logits = LOGITS.clone();
        assertEquals(3, sampler.pick(logits));
        assertEquals("[1.0, 1.5, -3.25, 3.0, 0.5, -0.25]", Arrays.toString(logits));
    }

    @Test
    void aBiasComesBeforeAllElse() {
        Sampling sampling = Sampling.greedy().withRepetitionPenalty(2).withLogitBias(Map.of(2, 10.0, 1, -100.0));
        Sampler sampler = new Sampler(sampling, LOGITS.length);
        sampler.read(2);
        float[] logits = LOGITS.clone();
        assertEquals(2, sampler.pick(logits));
        assertEquals("[1.0, -97.0, 4.0, 3.0, 0.5, -0.25]", Arrays.toString(logits));
    }

    @Test
    void aSeedRepeats() {
        assertEquals(draw(ALL.withSeed(3), 100), draw(ALL.withSeed(3), 100));
        assertNotEquals(draw(ALL.withSeed(3), 100), draw(ALL.withSeed(4), 100));
    }

    /// One row of logits after the other, and what was picked goes into the text: the same ids as by the
    /// definition.
    @Test
    void whatIsPickedIsWhatSortingEverythingGives() {
        Property.of("SamplerTest.sorted")
                .size("vocabulary", 1, 20_000)
                .size("shape", 0, 5)
                .size("topK", 0, 300)
                .size("topP", 1, 20)
                .size("minP", 0, 8)
                .size("temperature", 0, 6)
                .flag("penalties")
                .cases(400)
                .check(c -> {
                    Rng rng = c.rng("logits");
                    Sampling sampling = sampling(c, rng);
                    int vocabulary = c.size("vocabulary");
                    Sampler sampler = new Sampler(sampling, vocabulary);
                    Definition definition = new Definition(sampling);
                    for (int i = 0; i < 4; i++) {
                        float[] logits = logits(
                                c.size("shape"), vocabulary, rng.split("row").split(i));
                        int expected = definition.pick(logits.clone());
                        assertEquals(expected, sampler.pick(logits), sampling + ", draw " + i);
                        sampler.add(expected);
                        definition.generated.add(expected);
                    }
                });
    }

    private static Sampling sampling(Property.Case c, Rng rng) {
        double topP = c.size("topP") / 20.0;
        double minP = c.size("minP") < 4 ? 0 : Math.pow(10, -c.size("minP") / 2.0);
        Sampling sampling = Sampling.atTemperature(c.size("temperature") / 3.0)
                .withTopK(c.size("topK") < 100 ? 0 : c.size("topK") - 99)
                .withTopP(topP)
                .withMinP(minP)
                .withSeed(rng.bits(0));
        if (!c.flag("penalties")) {
            return sampling;
        }
        return sampling.withRepetitionPenalty(1.3)
                .withFrequencyPenalty(0.7)
                .withPresencePenalty(-0.4)
                .withLogitBias(Map.of(rng.below(1, c.size("vocabulary")), 3.0));
    }

    /// Peaked, flat, all alike, few values with many ties, a few finite ones, falling without end.
    private static float[] logits(int shape, int vocabulary, Rng rng) {
        float[] logits = new float[vocabulary];
        for (int id = 0; id < vocabulary; id++) {
            double normal = rng.normal(id);
            logits[id] = (float)
                    switch (shape) {
                        case 0 -> 2.5 * normal + (rng.below(vocabulary + id, 500) == 0 ? 12 : 0);
                        case 1 -> 0.1 * normal;
                        case 2 -> -1.5;
                        case 3 -> Math.rint(normal);
                        case 4 -> id % 7 == 3 || id == vocabulary - 1 ? normal : Double.NEGATIVE_INFINITY;
                        default -> -0.01 * id * Math.abs(normal);
                    };
        }
        return logits;
    }

    /// The steps as [Sampling] words them, with everything sorted.
    private static final class Definition {
        private final Sampling sampling;
        private final Rng rng;
        private final List<Integer> generated = new ArrayList<>();
        private int draws;

        Definition(Sampling sampling) {
            this.sampling = sampling;
            rng = new Rng(sampling.seed()).split("sampling");
        }

        int pick(float[] raw) {
            double[] logits = adjusted(raw);
            List<Integer> ids = IntStream.range(0, raw.length)
                    .filter(id -> logits[id] != Double.NEGATIVE_INFINITY)
                    .boxed()
                    .sorted(Comparator.comparingDouble((Integer id) -> -logits[id])
                            .thenComparingInt(id -> id))
                    .toList();
            if (sampling.temperature() == 0) {
                return ids.getFirst();
            }
            int count = sampling.topK() == 0 ? ids.size() : Math.min(sampling.topK(), ids.size());
            double[] weights = new double[count];
            for (int i = 0; i < count; i++) {
                weights[i] = Math.exp((logits[ids.get(i)] - logits[ids.getFirst()]) / sampling.temperature());
            }
            double mass = Arrays.stream(weights).sum();
            int kept = 0;
            double sum = 0;
            while (kept < count
                    && (sampling.topP() == 1 || sum < sampling.topP() * mass)
                    && weights[kept] >= sampling.minP()) {
                sum += weights[kept++];
            }
            double target = rng.uniform(draws++) * sum;
            double reached = 0;
            for (int i = 0; i < kept; i++) {
                reached += weights[i];
                if (reached > target) {
                    return ids.get(i);
                }
            }
            return ids.get(kept - 1);
        }

        private double[] adjusted(float[] raw) {
            Map<Integer, Long> counts = new HashMap<>();
            generated.forEach(id -> counts.merge(id, 1L, Long::sum));
            double[] logits = new double[raw.length];
            for (int id = 0; id < raw.length; id++) {
                double logit = raw[id] + sampling.logitBias().getOrDefault(id, 0.0);
                long count = counts.getOrDefault(id, 0L);
                if (count > 0) {
                    logit = logit > 0 ? logit / sampling.repetitionPenalty() : logit * sampling.repetitionPenalty();
                    logit -= count * sampling.frequencyPenalty() + sampling.presencePenalty();
                }
                logits[id] = (float) logit;
            }
            return logits;
        }
    }

    /// Bounds that are too narrow would go unnoticed where the exact sum decides the same.
    @Test
    void boundsHoldTheSumOfAllWeights() {
        Property.of("SamplerTest.bounds")
                .size("vocabulary", 300, 40_000)
                .size("shape", 0, 5)
                .size("temperature", 1, 9)
                .size("known", 1, 300)
                .cases(150)
                .check(c -> {
                    float[] logits = logits(c.size("shape"), c.size("vocabulary"), c.rng("logits"));
                    double temperature = c.size("temperature") / 3.0;
                    Highest highest = new Highest();
                    highest.find(logits, c.size("known"));
                    double best = highest.logit(0);
                    double known = 0;
                    for (int i = 0; i < highest.size(); i++) {
                        known += Math.exp((highest.logit(i) - best) / temperature);
                    }
                    int count = highest.size();
                    float logit = highest.logit(count - 1);
                    double last = Math.exp((logit - best) / temperature);
                    double exact = Mass.exact(logits, best, temperature).least();
                    double rounding = 1e-12 * exact;
                    for (Mass mass : List.of(
                            Mass.roughly(logits.length, known, count, last),
                            Mass.bounded(logits, known, count, last, logit, temperature))) {
                        assertTrue(
                                mass.least() - rounding <= exact && exact <= mass.most() + rounding,
                                mass + " around " + exact);
                    }
                });
    }

    @Test
    void theHighestComeInOrder() {
        Property.of("SamplerTest.highest")
                .size("vocabulary", 1, 30_000)
                .size("shape", 0, 5)
                .size("wanted", 1, 3000)
                .cases(100)
                .check(c -> {
                    float[] logits = logits(c.size("shape"), c.size("vocabulary"), c.rng("logits"));
                    Integer[] sorted = IntStream.range(0, logits.length)
                            .filter(id -> logits[id] != Float.NEGATIVE_INFINITY)
                            .boxed()
                            .sorted(Comparator.comparing((Integer id) -> -logits[id] + 0f)
                                    .thenComparing(id -> id))
                            .toArray(Integer[]::new);
                    Highest highest = new Highest();
                    highest.find(logits, c.size("wanted"));
                    assertTrue(highest.all() || highest.size() >= c.size("wanted"));
                    assertTrue(!highest.all() || highest.size() == sorted.length);
                    assertEquals(sorted[0], Highest.of(logits));
                    for (int i = 0; i < highest.size(); i++) {
                        assertEquals(sorted[i], highest.id(i));
                        assertEquals(logits[sorted[i]] + 0f, highest.logit(i));
                    }
                });
    }

    @Test
    void whatIsNoNumberIsRefused() {
        for (Sampling sampling : List.of(Sampling.greedy(), Sampling.usual(), ALL.withTopK(1))) {
            Sampler sampler = new Sampler(sampling, 3);
            assertEquals(
                    "the model gave no numbers: the logit of token 2 is NaN. Its weights are damaged, or overflow in this"
                            + " precision; try float32.",
                    Thrown.message(BadInput.class, () -> sampler.pick(new float[] {1, 2, Float.NaN})));
            assertTrue(Thrown.message(BadInput.class, () -> sampler.pick(new float[] {1, Float.POSITIVE_INFINITY, 2}))
                    .contains("the logit of token 1 is Infinity"));
            float[] none = new float[3];
            Arrays.fill(none, Float.NEGATIVE_INFINITY);
            assertTrue(Thrown.message(BadInput.class, () -> sampler.pick(none)).contains("every logit is -Infinity"));
        }
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThrows(BadInput.class, () -> Sampling.atTemperature(-1));
        assertThrows(BadInput.class, () -> Sampling.atTemperature(Double.NaN));
        assertThrows(BadInput.class, () -> ALL.withTopK(-1));
        assertThrows(BadInput.class, () -> ALL.withTopP(0));
        assertThrows(BadInput.class, () -> ALL.withMinP(2));
        assertThrows(BadInput.class, () -> ALL.withRepetitionPenalty(0));
        assertThrows(BadInput.class, () -> ALL.withFrequencyPenalty(2.1));
        assertThrows(BadInput.class, () -> ALL.withPresencePenalty(Double.NaN));
        assertThrows(BadInput.class, () -> ALL.withLogitBias(Map.of(-1, 1.0)));
        assertEquals(
                "the logit bias of token 3 is 101.0, expected -100 to 100.",
                Thrown.message(BadInput.class, () -> ALL.withLogitBias(Map.of(3, 101.0))));
    }
}
