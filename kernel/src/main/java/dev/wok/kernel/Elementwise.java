package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// What is done element by element: the residual's sum, a bias, filling, and the change of type. Cost: memory traffic.
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

    /// `x[t] += bias`: the bias of a linear layer.
    ///
    /// @param x `[tokens, n]`, rows of adjacent elements, added to
    /// @param bias `[n]`
    public final void addBias(Tensor x, Tensor bias) {
        requireBias("Elementwise.addBias", x, "x", bias, "bias");
        if (x.elements() > 0) {
            addToRows(x, bias);
        }
    }

    /// `dBias += sum_t dy[t]`: the gradient of [#addBias]'s bias.
    ///
    /// @param dy `[tokens, n]`, rows of adjacent elements
    /// @param dBias `[n]`, accumulated into
    public final void biasGradient(Tensor dy, Tensor dBias) {
        requireBias("Elementwise.biasGradient", dy, "dy", dBias, "dBias");
        if (dy.elements() > 0) {
            sumRows(dy, dBias);
        }
    }

    private static void requireBias(String op, Tensor rows, String rowsName, Tensor bias, String biasName) {
        Shape.require(op, rows, rowsName, -1, -1);
        Shape.requireRows(op, rows, rowsName);
        Shape.require(op, bias, biasName, rows.dim(1));
        Shape.requireRows(op, bias, biasName, rows.dtype());
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

    /// `to = from`, rounded to nearest even where `to` is narrower; what is no number stays none. Fast backends take
    /// F32 and BF16, into each other and into themselves.
    ///
    /// @param from rows of adjacent elements
    /// @param to shaped as `from`, rows of adjacent elements, written; shares no memory with `from`
    public final void cast(Tensor from, Tensor to) {
        Shape.require("Elementwise.cast", to, "to", from.shape());
        Shape.requireRows("Elementwise.cast", from, "from");
        Shape.requireRows("Elementwise.cast", to, "to");
        if (to.elements() > 0) {
            convert(from, to);
        }
    }

    /// Writes what a batch's tokens leave behind into the pages of a cache, as [#cast] converts: of a token of
    /// sequence `s` at position `p` the row `p` of `s`, where the table says.
    ///
    /// @param from `[tokens, heads, n]`, rows of adjacent elements
    /// @param to `[pages, rows, heads, n]`, rows of adjacent elements; shares no memory with `from`
    /// @param positions `[tokens]`, I32, -1 for a token that is left out; no two tokens have one place
    public final void castToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {
        Shape.require("Elementwise.castToPages", from, "from", -1, -1, -1);
        Shape.require("Elementwise.castToPages", to, "to", -1, -1, from.dim(1), from.dim(2));
        Shape.require("Elementwise.castToPages", positions, "positions", from.dim(0));
        Shape.requireRows("Elementwise.castToPages", positions, "positions", DType.I32);
        Shape.requireRows("Elementwise.castToPages", from, "from");
        Shape.requireRows("Elementwise.castToPages", to, "to");
        table.require("Elementwise.castToPages", to, "to");
        if (from.elements() > 0) {
            convertToPages(from, to, table, positions);
        }
    }

    protected abstract void sum(Tensor a, Tensor b, Tensor out);

    protected abstract void addToRows(Tensor x, Tensor bias);

    protected abstract void sumRows(Tensor dy, Tensor dBias);

    protected abstract void set(Tensor x, double value);

    protected abstract void convert(Tensor from, Tensor to);

    protected abstract void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions);
}
