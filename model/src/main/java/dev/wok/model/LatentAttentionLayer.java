package dev.wok.model;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Rotary;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Multi-head latent attention (DeepSeek-V2 §2.1, DeepSeek-V3 §2.1.1): queries through a narrow latent or
/// directly, keys and values from a latent that is all the cache holds, plus one rotated key that the heads share.
///
/// Training expands keys and values; what reads into a cache uses the absorbed form.
final class LatentAttentionLayer implements AttentionLayer {
    /// The norms of the latents have this one whatever `rms_norm_eps` says, in the released code as in transformers.
    static final double LATENT_EPS = 1e-6;

    private final MlaConfig mla;
    private final int heads;
    private final double scale;

    LatentAttentionLayer(ModelConfig config, MlaConfig mla) {
        this.mla = mla;
        heads = config.numAttentionHeads();
        scale = config.rope().softmaxScale(mla.qkHeadDim());
    }

    private record Queries(
            @Nullable Tensor compressed, @Nullable Tensor rstd, Tensor latent, Tensor q) {}

    /// @param x the layer's input, `[tokens, hidden]`
    /// @param latentRow `[tokens, cacheDim]`, its rope part rotated
    /// @param latent `[tokens, kv_lora_rank]`, normalised
    /// @param rstd of that normalisation
    /// @param kv `[tokens, heads, nope + v]`
    /// @param k `[tokens, heads, qkHeadDim]`
    /// @param out `[tokens, heads, v]`
    record Saved(
            Tensor x,
            Queries queries,
            Tensor latentRow,
            Tensor latent,
            Tensor rstd,
            Tensor kv,
            Tensor k,
            Tensor out,
            Tensor lse)
            implements AttentionLayer.Saved {}

    @Override
    public Saved forward(Pass p, Weights.Attention weights, Tensor x, Tensor y) {
        Weights.Latent w = (Weights.Latent) weights;
        Queries queries = queries(p, w, x);
        Tensor latentRow = p.linear(x, w.kvA());
        Tensor latent = p.rows(mla.kvLoraRank());
        Tensor rstd = p.tensor(p.tokens());
        p.kernels().rmsNorm().forward(latentPart(latentRow), w.kvANorm(), LATENT_EPS, latent, rstd);
        rotate(p, ropePart(latentRow), false);
        Tensor kv = p.linear(latent, w.kvB()).reshape(p.tokens(), heads, mla.qkNopeHeadDim() + mla.vHeadDim());
        Tensor k = p.tensor(p.tokens(), heads, mla.qkHeadDim());
        p.kernels().latentKeys().forward(nopePart(kv), ropePart(latentRow), k);
        Tensor out = p.tensor(p.tokens(), heads, mla.vHeadDim());
        Tensor lse = p.attend(queries.q, k, valuePart(kv), scale, out);
        if (p.layerCache() == null) {
            p.kernels().matmul().linear(AttentionLayer.flat(p, out), w.o(), y, false);
        } else {
            Tensor places = p.layerCache().split(2, mla.cacheDim());
            keep(p, latent, places.slice(3, 0, mla.kvLoraRank()));
            keep(p, ropePart(latentRow), places.slice(3, mla.kvLoraRank(), mla.cacheDim()));
            attend(p, w, queries.q, p.layerCache(), y);
        }
        return new Saved(x, queries, latentRow, latent, rstd, kv, k, out, lse);
    }

    private Queries queries(Pass p, Weights.Latent w, Tensor x) {
        Tensor compressed = null;
        Tensor rstd = null;
        Tensor latent = x;
        if (w.qA() != null && w.qANorm() != null) {
            compressed = p.linear(x, w.qA());
            rstd = p.tensor(p.tokens());
            latent = p.rows(mla.qLoraRank());
            p.kernels().rmsNorm().forward(compressed, w.qANorm(), LATENT_EPS, latent, rstd);
        }
        Tensor q = p.linear(latent, w.q()).reshape(p.tokens(), heads, mla.qkHeadDim());
        rotate(p, q.slice(2, mla.qkNopeHeadDim(), mla.qkHeadDim()), false);
        return new Queries(compressed, rstd, latent, q);
    }

    @Override
    public void extend(Pass p, Weights.Attention weights, Tensor x, Tensor cache, Tensor y) {
        Weights.Latent w = (Weights.Latent) weights;
        Queries queries = queries(p, w, x);
        Tensor rows = p.linear(x, w.kvA());
        Tensor latent = latentPart(rows);
        Tensor rstd = p.tensor(p.tokens());
        p.kernels().rmsNorm().forward(latent, w.kvANorm(), LATENT_EPS, latent, rstd);
        rotate(p, ropePart(rows), false);
        keep(p, rows, cache.split(2, mla.cacheDim()));
        attend(p, w, queries.q, cache, y);
    }

