package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Softmax attention over a cache of keys and values, for generation, many query heads per key head
/// allowed (J. Ainslie et al., GQA): `out[t, h] = sum_j softmax_j(scale * q[t, h] . keys[j, g])
/// values[j, g]` over its sequence's cache rows `j <= positions[t]`, with `g = h / (heads / kvHeads)`. The
/// rows lie in pages ([PageTable]).
///
/// `q`, `keys`, `values` and the probabilities enter products in the kernels' [Precision]. Tensors may
/// be strided but for the last dimension.
///
/// A query's result does not depend, bit for bit, on what else is in the batch, nor on rows beyond its
/// position, nor on how rows are cut into pages. Equals [Attention] where the cache holds the keys and
/// values of a sequence, but for rounding. Cost: `2 * heads * (qkDim + vDim)` FLOPs per pair of query and
/// key; the cache is read once for some hundred query heads.
public abstract class CachedAttention {
    protected CachedAttention() {}

    /// @param q `[tokens, heads, qkDim]`
    /// @param keys `[pages, rows, kvHeads, qkDim]`, `kvHeads` divides `heads`. BF16 where the others are
    ///     F32, if one likes, and so the values: half as much to read, and the same result in
    ///     [Precision#BF16]
    /// @param values `[pages, rows, kvHeads, vDim]`
    /// @param table which pages each query's sequence has
    /// @param positions `[tokens]`, I32: a query sees its sequence's rows up to its position, inclusive;
    ///     one at -1 sees none, its output is zero
    /// @param scale on the scores
    /// @param out `[tokens, heads, vDim]`, written
    public final void forward(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        Shape.require("CachedAttention", q, "q", -1, -1, -1);
        Shape.require("CachedAttention", keys, "keys", -1, -1, -1, q.dim(2));
        Shape.require("CachedAttention", values, "values", keys.dim(0), keys.dim(1), keys.dim(2), -1);
        table.require("CachedAttention", keys, "keys");
        Shape.require("CachedAttention", positions, "positions", q.dim(0));
        Shape.requireRows("CachedAttention", positions, "positions", DType.I32);
        Shape.require("CachedAttention", out, "out", q.dim(0), q.dim(1), values.dim(3));
        if (keys.dim(2) == 0 || q.dim(1) % keys.dim(2) != 0) {
            throw new IllegalArgumentException(
                    "CachedAttention: %d query heads cannot share %d key heads".formatted(q.dim(1), keys.dim(2)));
        }
        Shape.requireRows("CachedAttention", q, "q", out.dtype());
        Operands.requireRead("CachedAttention", keys, "keys", out.dtype());
        Operands.requireRead("CachedAttention", values, "values", out.dtype());
        Shape.requireRows("CachedAttention", out, "out");
        if (out.elements() > 0) {
            attend(q, keys, values, table, positions, scale, out);
        }
    }

    protected abstract void attend(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out);
}
