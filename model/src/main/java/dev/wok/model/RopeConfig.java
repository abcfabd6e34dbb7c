package dev.wok.model;

import org.jspecify.annotations.Nullable;

/// Rotary position embedding and its extension to longer texts (RoFormer; YaRN; Llama 3).
///
/// @param theta base of the frequencies
/// @param scaling how the frequencies are stretched, or null where they are not
public record RopeConfig(double theta, @Nullable Scaling scaling) {
    private static final double LEAST = 1e-6;
    private static final double MOST = 1e6;

    public RopeConfig {
        ModelConfig.require("rope_theta", theta, theta > 1, "a number above 1");
    }

    /// How frequencies are stretched for texts longer than those that the model was first trained on.
    public sealed interface Scaling permits Yarn, Llama3, Linear {}

    /// Within these, no frequency or scale overflows.
    private static void requireWithin(String key, double given, double least) {
        ModelConfig.require(
                "rope_scaling " + key,
                given,
                given >= least && given <= MOST,
                "a number from %s to %s".formatted(least, MOST));
    }

    private static void requireOriginal(int originalMaxPositionEmbeddings) {
        ModelConfig.require(
                "rope_scaling original_max_position_embeddings",
                originalMaxPositionEmbeddings,
                originalMaxPositionEmbeddings >= 1,
                "1 or more");
    }

    /// All frequencies are divided by a factor (position interpolation).
    ///
    /// @param factor how much longer texts may get
    public record Linear(double factor) implements Scaling {
        public Linear {
            requireWithin("factor", factor, 1);
        }
    }

    /// Llama 3.1's way: waves that are long beside the original length are divided by a factor, short
    /// ones kept, and those between mixed.
    ///
    /// @param factor how much longer texts may get
    /// @param lowFreqFactor waves longer than the original length divided by this are stretched
    /// @param highFreqFactor waves shorter than the original length divided by this are kept
    /// @param originalMaxPositionEmbeddings the length that the frequencies were made for
    public record Llama3(double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
            implements Scaling {
        public Llama3 {
            requireOriginal(originalMaxPositionEmbeddings);
            requireWithin("factor", factor, 1);
            requireWithin("low_freq_factor", lowFreqFactor, LEAST);
            requireWithin("high_freq_factor", highFreqFactor, LEAST);
            ModelConfig.require(
                    "rope_scaling high_freq_factor",
                    highFreqFactor,
                    highFreqFactor > lowFreqFactor,
                    "more than low_freq_factor (%s)".formatted(lowFreqFactor));
        }

        /// In float32, step by step as transformers computes it.
        private float stretch(float frequency) {
            float wave = (float) (2 * Math.PI) / frequency;
            if (wave < originalMaxPositionEmbeddings / highFreqFactor) {
                return frequency;
            }
            float stretched = frequency / (float) factor;
            if (wave > originalMaxPositionEmbeddings / lowFreqFactor) {
                return stretched;
            }
            float kept = (originalMaxPositionEmbeddings / wave - (float) lowFreqFactor)
                    / (float) (highFreqFactor - lowFreqFactor);
            return (1 - kept) * stretched + kept * frequency;
        }
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
            boolean truncate)
            implements Scaling {
        public Yarn {
            requireOriginal(originalMaxPositionEmbeddings);
            requireWithin("factor", factor, 1);
            requireWithin("beta_fast", betaFast, LEAST);
            requireWithin("beta_slow", betaSlow, LEAST);
            requireWithin("mscale", mscale, 0);
            requireWithin("mscale_all_dim", mscaleAllDim, 0);
            requireWithin("attention_factor", attentionFactor == null ? 1 : attentionFactor, LEAST);
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
            float frequency = 1 / period;
            frequencies[i] = switch (scaling) {
                case null -> frequency;
                case Linear(double factor) -> frequency / (float) factor;
                case Llama3 llama -> llama.stretch(frequency);
                case Yarn yarn -> {
                    float kept = 1 - ramp(yarn, i, dim);
                    yield 1 / ((float) yarn.factor * period) * (1 - kept) + frequency * kept;
                }
            };
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
        if (!(scaling instanceof Yarn yarn)) {
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
    /// @return the factor on the scores of queries and keys in latent attention
    double softmaxScale(int qkHeadDim) {
        double scale = 1 / Math.sqrt(qkHeadDim);
        if (scaling instanceof Yarn yarn && yarn.mscaleAllDim != 0) {
            double m = yarn.mscale(yarn.mscaleAllDim);
            scale *= m * m;
        }
        return scale;
    }
}
