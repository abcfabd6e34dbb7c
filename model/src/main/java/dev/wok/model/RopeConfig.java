package dev.wok.model;

import org.jspecify.annotations.Nullable;

/// Rotary position embedding and its extension to longer texts (RoFormer; YaRN).
///
/// @param theta base of the frequencies
/// @param yarn how the frequencies are stretched, or null where they are not
public record RopeConfig(double theta, @Nullable Yarn yarn) {
    public RopeConfig {
        ModelConfig.require("rope_theta", theta, theta > 1, "a number above 1");
    }

    /// YaRN (B. Peng et al., 2023), with DeepSeek's factors on the softmax scale.
    ///
    /// @param factor how much longer texts may get
    /// @param originalMaxPositionEmbeddings the length that the frequencies were made for
    /// @param betaFast turns within the original length above which a frequency stays
    /// @param betaSlow turns below which it is divided by the factor
    /// @param mscale weight of the correction on cosine and sine
    /// @param mscaleAllDim weight of the correction on the softmax scale; 0 for none
    /// @param attentionFactor on cosine and sine, in place of what `mscale` and `mscaleAllDim` give; or null
    /// @param truncate whether the borders between the frequencies are rounded outwards to whole indices
    public record Yarn(
            double factor,
            int originalMaxPositionEmbeddings,
            double betaFast,
            double betaSlow,
            double mscale,
            double mscaleAllDim,
            @Nullable Double attentionFactor,
            boolean truncate) {
        private static final double LEAST = 1e-6;
        private static final double MOST = 1e6;

        public Yarn {
            ModelConfig.require(
                    "rope_scaling original_max_position_embeddings",
                    originalMaxPositionEmbeddings,
                    originalMaxPositionEmbeddings >= 1,
                    "1 or more");
            requireWithin("factor", factor, 1);
            requireWithin("beta_fast", betaFast, LEAST);
            requireWithin("beta_slow", betaSlow, LEAST);
            requireWithin("mscale", mscale, 0);
            requireWithin("mscale_all_dim", mscaleAllDim, 0);
            requireWithin("attention_factor", attentionFactor == null ? 1 : attentionFactor, LEAST);
        }

        /// Within these, no frequency or scale overflows.
        private static void requireWithin(String key, double given, double least) {
            ModelConfig.require(
                    "rope_scaling " + key,
                    given,
                    given >= least && given <= MOST,
                    "a number from %s to %s".formatted(least, MOST));
        }

        private double mscale(double weight) {
            return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
        }

        /// The index at which a frequency makes so many turns within the original length.
        private double index(double turns, int dim, double theta) {
            return dim * Math.log(originalMaxPositionEmbeddings / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
        }
    }

    /// The angle per position of each pair, in float32 as transformers computes it.
    ///
    /// @param dim elements that are rotated
    /// @return `[dim / 2]`
    float[] frequencies(int dim) {
        float[] frequencies = new float[dim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            float period = (float) Math.pow(theta, 2f * i / dim);
            frequencies[i] = 1 / period;
            if (yarn != null) {
                float stretched = 1 / ((float) yarn.factor * period);
                float kept = 1 - ramp(yarn, i, dim);
                frequencies[i] = stretched * (1 - kept) + frequencies[i] * kept;
            }
        }
        return frequencies;
    }

    private float ramp(Yarn yarn, int i, int dim) {
        double low = yarn.index(yarn.betaFast, dim, theta);
        double high = yarn.index(yarn.betaSlow, dim, theta);
        if (yarn.truncate) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, dim - 1);
        if (low == high) {
            high += 0.001;
        }
        return (float) Math.clamp((i - low) / (high - low), 0, 1);
    }

    /// @return the factor on cosine and sine; 1 for all released DeepSeek models
    double attentionScaling() {
        if (yarn == null) {
            return 1;
        }
        if (yarn.attentionFactor != null) {
            return yarn.attentionFactor;
        }
        return yarn.mscale != 0 && yarn.mscaleAllDim != 0
                ? yarn.mscale(yarn.mscale) / yarn.mscale(yarn.mscaleAllDim)
                : yarn.mscale(1);
    }

    /// @param qkHeadDim elements of a query
    /// @return the factor on the scores of queries and keys
    double softmaxScale(int qkHeadDim) {
        double scale = 1 / Math.sqrt(qkHeadDim);
        if (yarn != null && yarn.mscaleAllDim != 0) {
            double m = yarn.mscale(yarn.mscaleAllDim);
            scale *= m * m;
        }
        return scale;
    }
}
