package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// What is done element by element: the residual's sum, and filling. Cost: memory traffic.
public abstract class Elementwise {
    protected Elementwise() {}

    /// `out = a + b`.
    ///
    /// @param a contiguous
    /// @param b shaped as `a`, contiguous
    /// @param out shaped as `a`, contiguous, written; may be `a` or `b`
    public final void add(Tensor a, Tensor b, Tensor out) {
        Shape.require("Elementwise.add", b, "b", a.shape());
        Shape.require("Elementwise.add", out, "out", a.shape());
        for (Tensor t : new Tensor[] {a, b, out}) {
            Shape.require("Elementwise.add", t, "an operand", out.dtype());
            requireContiguous(t);
        }
        if (a.elements() > 0) {
            sum(a, b, out);
        }
    }

    /// `x = value` everywhere.
    ///
    /// @param x contiguous, of any type
    public final void fill(Tensor x, double value) {
        requireContiguous(x);
        if (x.elements() > 0) {
            set(x, value);
        }
    }

    private static void requireContiguous(Tensor tensor) {
        if (!tensor.isContiguous()) {
            throw new IllegalArgumentException("Elementwise: %s has gaps".formatted(tensor));
        }
    }

    protected abstract void sum(Tensor a, Tensor b, Tensor out);

    protected abstract void set(Tensor x, double value);
}
