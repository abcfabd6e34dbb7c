package dev.wok.kernel.reference;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;

/// A row times a packed weight: `sum over groups of xScale * scale * sum over the group of xValue * value`.
record PackedReference(Packed w, Precision precision) {
    /// @param from where the row begins, in elements
    /// @param expert which matrix
    /// @return `[n]`
    double[] times(Tensor x, long from, int expert) {
        byte[] whole = new byte[w.group()];
        double[] left = new double[w.group()];
        double[] sums = new double[w.n()];
        for (int g = 0; g < w.groups(); g++) {
            int first = g * w.group();
            int count = Math.min(w.group(), w.k() - first);
            double xScale = enter(x, from + first, count, whole, left);
            for (int j = 0; j < sums.length; j++) {
                long row = (long) expert * w.n() + j;
                double sum = 0;
                for (int p = 0; p < count; p++) {
                    sum += left[p] * w.value(row, first + p);
                }
                sums[j] += xScale * w.scale(row, g) * sum;
            }
        }
        return sums;
    }

    private double enter(Tensor x, long from, int count, byte[] whole, double[] left) {
        boolean rounded = w.activations() == Activations.INT8;
        double scale = rounded ? Activations.quantize(x, from, count, whole) : 1;
        Precision in = w.exact() ? Precision.F32 : precision;
        for (int p = 0; p < count; p++) {
            left[p] = rounded ? whole[p] : in.operand(x.get(from + p));
        }
        return scale;
    }
}
