package dev.wok.train;

import dev.wok.model.ModelConfig;

/// The arithmetic that a model needs, whatever an implementation spends.
public final class Flops {
    private Flops() {}

    /// Floating-point operations of training per token:
    ///
    /// `3 * (2 * A + layers * 2 * heads * (qkHeadDim + vHeadDim) * (length + 1) / 2)`
    ///
    /// `A` counts the weights in matrices that a token is multiplied with: its own experts only, the head, not the
    /// embedding table. Each is a multiplication and an addition. The second term is causal attention's
    /// scores and weighted values over `(length + 1) / 2` keys on average. The backward pass costs
    /// twice the forward one. Norms, activations, multi-token prediction and recomputation are not
    /// counted.
    ///
    /// @param length tokens of a sequence
    public static double perTrainedToken(ModelConfig config, int length) {
        double perKey = 2.0
                * config.numAttentionHeads()
                * (config.attention().qkHeadDim() + config.attention().vHeadDim());
        double attention = config.numHiddenLayers() * perKey * (length + 1) / 2;
        return 3 * (2.0 * config.activeMatmulParameters() + attention);
    }
}
