package dev.wok.model;

import dev.wok.device.Workspace;
import dev.wok.fabric.Timeline;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What all layers of one forward and backward pass share.
///
/// @param kernels the operations
/// @param workspace where values of this pass lie
/// @param dtype of values
/// @param tokens how many rows there are
/// @param positions `[tokens]`, I32, counted in each document
/// @param table which pages of a cache each token's sequence has, or null for a pass without one
/// @param whole the documents as attention sees them, where some begin alike; else null
/// @param keyStart `[tokens]`, I32, the first row that a row looks at, where there is no `whole`
/// @param cos `[tokens, qk_rope_head_dim / 2]`
/// @param sin `[tokens, qk_rope_head_dim / 2]`
/// @param layerCache one layer's pages, which all layers use in turn, where a pass without a cache
///     that lasts is to compute as one with; null elsewhere
/// @param reads of experts from disk, or null where memory holds them
/// @param parts of the rows, for gradients
/// @param visitors where rows of other ranks lie, or null where there is one rank
/// @param turn where passes take turns
/// @param timeline of this rank
record Pass(
        Kernels kernels,
        Workspace workspace,
        DType dtype,
        int tokens,
        Tensor positions,
        @Nullable PageTable table,
        @Nullable WholeTexts whole,
        Tensor keyStart,
        Tensor cos,
        Tensor sin,
        @Nullable Tensor layerCache,
        @Nullable ExpertReads reads,
        Parts parts,
        @Nullable Guests visitors,
        Turn turn,
        Timeline timeline) {

    /// @return the same with other parts, and room for what comes from other ranks
    Pass with(Parts parts, @Nullable Guests visitors) {
        return with(parts, visitors, turn);
    }

    /// @return the same in another pair of passes
    Pass with(Turn other) {
        return with(parts, visitors, other);
    }

    /// @return the same with other parts, and room for what comes from other ranks while another
    ///     pass computes
    Pass with(Parts parts, @Nullable Guests visitors, Turn turn) {
        return of(workspace, parts, visitors, turn);
    }

    /// @return the same whose values lie elsewhere from now on
    Pass in(Workspace elsewhere) {
        return of(elsewhere, parts, visitors, turn);
    }

    private Pass of(Workspace place, Parts some, @Nullable Guests guests, Turn pair) {
        return new Pass(
                kernels,
                place,
                dtype,
                tokens,
                positions,
                table,
                whole,
                keyStart,
                cos,
                sin,
                layerCache,
                reads,
                some,
                guests,
                pair,
                timeline);
    }

    /// Begins a span of computing, in the layer that is computed.
    Timeline.Span span(String name) {
        return span(name, -1);
    }

    /// Begins a span of computing.
    Timeline.Span span(String name, int layer) {
        return timeline.span(Timeline.Kind.COMPUTE, name, layer);
    }

    Guests guests() {
        return Objects.requireNonNull(visitors, "this pass meets no other ranks");
    }

    /// Begins a scope of all memory for values of this pass.
    Workspace.Scope scope() {
        return Guests.scope(workspace, visitors);
    }

    PageTable pages() {
        return Objects.requireNonNull(table, "this pass has no cache");
    }

    /// @return `[tokens, width]` with undefined contents
    Tensor rows(long width) {
        return workspace.tensor(dtype, tokens, width);
    }

    Tensor tensor(long... shape) {
        return workspace.tensor(dtype, shape);
    }

    /// Attends in the form that has a gradient.
    ///
    /// @param q `[tokens, heads, qkDim]`
    /// @param k `[tokens, kvHeads, qkDim]`
    /// @param v `[tokens, kvHeads, vDim]`
    /// @param out `[tokens, heads, vDim]`, written
    /// @return what [#attendBackward] needs beside these
    Tensor attend(Tensor q, Tensor k, Tensor v, double scale, Tensor out) {
        Tensor lse = tensor(whole == null ? tokens : whole.count(), q.dim(1));
        if (whole == null) {
            kernels.attention().forward(q, k, v, keyStart, scale, out, lse);
        } else {
            whole.attend(this, q, k, v, scale, out, lse);
        }
        return lse;
    }

    /// @param lse what [#attend] gave
    /// @param dq shaped as `q`, written; so are `dk` and `dv`
    void attendBackward(
            Tensor q,
            Tensor k,
            Tensor v,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        if (whole == null) {
            kernels.attention().backward(q, k, v, keyStart, scale, out, lse, dOut, dq, dk, dv);
        } else {
            whole.attendBackward(this, q, k, v, scale, out, lse, dOut, dq, dk, dv);
        }
    }

    /// Writes to a layer's cache what tokens leave there.
    ///
    /// @param row `[tokens, heads, n]`
    /// @param places `[pages, TOKENS, heads, n]`
    void keep(Tensor row, Tensor places) {
        if (whole == null) {
            kernels.elementwise().castToPages(row, places, pages(), positions);
        } else {
            whole.keep(this, row, places);
        }
    }

    /// `y = x w^T`, `[tokens, out]`.
    Tensor linear(Tensor x, Weight weight) {
        Tensor y = rows(weight.dim(0));
        kernels.matmul().linear(x, weight, y, false);
        return y;
    }

    /// Through [#linear]: `dx (+)= dy w` and `dw += dy^T x`.
    void linearBackward(Tensor x, Weight weight, Tensor dy, Tensor dx, boolean accumulate, Weight dWeight) {
        Dense dense = Weights.dense(weight);
        kernels.matmul().linearInput(dy, dense, dx, accumulate);
        Tensor sum = Weights.dense(dWeight).value();
        parts.each((part, from, to) ->
                kernels.matmul().linearWeight(dy.slice(0, from, to), x.slice(0, from, to), dense, parts.of(part, sum)));
    }

    /// [dev.wok.kernel.RmsNorm#backward] over rows of the pass.
    void normBackward(Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        parts.each((part, from, to) -> kernels.rmsNorm()
                .backward(
                        x.slice(0, from, to),
                        weight,
                        rstd.slice(0, from, to),
                        dy.slice(0, from, to),
                        dx.slice(0, from, to),
                        accumulate,
                        parts.of(part, dWeight)));
    }

    /// [dev.wok.kernel.Elementwise#biasGradient] over rows of the pass.
    void biasGradient(Tensor dy, Tensor dBias) {
        parts.each(
                (part, from, to) -> kernels.elementwise().biasGradient(dy.slice(0, from, to), parts.of(part, dBias)));
    }

    /// [dev.wok.kernel.Embedding#backward] over rows of the pass.
    void embeddingBackward(Tensor ids, Tensor dOut, Tensor dTable) {
        parts.each((part, from, to) ->
                kernels.embedding().backward(ids.slice(0, from, to), dOut.slice(0, from, to), parts.of(part, dTable)));
    }
}
