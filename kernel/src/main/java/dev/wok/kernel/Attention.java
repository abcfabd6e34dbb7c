package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Causal softmax attention over packed sequences, many query heads per key head allowed:
/// `out[t] = sum_j softmax_j(scale * q[t] . k[j]) v[j]` over keys `keyStart[t] <= j <= t`.
///
/// `keyStart` is what keeps packed documents apart; it never decreases with `t` and never exceeds `t`. Keys are
/// visited in blocks with a running maximum (T. Dao et al., FlashAttention), so nothing of size `tokens^2` exists.
/// `q`, `k`, `v`, `dOut`, the probabilities and the gradients of the scores enter products in the kernels'
/// [Precision]; scores, softmax and its row sums `out . dOut` do not. Tensors may be strided but for the last
/// dimension. Cost: `2 * heads * (qkDim + vDim)` FLOPs per pair of query and
/// key, 2.5 times that backward.
public abstract class Attention {
    protected Attention() {}

    /// @param q `[tokens, heads, qkDim]`
    /// @param k `[tokens, kvHeads, qkDim]`, `kvHeads` divides `heads`
    /// @param v `[tokens, kvHeads, vDim]`
    /// @param keyStart `[tokens]`, I32
    /// @param scale on the scores
    /// @param out `[tokens, heads, vDim]`, written
    /// @param lse `[tokens, heads]`, written: log of the sum of the exponentials, for [#backward]
    public final void forward(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        check(q, k, v, keyStart, out, lse);
        if (out.elements() > 0) {
            attend(q, k, v, keyStart, scale, out, lse);
        }
    }

    /// @param out what [#forward] gave
    /// @param lse what [#forward] gave
    /// @param dOut `[tokens, heads, vDim]`
    /// @param dq shaped as `q`, written
    /// @param dk shaped as `k`, written
    /// @param dv shaped as `v`, written
    public final void backward(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        check(q, k, v, keyStart, out, lse);
        Shape.require("Attention", dOut, "dOut", out.shape());
        Shape.require("Attention", dq, "dq", q.shape());
        Shape.require("Attention", dk, "dk", k.shape());
        Shape.require("Attention", dv, "dv", v.shape());
        Shape.requireRows("Attention", dOut, "dOut", q.dtype());
        Shape.requireRows("Attention", dq, "dq", q.dtype());
        Shape.requireRows("Attention", dk, "dk", q.dtype());
        Shape.requireRows("Attention", dv, "dv", q.dtype());
        if (out.elements() > 0) {
            gradient(q, k, v, keyStart, scale, out, lse, dOut, dq, dk, dv);
        }
    }

    private static void check(Tensor q, Tensor k, Tensor v, Tensor keyStart, Tensor out, Tensor lse) {
        Shape.require("Attention", q, "q", -1, -1, -1);
        long tokens = q.dim(0);
        Shape.require("Attention", k, "k", tokens, -1, q.dim(2));
        Shape.require("Attention", v, "v", tokens, k.dim(1), -1);
        Shape.require("Attention", keyStart, "keyStart", tokens);
        Shape.requireRows("Attention", keyStart, "keyStart", DType.I32);
        Shape.require("Attention", out, "out", tokens, q.dim(1), v.dim(2));
        Shape.require("Attention", lse, "lse", tokens, q.dim(1));
        if (k.dim(1) == 0 || q.dim(1) % k.dim(1) != 0) {
            throw new IllegalArgumentException(
                    "Attention: %d query heads cannot share %d key heads".formatted(q.dim(1), k.dim(1)));
        }
        Shape.requireRows("Attention", q, "q");
        Shape.requireRows("Attention", k, "k", q.dtype());
        Shape.requireRows("Attention", v, "v", q.dtype());
        Shape.requireRows("Attention", out, "out", q.dtype());
        Shape.requireRows("Attention", lse, "lse", q.dtype());
    }

    protected abstract void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse);

    protected abstract void gradient(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv);
}
