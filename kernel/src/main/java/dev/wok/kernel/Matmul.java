package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Matrix products in the three orientations that a linear layer `y = x * W^T` needs: [#nt] forward, [#nn] for the
/// gradient of `x`, [#tn] for the gradient of `W`.
///
/// Rows may lie in wider matrices (strided); a row's elements are adjacent. An element of the result is one sum over
/// `k` in an order that depends on the shapes alone. Cost: `2 * m * n * k` FLOPs.
public abstract class Matmul {
    /// Which operands are transposed: first letter the left one, second the right one.
    protected enum Orientation {
        NT,
        NN,
        TN
    }

    protected Matmul() {}

    /// `c (+)= a * b^T`.
    ///
    /// @param a `[m, k]`
    /// @param b `[n, k]`
    /// @param c `[m, n]`, written, or added to where `accumulate`
    public final void nt(Tensor a, Tensor b, Tensor c, boolean accumulate) {
        Shape.require("Matmul.nt", c, "c", -1, -1);
        Shape.require("Matmul.nt", a, "a", c.dim(0), -1);
        Shape.require("Matmul.nt", b, "b", c.dim(1), a.dim(1));
        run(Orientation.NT, a, b, c, a.dim(1), accumulate);
    }

    /// `c (+)= a * b`.
    ///
    /// @param a `[m, k]`
    /// @param b `[k, n]`
    /// @param c `[m, n]`, written, or added to where `accumulate`
    public final void nn(Tensor a, Tensor b, Tensor c, boolean accumulate) {
        Shape.require("Matmul.nn", c, "c", -1, -1);
        Shape.require("Matmul.nn", a, "a", c.dim(0), -1);
        Shape.require("Matmul.nn", b, "b", a.dim(1), c.dim(1));
        run(Orientation.NN, a, b, c, a.dim(1), accumulate);
    }

    /// `c (+)= a^T * b`.
    ///
    /// @param a `[k, m]`
    /// @param b `[k, n]`
    /// @param c `[m, n]`, written, or added to where `accumulate`
    public final void tn(Tensor a, Tensor b, Tensor c, boolean accumulate) {
        Shape.require("Matmul.tn", c, "c", -1, -1);
        Shape.require("Matmul.tn", a, "a", -1, c.dim(0));
        Shape.require("Matmul.tn", b, "b", a.dim(0), c.dim(1));
        run(Orientation.TN, a, b, c, a.dim(0), accumulate);
    }

    private void run(Orientation orientation, Tensor a, Tensor b, Tensor c, long k, boolean accumulate) {
        Shape.requireRows("Matmul", a, "a", c.dtype());
        Shape.requireRows("Matmul", b, "b", c.dtype());
        Shape.requireRows("Matmul", c, "c");
        if (c.elements() > 0) {
            multiply(orientation, a, b, c, Math.toIntExact(k), accumulate);
        }
    }

    /// `m` and `n` are the sizes of `c`; `k` may be 0.
    protected abstract void multiply(Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate);
}
