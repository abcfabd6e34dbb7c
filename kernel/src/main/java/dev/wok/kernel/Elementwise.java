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
        Shape.require("Elementwise.add", a, "a", out.dtype());
        Shape.require("Elementwise.add", b, "b", out.dtype());
        Shape.requireContiguous("Elementwise.add", a, "a");
        Shape.requireContiguous("Elementwise.add", b, "b");
        Shape.requireContiguous("Elementwise.add", out, "out");
        if (a.elements() > 0) {
            sum(a, b, out);
        }
    }

    /// `x = value` everywhere.
    ///
    /// @param x contiguous, of any type
    public final void fill(Tensor x, double value) {
        Shape.requireContiguous("Elementwise.fill", x, "x");
        if (x.elements() > 0) {
            set(x, value);
        }
    }

    protected abstract void sum(Tensor a, Tensor b, Tensor out);

    protected abstract void set(Tensor x, double value);
}
