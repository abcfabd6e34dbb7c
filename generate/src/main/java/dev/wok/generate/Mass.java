package dev.wok.generate;

/// What the weights of a whole row sum to, `exp((logit - highest) / temperature)` over all ids, or
/// bounds on it.
///
/// @param least not more than the sum
/// @param most not less than the sum
record Mass(double least, double most) {
    /* The sum over 150,000 logits costs more than a millisecond with Math.exp, and is only needed to know where among a
     * few hundred known weights a share of it lies. So it is first bounded, in a loop that the compiler turns into vector
     * instructions: in units of the smallest known weight, exp(x) is (1 + r + r^2/2 + r^3/6)^64 with r = x/64 in [-1, 0],
     * and what is summed are integers of 2^-18, which may be added in any order.
     *
     * The power's relative error is x^4/(24 * 64^3): 1e-4 at x = -5, and beyond that less than 1e-6 of a unit. Rounding
     * to float32 adds less than 1e-4, an integer less than 2^-18 of a unit.
     */
    private static final double RELATIVE = 2e-4;
    private static final double UNITS = 5e-6;
    private static final float SCALE = 0x1p18f;
    private static final int CHUNK = 1 << 12;
    private static final double SQUARINGS = 64;

    /// @param known the sum of the highest weights
    /// @param count how many these are
    /// @param last the smallest of them
    static Mass roughly(int vocabulary, double known, int count, double last) {
        return new Mass(known, known + (vocabulary - count) * last);
    }

    /// @param logit that of the smallest known weight
    /// @see #roughly
    static Mass bounded(float[] logits, double known, int count, double last, float logit, double temperature) {
        float half = (float) (0.5 / (SQUARINGS * temperature));
        long sum = 0;
        for (int from = 0; from < logits.length; from += CHUNK) {
            sum += sum(logits, from, Math.min(logits.length, from + CHUNK), logit, half);
        }
        double units = (double) sum / SCALE;
        double error = RELATIVE * units + UNITS * logits.length;
        double rest = units - count;
        return new Mass(known + last * Math.max(0, rest - error), known + last * Math.max(0, rest + error));
    }

    /// At most 2^12 times 2^18, so that it fits. The absolute values stand for a minimum with 0 and a
    /// maximum with -1.
    private static int sum(float[] logits, int from, int to, float logit, float half) {
        int sum = 0;
        for (int id = from; id < to; id++) {
            float z = (logits[id] - logit) * half;
            float u = 1f + (z - Math.abs(z));
            float r = 0.5f * (u + Math.abs(u)) - 1f;
            float p = 1f + r * (1f + r * (0.5f + r * (1 / 6f)));
            p *= p;
            p *= p;
            p *= p;
            p *= p;
            p *= p;
            p *= p;
            sum += (int) (p * SCALE);
        }
        return sum;
    }

    static Mass exact(float[] logits, double highest, double temperature) {
        double sum = 0;
        for (double weight : weights(logits, highest, temperature)) {
            sum += weight;
        }
        return new Mass(sum, sum);
    }

    /// @return of each id
    static double[] weights(float[] logits, double highest, double temperature) {
        double[] weights = new double[logits.length];
        for (int id = 0; id < weights.length; id++) {
            weights[id] = (logits[id] - highest) / temperature;
        }
        Exponentials.replace(weights, weights.length);
        return weights;
    }
}
