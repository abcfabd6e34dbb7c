package dev.wok.kernel;

import dev.wok.tensor.Bf16;
import java.util.Locale;

/// The arithmetic of matrix products: what their operands are rounded to as they enter. Sums, and everything that is
/// no matrix product, are float32 in both (double on the reference kernels).
///
/// The products are those of [Matmul], [Experts], [Attention], [LatentAttention] and [CachedAttention]; each says what
/// enters them.
public enum Precision {
    /// Operands as they are.
    F32,
    /// Operands rounded to bfloat16, to nearest, even where two are; NaN stays NaN.
    BF16;

    /// @return a value as it enters a product
    public double operand(double value) {
        return switch (this) {
            case F32 -> value;
            case BF16 -> Bf16.round(value);
        };
    }

    /// @return the name that options, settings and messages use
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
