package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Matrix products in the three orientations that a linear layer `y = x * W^T` needs: [#nt] forward, [#nn] for the
/// gradient of `x`, [#tn] for the gradient of `W`; and the same of a [Weight]: [#linear], [#linearInput],
/// [#linearWeight]. Both operands enter in the kernels' [Precision], those of exact weights as they are.
///
/// Operands may be BF16 where the result is F32; else all have one type.
/// Rows may lie in wider matrices (strided); a row's elements are adjacent. An element of the result is one sum over
/// `k` in an order that depends on `k` and `n` alone: not on the other rows. Cost: `2 * m * n * k` FLOPs.
public abstract class Matmul {
    /// Which operands are transposed: first letter the left one, second the right one.
    protected enum Orientation {
        NT,
        NN,
        TN
    }

    private final Precision precision;

    /// @param precision of the products of tensors, and of weights but for exact ones
    protected Matmul(Precision precision) {
        this.precision = precision;
    }

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

    /// `y (+)= x * w^T`: the forward pass of a linear layer.
    ///
    /// A [Packed] weight's elements enter as they are, and `x` as its [Activations] say.
    ///
    /// @param x `[m, k]`
    /// @param w `[n, k]`
    /// @param y `[m, n]`, written, or added to where `accumulate`
    public final void linear(Tensor x, Weight w, Tensor y, boolean accumulate) {
        String op = "Matmul.linear";
        Shape.require(op, y, "y", -1, -1);
        Shape.require(op, x, "x", y.dim(0), -1);
        Operands.requireShape(op, w, "w", y.dim(1), x.dim(1));
        Operands.requireRead("Matmul", x, "x", y.dtype());
        Operands.requireRead("Matmul", w, "w", y.dtype());
        Shape.requireRows("Matmul", y, "y");
        if (y.elements() > 0) {
            switch (w) {
                case Dense dense -> multiplyDense(Orientation.NT, x, dense, y, x.size(1), accumulate);
                case Packed packed -> multiplyPacked(x, packed, y, accumulate);
            }
        }
    }

    /// `dx (+)= dy * w`: the gradient of [#linear]'s input.
    ///
    /// @param dy `[m, n]`
    /// @param w `[n, k]`
    /// @param dx `[m, k]`, written, or added to where `accumulate`
    public final void linearInput(Tensor dy, Dense w, Tensor dx, boolean accumulate) {
        Shape.require("Matmul.linearInput", dx, "dx", -1, -1);
        Shape.require("Matmul.linearInput", dy, "dy", dx.dim(0), -1);
        Shape.require("Matmul.linearInput", w.value(), "w", dy.dim(1), dx.dim(1));
        requireOperands(dy, "dy", w.value(), "w", dx, "dx");
        if (dx.elements() > 0) {
            multiplyDense(Orientation.NN, dy, w, dx, dy.size(1), accumulate);
        }
    }

    /// `dw += dy^T * x`: the gradient of [#linear]'s weight.
    ///
    /// @param dy `[m, n]`
    /// @param x `[m, k]`
    /// @param w `[n, k]`, which says the precision; its values are not read
    /// @param dw `[n, k]`, accumulated into
    public final void linearWeight(Tensor dy, Tensor x, Dense w, Tensor dw) {
        Shape.require("Matmul.linearWeight", dw, "dw", -1, -1);
        Shape.require("Matmul.linearWeight", dy, "dy", -1, dw.dim(0));
        Shape.require("Matmul.linearWeight", x, "x", dy.dim(0), dw.dim(1));
        Shape.require("Matmul.linearWeight", w.value(), "w", dw.dim(0), dw.dim(1));
        requireOperands(dy, "dy", x, "x", dw, "dw");
        Operands.requireRead("Matmul", w.value(), "w", dw.dtype());
        if (dw.elements() > 0) {
            multiply(precision(w), Orientation.TN, dy, x, dw, dy.size(0), true);
        }
    }

    private void run(Orientation orientation, Tensor a, Tensor b, Tensor c, long k, boolean accumulate) {
        requireOperands(a, "a", b, "b", c, "c");
        if (c.elements() > 0) {
            multiply(precision, orientation, a, b, c, Math.toIntExact(k), accumulate);
        }
    }

    private static void requireOperands(Tensor a, String left, Tensor b, String right, Tensor c, String result) {
        Operands.requireRead("Matmul", a, left, c.dtype());
        Operands.requireRead("Matmul", b, right, c.dtype());
        Shape.requireRows("Matmul", c, result);
    }

    /// @return what the products of a weight are computed in
    protected final Precision precision(Weight w) {
        return w.exact() ? Precision.F32 : precision;
    }

    /// `m` and `n` are the sizes of `c`; `k` may be 0.
    protected abstract void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate);

    /// As [#multiply], in [#precision(Weight)]; for backends that keep forms of a weight.
    ///
    /// @param orientation NT or NN
    protected void multiplyDense(Orientation orientation, Tensor a, Dense b, Tensor c, int k, boolean accumulate) {
        multiply(precision(b), orientation, a, b.value(), c, k, accumulate);
    }

    /// `y (+)= x * w^T` with a weight that is one matrix; its rows may be empty.
    protected abstract void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate);

    /// @return what tensors are multiplied in
    protected final Precision precision() {
        return precision;
    }
}
