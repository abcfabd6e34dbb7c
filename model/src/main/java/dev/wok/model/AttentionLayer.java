package dev.wok.model;

import dev.wok.kernel.Rotary;
import dev.wok.tensor.Tensor;

/// How a layer's tokens look at those before them.
sealed interface AttentionLayer permits LatentAttentionLayer, GroupedAttentionLayer {
    /// What the backward pass needs.
    sealed interface Saved permits LatentAttentionLayer.Saved, GroupedAttentionLayer.Saved {}

    static AttentionLayer of(ModelConfig config) {
        return switch (config.attention()) {
            case MlaConfig mla -> new LatentAttentionLayer(config, mla);
            case GqaConfig gqa -> new GroupedAttentionLayer(config, gqa);
        };
    }

    /// @param x `[tokens, hidden]`
    /// @param y `[tokens, hidden]`, written
    Saved forward(Pass p, Weights.Attention w, Tensor x, Tensor y);

    /// Writes this pass's tokens to their places in a cache, and attends over what is there for each of
    /// them.
    ///
    /// @param cache of the layer: see [CachePages]
    /// @param y `[tokens, hidden]`, written
    void extend(Pass p, Weights.Attention w, Tensor x, Tensor cache, Tensor y);

    /// @param dy `[tokens, hidden]`
    /// @param dx `[tokens, hidden]`, written
    void backward(Pass p, Weights.Attention w, Weights.Attention g, Saved s, Tensor dy, Tensor dx);

    /// @param x `[tokens, ropeDim]` or `[tokens, heads, ropeDim]`, rotated in place
    static void rotate(Pass p, Tensor x, Rotary.Pairing pairing, boolean backward) {
        Tensor rows = x.rank() == 2 ? x.split(1, x.dim(1)) : x;
        p.kernels().rotary().rotate(rows, p.cos(), p.sin(), pairing, backward);
    }

    /// @param x `[tokens, heads, dim]` without gaps
    /// @return `[tokens, heads * dim]`
    static Tensor flat(Pass p, Tensor x) {
        return x.reshape(p.tokens(), x.dim(1) * x.dim(2));
    }
}
