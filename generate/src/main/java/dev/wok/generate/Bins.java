package dev.wok.generate;

import java.util.Arrays;

/// A row's tokens in bins by their logits, the likeliest first: a draw from all of them without
/// sorting all of them, where the likeliest few do not decide it.
final class Bins {
    private static final int COUNT = 4096;

    /// How far below the likeliest's logit the bins reach, in temperatures; what is beyond is in the
    /// last one.
    private static final double DEEPEST = 50;

    private final double[] sums = new double[COUNT];
    private final Highest found = new Highest();

    /// @param highest of the logits
    /// @param at where in the sum of all weights, 0 to 1
    /// @return the first token, by descending logit, up to which the weights `exp((logit - highest) /
    ///     temperature)` sum to more than that share
    int draw(float[] logits, float highest, double temperature, double at) {
        double scale = COUNT / (DEEPEST * temperature);
        double[] weights = Mass.weights(logits, highest, temperature);
        Arrays.fill(sums, 0);
        for (int id = 0; id < logits.length; id++) {
            sums[bin(logits[id], highest, scale)] += weights[id];
        }
        double target = at * Arrays.stream(sums).sum();
        double sum = 0;
        int reached = 0;
        for (int bin = 0; bin < COUNT && sum <= target; bin++) {
            if (sums[bin] > 0) {
                reached = bin;
                sum += sums[bin];
            }
        }
        int bin = reached;
        sum -= sums[bin];
        found.only(logits, id -> weights[id] > 0 && bin(logits[id], highest, scale) == bin);
        for (int rank = 0; rank < found.size(); rank++) {
            sum += weights[found.id(rank)];
            if (sum > target) {
                return found.id(rank);
            }
        }
        return found.id(found.size() - 1);
    }

    private static int bin(float logit, float highest, double scale) {
        return (int) Math.min(COUNT - 1, ((double) highest - logit) * scale);
    }
}
