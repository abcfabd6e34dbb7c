package dev.wok.model;

import dev.wok.kernel.PartSums;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// One layer: attention and a feed-forward part, each on the normalised stream and joined back to it.
final class DecoderLayer {
    sealed interface FeedForwardSaved {
        record Mlp(MlpLayer.Saved saved) implements FeedForwardSaved {}

        record Moe(MoeLayer.Saved saved) implements FeedForwardSaved {}
    }

    /// @param x the layer's input, `[tokens, hidden]`
    /// @param middle the stream between the two parts, `[tokens, hidden]`
    record Saved(
            Tensor x,
            Tensor inputRstd,
            AttentionLayer.Saved attention,
            Tensor middle,
            Tensor postRstd,
            FeedForwardSaved feedForward) {}

    private final int index;
    private final double eps;
    private final AttentionLayer attention;
    private final @Nullable MoeLayer experts;

    /// @param spread the experts of all ranks, or null where there is one
    /// @param sums see [MoeLayer]
    DecoderLayer(ModelConfig config, int index, @Nullable SpreadExperts spread, @Nullable PartSums sums) {
        this.index = index;
        eps = config.rmsNormEps();
        attention = AttentionLayer.of(config);
        MoeConfig moe = config.moe();
        experts = moe != null && config.isMoe(index) ? new MoeLayer(moe, spread, sums) : null;
    }

    /// @param balance how routing is counted; ignored by a dense layer
    /// @param y `[tokens, hidden]`, written
    Saved forward(Pass p, Weights.Layer w, Tensor x, RouterLayer.Balance balance, Tensor y) {
        try (var _ = p.span("layer", index)) {
            Tensor inputRstd = p.tensor(p.tokens());
            Tensor normed = norm(p, x, w.inputNorm(), inputRstd);
            Tensor middle = p.rows(x.dim(1));
            AttentionLayer.Saved attended = attend(p, w, normed, middle);
            Residual.join(p, x, middle);
            Tensor postRstd = p.tensor(p.tokens());
            FeedForwardSaved fed = feed(p, w, middle, postRstd, balance, y);
            return new Saved(x, inputRstd, attended, middle, postRstd, fed);
        }
    }

    private AttentionLayer.Saved attend(Pass p, Weights.Layer w, Tensor normed, Tensor middle) {
        try (var _ = p.span("attention")) {
            return attention.forward(p, w.attention(), normed, middle);
        }
    }

    private FeedForwardSaved feed(
            Pass p, Weights.Layer w, Tensor middle, Tensor rstd, RouterLayer.Balance balance, Tensor y) {
        Tensor normed = norm(p, middle, w.postNorm(), rstd);
        FeedForwardSaved saved = switch (w.feedForward()) {
            case Weights.Mlp mlp -> new FeedForwardSaved.Mlp(MlpLayer.forward(p, mlp, normed, y));
            case Weights.Moe moe -> new FeedForwardSaved.Moe(moeLayer().forward(p, moe, normed, balance, y));
        };
        Residual.join(p, middle, y);
        return saved;
    }

    /// Asks for the experts that this layer would choose for what the layer before it gets.
    ///
    /// @param x that layer's input: layers change little of it
    void guess(Pass p, ExpertReads reads, Weights.Layer w, Tensor x) {
        if (w.feedForward() instanceof Weights.Moe moe && p.tokens() == 1 && reads.guesses()) {
            try (var _ = p.workspace().scope()) {
                Tensor normed = norm(p, x, w.postNorm(), p.tensor(p.tokens()));
                reads.guess(moe, moeLayer().choose(p, moe, normed));
            }
        }
    }

    /// Writes this pass's tokens to their places in a cache.
    void extend(Pass p, Weights.Layer w, Tensor x, RouterLayer.Balance balance, Tensor cache, Tensor y) {
        Tensor rstd = p.tensor(p.tokens());
        Tensor middle = p.rows(x.dim(1));
        attention.extend(p, w.attention(), norm(p, x, w.inputNorm(), rstd), cache, middle);
        Residual.join(p, x, middle);
        feed(p, w, middle, rstd, balance, y);
    }

    /// @param d `[tokens, hidden]`: the gradient of the output, becomes that of the input
    void backward(Pass p, Weights.Layer w, Weights.Layer g, Saved s, RouterLayer.Balance balance, Tensor d) {
        try (var _ = p.scope();
                var _ = p.span("layer", index)) {
            Tensor dNormed = p.rows(d.dim(1));
            switch (s.feedForward) {
                case FeedForwardSaved.Mlp(var saved) ->
                    MlpLayer.backward(
                            p, (Weights.Mlp) w.feedForward(), (Weights.Mlp) g.feedForward(), saved, d, dNormed);
                case FeedForwardSaved.Moe(var saved) ->
                    moeLayer()
                            .backward(
                                    p,
                                    (Weights.Moe) w.feedForward(),
                                    (Weights.Moe) g.feedForward(),
                                    saved,
                                    balance,
                                    d,
                                    dNormed);
            }
            p.normBackward(s.middle, w.postNorm(), s.postRstd, dNormed, d, true, g.postNorm());
            try (var _ = p.span("attention")) {
                attention.backward(p, w.attention(), g.attention(), s.attention, d, dNormed);
            }
            p.normBackward(s.x, w.inputNorm(), s.inputRstd, dNormed, d, true, g.inputNorm());
        }
    }

    /// Takes part in a pass that another rank makes.
    ///
    /// @param p without tokens
    void serve(Pass p, Weights.Layer w) {
        if (w.feedForward() instanceof Weights.Moe moe) {
            moeLayer().serve(p, moe);
        }
    }

    private MoeLayer moeLayer() {
        if (experts == null) {
            throw new IllegalStateException("a dense layer has no experts");
        }
        return experts;
    }

    private Tensor norm(Pass p, Tensor x, Tensor weight, Tensor rstd) {
        Tensor normed = p.rows(x.dim(1));
        p.kernels().rmsNorm().forward(x, weight, eps, normed, rstd);
        return normed;
    }
}