    /// @param row `[tokens, n]`
    /// @param places `[pages, TOKENS, 1, n]`
    private static void keep(Pass p, Tensor row, Tensor places) {
        p.keep(row.split(1, row.dim(1)), places);
    }

    private void attend(Pass p, Weights.Latent w, Tensor q, Tensor cache, Tensor y) {
        Tensor out = p.tensor(p.tokens(), heads, mla.vHeadDim());
        LatentAttention attention = p.kernels().latentAttention();
        switch (w.up()) {
            case Weights.Up.Whole(Dense kvB) -> attention.forward(q, kvB, cache, p.pages(), p.positions(), scale, out);
            case Weights.Up.Apart(Packed keys, Packed values) ->
                attention.forward(q, keys, values, cache, p.pages(), p.positions(), scale, out);
        }
        p.kernels().matmul().linear(AttentionLayer.flat(p, out), w.o(), y, false);
    }

    @Override
    public void backward(
            Pass p,
            Weights.Attention weights,
            Weights.Attention gradients,
            AttentionLayer.Saved saved,
            Tensor dy,
            Tensor dx) {
        Weights.Latent w = (Weights.Latent) weights;
        Weights.Latent g = (Weights.Latent) gradients;
        Saved s = (Saved) saved;
        Kernels kernels = p.kernels();
        try (var _ = p.workspace().scope()) {
            Tensor dOut = p.tensor(p.tokens(), heads, mla.vHeadDim());
            p.linearBackward(AttentionLayer.flat(p, s.out), w.o(), dy, AttentionLayer.flat(p, dOut), false, g.o());
            Tensor dq = p.tensor(p.tokens(), heads, mla.qkHeadDim());
            Tensor dk = p.tensor(p.tokens(), heads, mla.qkHeadDim());
            Tensor dkv = p.tensor(p.tokens(), heads, mla.qkNopeHeadDim() + mla.vHeadDim());
            p.attendBackward(s.queries.q, s.k, valuePart(s.kv), scale, s.out, s.lse, dOut, dq, dk, valuePart(dkv));
            Tensor dLatentRow = p.rows(mla.cacheDim());
            kernels.latentKeys().backward(dk, nopePart(dkv), ropePart(dLatentRow));
            rotate(p, ropePart(dLatentRow), true);
            Tensor dLatent = p.rows(mla.kvLoraRank());
            p.linearBackward(s.latent, w.kvB(), AttentionLayer.flat(p, dkv), dLatent, false, g.kvB());
            p.normBackward(
                    latentPart(s.latentRow), w.kvANorm(), s.rstd, dLatent, latentPart(dLatentRow), false, g.kvANorm());
            p.linearBackward(s.x, w.kvA(), dLatentRow, dx, false, g.kvA());
            queriesBackward(p, w, g, s, dq, dx);
        }
    }

    private void queriesBackward(Pass p, Weights.Latent w, Weights.Latent g, Saved s, Tensor dq, Tensor dx) {
        rotate(p, dq.slice(2, mla.qkNopeHeadDim(), mla.qkHeadDim()), true);
        Queries queries = s.queries;
        if (queries.compressed == null || queries.rstd == null || w.qA() == null || w.qANorm() == null) {
            p.linearBackward(s.x, w.q(), AttentionLayer.flat(p, dq), dx, true, g.q());
            return;
        }
        Tensor dLatent = p.rows(mla.qLoraRank());
        p.linearBackward(queries.latent, w.q(), AttentionLayer.flat(p, dq), dLatent, false, g.q());
        Tensor dCompressed = p.rows(mla.qLoraRank());
        p.normBackward(
                queries.compressed,
                w.qANorm(),
                queries.rstd,
                dLatent,
                dCompressed,
                false,
                Objects.requireNonNull(g.qANorm()));
        p.linearBackward(s.x, w.qA(), dCompressed, dx, true, Objects.requireNonNull(g.qA()));
    }

    private static void rotate(Pass p, Tensor x, boolean backward) {
        AttentionLayer.rotate(p, x, Rotary.Pairing.INTERLEAVED, backward);
    }

    private Tensor latentPart(Tensor row) {
        return row.slice(1, 0, mla.kvLoraRank());
    }

    private Tensor ropePart(Tensor row) {
        return row.slice(1, mla.kvLoraRank(), mla.cacheDim());
    }

    private Tensor nopePart(Tensor kv) {
        return kv.slice(2, 0, mla.qkNopeHeadDim());
    }

    private Tensor valuePart(Tensor kv) {
        return kv.slice(2, mla.qkNopeHeadDim(), mla.qkNopeHeadDim() + mla.vHeadDim());
    }
}
