package dev.wok.kernel;

import dev.wok.tensor.Tensor;

/// How the left operand enters a product with a [Quantized] weight.
public enum Activations {
    /// In the kernels' [Precision], the weight's whole numbers as they are:
    /// `y = sum over groups of scale * sum over the group of x * value`.
    FLOAT,
    /// As whole numbers of 8 bits, groups of them with a scale like the weight's:
    /// `y = sum over groups of xScale * scale * sum over the group of xValue * value`, the inner sum exact.
    /// See [#quantize].
    INT8;

    private static final int MOST = 127;

    /// Rounds a group to 8 bits: the scale is the largest magnitude over 127, a value the quotient by it,
    /// to the nearest whole number, the even one of two. Both quotients are float32.
    ///
    /// A group of zeros has the scale 0. One that holds a NaN or an infinity has the scale NaN, and so has
    /// every result of its row.
    ///
    /// @param x float32 or narrower values
    /// @param from the first element of the group, in elements
    /// @param count of the group
    /// @param values gets the whole numbers
    /// @return the scale
    public static float quantize(Tensor x, long from, int count, byte[] values) {
        float largest = 0;
        float spoiled = 0;
        for (int i = 0; i < count; i++) {
            float value = (float) x.get(from + i);
            largest = Math.max(largest, Math.abs(value));
            spoiled += value * 0;
        }
        float scale = largest / MOST + spoiled;
        for (int i = 0; i < count; i++) {
            float quotient = scale == 0 ? 0 : (float) x.get(from + i) / scale;
            values[i] = (byte) Math.rint(Math.clamp(quotient, -MOST, MOST));
        }
        return scale;
    }
}
