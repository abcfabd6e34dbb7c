package dev.wok.generate;

/// The sum of a row's exponentials, as its highest value and the sum relative to that:
/// `ln sum_i e^x_i = highest + ln sum`, in double precision, added from the first to the last.
///
/// Samplers and trainers use this one, so that the same logits have the same log-probabilities in both,
/// bit for bit. Where a value is +infinity or no number, or all are -infinity, the result is no number;
/// of no values it is -infinity.
///
/// @param highest of the values
/// @param sum of `e^(x_i - highest)`
public record LogSumExp(double highest, double sum) {
    /// @param values overwritten with `e^(x_i - highest)`; -infinity becomes 0
    public static LogSumExp of(double[] values) {
        double highest = Double.NEGATIVE_INFINITY;
        for (double value : values) {
            highest = Math.max(highest, value);
        }
        for (int i = 0; i < values.length; i++) {
            values[i] -= highest;
        }
        Exponentials.replace(values, values.length);
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return new LogSumExp(highest, sum);
    }

    /// @return the same values in double precision
    public static double[] widened(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    /// @return `ln sum_i e^x_i`
    public double value() {
        return highest + Math.log(sum);
    }
}
