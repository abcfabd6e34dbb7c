package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Multi-head latent attention in its absorbed form, for generation: queries against a cache that holds one latent
/// row per token instead of keys and values (DeepSeek-V2 §2.1.2).
///
/// With `[W_UK,h ; W_UV,h]` the rows of `kvB` that belong to head `h`, and a cache row `[c_j, r_j]`:
/// `q'_h = W_UK,h^T q_nope,h`; `s_j = scale * (q'_h . c_j + q_rope,h . r_j)`; `out_h = W_UV,h sum_j softmax_j(s) c_j`.
/// The rows lie in pages ([PageTable]).
///
/// `q`, `kvB`, `cache`, `q'_h`, the probabilities and the weighted sum of the `c_j` enter products in the kernels'
/// [Precision].
///
/// Equals [Attention] on the expanded keys and values but for rounding. Cost: `2 * heads * (2 * rank + ropeDim)` FLOPs
/// per pair of query and key.
public abstract class LatentAttention {
    protected LatentAttention() {}

    /// @param q `[tokens, heads, nopeDim + ropeDim]`, its rope part rotated
    /// @param kvB `[heads * (nopeDim + vDim), rank]`
    /// @param cache `[pages, rows, rank + ropeDim]`: normalised latents and rotated shared keys. BF16 where
    ///     the others are F32, if one likes: half as much to read, and the same result in [Precision#BF16]
    /// @param table which pages each query's sequence has
    /// @param positions `[tokens]`, I32: a query sees its sequence's rows up to its position, inclusive; one at
    ///     -1 sees none, its output is zero
    /// @param scale on the scores
    /// @param out `[tokens, heads, vDim]`, written
    public final void forward(
            Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        Shape.require("LatentAttention", kvB.value(), "kvB", -1, -1);
        long nopeDim = check(q, kvB.value().dim(1), cache, table, positions, out);
        long rows = out.dim(1) * (nopeDim + out.dim(2));
        Shape.require("LatentAttention", kvB.value(), "kvB", rows, kvB.value().dim(1));
        Operands.requireRead("LatentAttention", kvB.value(), "kvB", out.dtype());
        if (out.elements() > 0) {
            attend(q, kvB, cache, table, positions, scale, out);
        }
    }

    /// As [#forward(Tensor, Dense, Tensor, PageTable, Tensor, double, Tensor)], with `kvB` taken apart and
    /// packed; with these weights products are those of [Matmul#linear].
    ///
    /// @param keys `[heads, rank, nopeDim]`, `W_UK,h^T`
    /// @param values `[heads, vDim, rank]`, `W_UV,h`
    public final void forward(
            Tensor q,
            Packed keys,
            Packed values,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out) {
        long nopeDim = check(q, keys.n(), cache, table, positions, out);
        Operands.requireShape("LatentAttention", keys, "keys", out.dim(1), keys.n(), nopeDim);
        Operands.requireShape("LatentAttention", values, "values", out.dim(1), out.dim(2), keys.n());
        if (keys.element().isScaled() || values.element().isScaled()) {
            throw new IllegalArgumentException(
                    "LatentAttention: keys are %s, values %s, expected floats".formatted(keys, values));
        }
        if (out.elements() > 0) {
            attend(q, keys, values, cache, table, positions, scale, out);
        }
    }

    /// @return `nopeDim`
    private static long check(Tensor q, long rank, Tensor cache, PageTable table, Tensor positions, Tensor out) {
        Shape.require("LatentAttention", out, "out", -1, -1, -1);
        Shape.require("LatentAttention", q, "q", out.dim(0), out.dim(1), -1);
        Shape.require("LatentAttention", cache, "cache", -1, -1, -1);
        table.require("LatentAttention", cache, "cache");
        long ropeDim = cache.dim(2) - rank;
        long nopeDim = q.dim(2) - ropeDim;
        if (ropeDim < 0 || nopeDim < 0) {
            throw new IllegalArgumentException(
                    "LatentAttention: cache is %s, expected %d (rank) to %d (rank and a query's dimensions) columns"
                            .formatted(cache, rank, rank + q.dim(2)));
        }
        Shape.require("LatentAttention", positions, "positions", out.dim(0));
        Shape.requireRows("LatentAttention", positions, "positions", DType.I32);
        Shape.requireRows("LatentAttention", q, "q", out.dtype());
        Operands.requireRead("LatentAttention", cache, "cache", out.dtype());
        Shape.requireRows("LatentAttention", out, "out");
        return nopeDim;
    }

    protected abstract void attend(
            Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out);

    protected abstract void attend(
            Tensor q,
            Packed keys,
            Packed values,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out);
}
