package dev.wok.kernel;

import dev.wok.tensor.Tensor;

/// How the left operand enters a product with a [Packed] weight.
public enum Activations {
    /// In the kernels' [Precision], the weight's whole numbers as they are:
    /// `y = sum over groups of scale * sum over the group of x * value`.
    FLOAT,
    /// As whole numbers of 8 bits, groups of them with a scale like the weight's:
    /// `y = sum over groups of xScale * scale * sum over the group of xValue * value`, the inner sum
    /// exact. See [#quantize].
    INT8;

    private static final int MOST = 127;

    /// Rounds a group to 8 bits: `scale = max |x| / 127` and `value = x * (127 / max |x|)` to the
    /// nearest whole number, even where two are, every step rounded to float32. A group of zeros has
    /// the scale 0; one that holds a NaN or an infinity has the scale NaN, and so has its row.
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
        float factor = MOST / largest;
        for (int i = 0; i < count; i++) {
            float product = largest == 0 ? 0 : (float) x.get(from + i) * factor;
            values[i] = (byte) Math.rint(Math.clamp(product, -MOST, MOST));
        }
        return largest / MOST + spoiled;
    }
}
