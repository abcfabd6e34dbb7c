package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Rotary position embedding: pairs of elements are rotated by an angle that grows with the position (RoFormer).
///
/// As transformers does it, the angle is the float32 product of position and frequency; cosine and sine of it are
/// correctly rounded. Cost: memory traffic.
public abstract class Rotary {
    /// Which elements form a pair.
    public enum Pairing {
        /// Neighbours `(x[2i], x[2i + 1])`, as DeepSeek's checkpoints have them.
        INTERLEAVED,
        /// Halves `(x[i], x[i + dim / 2])`, as Llama's and Qwen's have them.
        HALVES
    }

    protected Rotary() {}

    /// Fills the table `cos(position * frequency) * scaling` and the same with sine.
    ///
    /// @param positions `[tokens]`, I32
    /// @param frequencies `[dim / 2]`
    /// @param scaling a factor on both, 1 in all released DeepSeek configurations
    /// @param cos `[tokens, dim / 2]`, written
    /// @param sin `[tokens, dim / 2]`, written
    public final void table(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {
        Shape.require("Rotary", positions, "positions", -1);
        Shape.requireRows("Rotary", positions, "positions", DType.I32);
        Shape.require("Rotary", frequencies, "frequencies", -1);
        Shape.requireRows("Rotary", frequencies, "frequencies");
        Shape.require("Rotary", cos, "cos", positions.dim(0), frequencies.dim(0));
        Shape.require("Rotary", sin, "sin", positions.dim(0), frequencies.dim(0));
        Shape.requireRows("Rotary", cos, "cos");
        Shape.requireRows("Rotary", sin, "sin", cos.dtype());
        if (cos.elements() > 0) {
            angles(positions, frequencies, scaling, cos, sin);
        }
    }

    /// Rotates in place: `(x0, x1)` becomes `(x0 cos - x1 sin, x1 cos + x0 sin)`. With `backward` the angle is
    /// negative, which takes a gradient back through the rotation.
    ///
    /// @param x `[tokens, heads, dim]`, the last dimension adjacent, the others strided as they like
    public final void rotate(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {
        Shape.require("Rotary", cos, "cos", -1, -1);
        Shape.require("Rotary", sin, "sin", cos.dim(0), cos.dim(1));
        Shape.require("Rotary", x, "x", cos.dim(0), -1, 2 * cos.dim(1));
        Shape.requireRows("Rotary", cos, "cos", x.dtype());
        Shape.requireRows("Rotary", sin, "sin", x.dtype());
        Shape.requireRows("Rotary", x, "x");
        if (x.elements() > 0) {
            turn(x, cos, sin, pairing, backward);
        }
    }

    protected abstract void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin);

    protected abstract void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward);
}
