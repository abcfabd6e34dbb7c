package dev.wok.model;

import dev.wok.kernel.PartSums;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// Multi-token prediction (DeepSeek-V3 §2.2): one more layer, fed with the hidden state of a token and the
/// embedding of the one that follows, predicts the token after that through the main model's head.
///
/// The first depth takes the main model's hidden state after its final norm, as the engines that draft with it do; a
/// further depth takes the previous one's before its norm.
final class MtpLayer {
    /// @param joined `[tokens, 2 * hidden]`: normalised embedding, then normalised hidden state
    /// @param h `[tokens, hidden]`: the layer's output
    /// @param normed `[tokens, hidden]`: after the module's own norm
    record Saved(
            Tensor hidden,
            Tensor ids,
            Tensor embedded,
            Tensor embeddedRstd,
            Tensor hiddenRstd,
            Tensor joined,
            DecoderLayer.Saved layer,
            Tensor h,
            Tensor rstd,
            Tensor normed) {}

    private final double eps;
    private final DecoderLayer layer;

    /// @param spread the experts of all ranks, or null where there is one
    /// @param sums see [MoeLayer]
    MtpLayer(ModelConfig config, int index, @Nullable SpreadExperts spread, @Nullable PartSums sums) {
        eps = config.rmsNormEps();
        layer = new DecoderLayer(config, index, spread, sums);
    }

    /// @param hidden `[tokens, hidden]`
    /// @param ids `[tokens]`, I32: the tokens that follow, -1 for none
    Saved forward(Pass p, Weights.Mtp w, Tensor embedding, Tensor hidden, Tensor ids, RouterLayer.Balance balance) {
        long width = hidden.dim(1);
        Tensor embedded = p.rows(width);
        Tensor embeddedRstd = p.tensor(p.tokens());
        Tensor hiddenRstd = p.tensor(p.tokens());
        Tensor joined = joined(p, w, embedding, hidden, ids, embedded, embeddedRstd, hiddenRstd);
        Tensor x = p.linear(joined, w.projection());
        Tensor h = p.rows(width);
        DecoderLayer.Saved saved = layer.forward(p, w.layer(), x, balance, h);
        Tensor rstd = p.tensor(p.tokens());
        Tensor normed = p.rows(width);
        p.kernels().rmsNorm().forward(h, w.norm(), eps, normed, rstd);
        return new Saved(hidden, ids, embedded, embeddedRstd, hiddenRstd, joined, saved, h, rstd, normed);
    }

    /// Writes this pass's tokens to their places in a cache.
    ///
    /// @param hidden `[tokens, hidden]`, the main model's after its final norm
    /// @param ids `[tokens]`, I32: the tokens that follow
    /// @param cache of this layer
    /// @return `[tokens, hidden]`, after the module's own norm
    Tensor extend(
            Pass p,
            Weights.Mtp w,
            Tensor embedding,
            Tensor hidden,
            Tensor ids,
            RouterLayer.Balance balance,
            Tensor cache) {
        long width = hidden.dim(1);
        Tensor joined = joined(p, w, embedding, hidden, ids, p.rows(width), p.tensor(p.tokens()), p.tensor(p.tokens()));
        Tensor x = p.linear(joined, w.projection());
        Tensor h = p.rows(width);
        layer.extend(p, w.layer(), x, balance, cache, h);
        Tensor normed = p.rows(width);
        p.kernels().rmsNorm().forward(h, w.norm(), eps, normed, p.tensor(p.tokens()));
        return normed;
    }

    /// @param embedded `[tokens, hidden]`, written
    private Tensor joined(
            Pass p,
            Weights.Mtp w,
            Tensor embedding,
            Tensor hidden,
            Tensor ids,
            Tensor embedded,
            Tensor embeddedRstd,
            Tensor hiddenRstd) {
        long width = hidden.dim(1);
        p.kernels().embedding().forward(ids, embedding, embedded);
        Tensor joined = p.rows(2 * width);
        p.kernels().rmsNorm().forward(embedded, w.embeddingNorm(), eps, joined.slice(1, 0, width), embeddedRstd);
        p.kernels().rmsNorm().forward(hidden, w.hiddenNorm(), eps, joined.slice(1, width, 2 * width), hiddenRstd);
        return joined;
    }

    /// Takes part in [#extend], which another rank does with tokens of its own.
    ///
    /// @param p without tokens
    void serve(Pass p, Weights.Mtp w) {
        layer.serve(p, w.layer());
    }

    /// @param dNormed `[tokens, hidden]`: the gradient of the normalised output
    /// @param dh `[tokens, hidden]`: the gradient that a further depth gave the layer's output; overwritten
    /// @param dHidden `[tokens, hidden]`, added to
    /// @param dEmbedded `[tokens, hidden]`, written: the gradient of the embeddings of the saved ids
    void backward(
            Pass p,
            Weights.Mtp w,
            Weights.Mtp g,
            Saved s,
            RouterLayer.Balance balance,
            Tensor dNormed,
            Tensor dh,
            Tensor dHidden,
            Tensor dEmbedded) {
        long width = dh.dim(1);
        p.normBackward(s.h, w.norm(), s.rstd, dNormed, dh, true, g.norm());
        layer.backward(p, w.layer(), g.layer(), s.layer, balance, dh);
        try (var _ = p.workspace().scope()) {
            Tensor dJoined = p.rows(2 * width);
            p.linearBackward(s.joined, w.projection(), dh, dJoined, false, g.projection());
            Tensor first = dJoined.slice(1, 0, width);
            p.normBackward(s.embedded, w.embeddingNorm(), s.embeddedRstd, first, dEmbedded, false, g.embeddingNorm());
            Tensor second = dJoined.slice(1, width, 2 * width);
            p.normBackward(s.hidden, w.hiddenNorm(), s.hiddenRstd, second, dHidden, true, g.hiddenNorm());
        }
    }
}
