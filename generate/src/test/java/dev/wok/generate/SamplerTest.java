package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final float[] LOGITS = {1, 3, -2, 3, 0.5f, -0.25f};

    private static TreeMap<Integer, Integer> draw(Sampling sampling, int draws) {
        Sampler sampler = new Sampler(sampling);
        TreeMap<Integer, Integer> counts = new TreeMap<>();
        for (int i = 0; i < draws; i++) {
            counts.merge(sampler.pick(LOGITS.clone()), 1, Integer::sum);
        }
        return counts;
    }

    @Test
    void greedyTakesTheLowestOfTheLikeliest() {
        assertEquals(1, new Sampler(Sampling.greedy()).pick(LOGITS.clone()));
    }

    @Test
    void drawsFollowTheSoftmax() {
        int draws = 40_000;
        double temperature = 1.5;
        var counts = draw(new Sampling(temperature, 0, 1, 0, 1, 7), draws);
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
        assertEquals(
                "[1, 3]", draw(new Sampling(1, 2, 1, 0, 1, 1), 500).keySet().toString());
        assertEquals("[1]", draw(new Sampling(1, 1, 1, 0, 1, 1), 50).keySet().toString());
        assertEquals("[1]", draw(new Sampling(1, 0, 0.3, 0, 1, 1), 50).keySet().toString());
        assertEquals(
                "[1, 3]", draw(new Sampling(1, 0, 0.8, 0, 1, 1), 500).keySet().toString());
        assertEquals(
                "[0, 1, 3]",
                draw(new Sampling(1, 0, 1, 0.1, 1, 1), 2000).keySet().toString());
        assertEquals(6, draw(new Sampling(3, 0, 1, 0, 1, 1), 5000).size());
    }

    @Test
    void penaltyLowersWhatWasSeen() {
        Sampler sampler = new Sampler(new Sampling(0, 0, 1, 0, 2, 0));
        sampler.see(1);
        sampler.see(2);
        float[] logits = LOGITS.clone();
        assertEquals(3, sampler.pick(logits));
        assertEquals(1.5f, logits[1]);
        assertEquals(-4, logits[2]);
    }

    @Test
    void aSeedRepeats() {
        assertEquals(draw(new Sampling(1, 0, 1, 0, 1, 3), 100), draw(new Sampling(1, 0, 1, 0, 1, 3), 100));
        assertTrue(!draw(new Sampling(1, 0, 1, 0, 1, 3), 100).equals(draw(new Sampling(1, 0, 1, 0, 1, 4), 100)));
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThrows(BadInput.class, () -> new Sampling(-1, 0, 1, 0, 1, 0));
        assertThrows(BadInput.class, () -> new Sampling(Double.NaN, 0, 1, 0, 1, 0));
        assertThrows(BadInput.class, () -> new Sampling(1, -1, 1, 0, 1, 0));
        assertThrows(BadInput.class, () -> new Sampling(1, 0, 0, 0, 1, 0));
        assertThrows(BadInput.class, () -> new Sampling(1, 0, 1, 2, 1, 0));
        assertThrows(BadInput.class, () -> new Sampling(1, 0, 1, 0, 0, 0));
    }
}
