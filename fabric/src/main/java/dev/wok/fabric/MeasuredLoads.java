package dev.wok.fabric;

import java.util.Arrays;

/// A moving average of what came to each expert of a layer: what came `halfLife` steps ago counts half.
///
/// @param sum `[experts]`: weighted loads
/// @param weight theirs together
public record MeasuredLoads(double[] sum, double weight) {
    /// @throws IllegalArgumentException where there is a sum below 0 or none that is a number
    public MeasuredLoads {
        Placement.requireLoads(sum, sum.length);
        if (!(weight >= 0 && weight < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("loads of weight %s, expected 0 or more".formatted(weight));
        }
    }

    /// Nothing measured yet.
    public static MeasuredLoads none(int experts) {
        return new MeasuredLoads(new double[experts], 0);
    }

    /// @param load `[experts]`: tokens of a step
    /// @param halfLife in steps
    /// @throws IllegalArgumentException where the loads are of another layer, or the half-life is not above 0
    public MeasuredLoads with(double[] load, double halfLife) {
        Placement.requireLoads(load, sum.length);
        if (!(halfLife > 0)) {
            throw new IllegalArgumentException("a half-life of %s steps, expected more than 0".formatted(halfLife));
        }
        double fade = Math.pow(0.5, 1 / halfLife);
        double[] next = new double[sum.length];
        Arrays.setAll(next, expert -> sum[expert] * fade + load[expert]);
        return new MeasuredLoads(next, weight * fade + 1);
    }

    /// @return `[experts]`: 0 where nothing was measured
    public double[] average() {
        return Arrays.stream(sum).map(s -> weight == 0 ? 0 : s / weight).toArray();
    }
}
