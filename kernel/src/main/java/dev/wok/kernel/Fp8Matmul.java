package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Matrix products of 8-bit numbers with scales (DeepSeek-V3, §3.3): E4M3, of which 128 neighbours along `k` share a
/// factor, in the left operand in each row, in the right operand in 128 rows.
///
/// With `g` a group of 128 of `k`, `c[m, n] = sum_g a_scale[m, g] * b_scale[n / 128, g] * sum_(k in g)
/// a[m, k] * b[n, k]`. The sum of a group is what the tensor cores make of it; the sum over groups is
/// in float32, so that no long sum is left to the fewer bits that tensor cores keep of products of
/// E4M3. Cost: `2 * m * n * k` FLOPs.
public abstract class Fp8Matmul {
    /// Neighbours along `k`, and rows of the right operand, that share a scale.
    public static final int GROUP = 128;

    /// What a group's scale is at least, times 448.
    public static final float LEAST = 1e-4f;

    protected Fp8Matmul() {}

    /// @return how many scales a row of so many numbers has
    public static long groups(long k) {
        return Math.ceilDiv(k, GROUP);
    }

    /// Rounds rows in groups of 128: `scale = max(|x|, 1e-4) / 448` in float32, and of `x / scale` in float32 the
    /// nearest E4M3, even where two are. A group with a NaN or an infinity gets the scale NaN and zeros.
    ///
    /// @param x `[m, k]`, F32 or BF16
    /// @param values `[m, k]`, F8_E4M3, written
    /// @param scales `[m, k / 128]`, rounded up, F32, written
    public final void quantize(Tensor x, Tensor values, Tensor scales) {
        String op = "Fp8Matmul.quantize";
        Shape.require(op, x, "x", -1, -1);
        Shape.require(op, values, "values", x.dim(0), x.dim(1));
        Shape.require(op, scales, "scales", x.dim(0), groups(x.dim(1)));
        Operands.requireRead(op, x, "x", scales.dtype());
        Shape.requireRows(op, values, "values", DType.F8_E4M3);
        Shape.requireRows(op, scales, "scales");
        if (x.elements() > 0) {
            round(x, values, scales);
        }
    }

    /// `c = a * b^T`.
    ///
    /// @param a `[m, k]`, F8_E4M3
    /// @param aScales `[m, k / 128]`, rounded up
    /// @param b `[n, k]`, F8_E4M3
    /// @param bScales `[n / 128, k / 128]`, both rounded up
    /// @param c `[m, n]`, F32, written
    public final void nt(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c) {
        String op = "Fp8Matmul.nt";
        Shape.require(op, c, "c", -1, -1);
        Shape.require(op, a, "a", c.dim(0), -1);
        Shape.require(op, b, "b", c.dim(1), a.dim(1));
        Shape.require(op, aScales, "aScales", a.dim(0), groups(a.dim(1)));
        Shape.require(op, bScales, "bScales", groups(b.dim(0)), groups(b.dim(1)));
        Shape.requireRows(op, a, "a", DType.F8_E4M3);
        Shape.requireRows(op, b, "b", DType.F8_E4M3);
        Shape.requireRows(op, aScales, "aScales", c.dtype());
        Shape.requireRows(op, bScales, "bScales", c.dtype());
        Shape.requireRows(op, c, "c");
        if (c.elements() > 0) {
            multiply(a, aScales, b, bScales, c);
        }
    }

    protected abstract void round(Tensor x, Tensor values, Tensor scales);

    /// `k` may be 0.
    protected abstract void multiply(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c);

    /// Rounds a group on the processor.
    ///
    /// @param row of `x`
    /// @param group of the row
    protected static void roundGroup(Tensor x, Tensor values, Tensor scales, long row, long group) {
        long from = group * GROUP;
        long to = Math.min(x.dim(1), from + GROUP);
        float greatest = LEAST;
        float spoiled = 0;
        for (long i = from; i < to; i++) {
            float value = (float) x.get(x.offset(row, i));
            greatest = Math.max(greatest, Math.abs(value));
            spoiled += value * 0;
        }
        float scale = greatest / E4m3.MAX + spoiled;
        scales.set(scales.offset(row, group), scale);
        for (long i = from; i < to; i++) {
            float quotient = Float.isNaN(scale) ? 0 : (float) x.get(x.offset(row, i)) / scale;
            values.set(values.offset(row, i), quotient);
        }
    }
}
