package dev.wok.model;

import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Small models for tests.
final class Models {
    private Models() {}

    static MoeConfig v3Moe(int nGroup, int topkGroup, int shared) {
        return new MoeConfig(8, shared, 2, 6, nGroup, topkGroup, true, 2.5, Routing.Scoring.SIGMOID, true);
    }

    static MoeConfig v2Moe(int nGroup, int topkGroup, int shared) {
        return new MoeConfig(8, shared, 2, 6, nGroup, topkGroup, false, 1.5, Routing.Scoring.SOFTMAX, false);
    }

    static ModelConfig config(int qLoraRank, @Nullable MoeConfig moe, boolean tied, int mtp) {
        boolean v2 = moe != null && moe.scoringFunc() == Routing.Scoring.SOFTMAX;
        return new ModelConfig(
                v2 ? ModelConfig.Family.DEEPSEEK_V2 : ModelConfig.Family.DEEPSEEK_V3,
                23,
                12,
                2,
                2,
                new MlaConfig(qLoraRank, 5, 4, 4, 3),
                14,
                moe == null ? 2 : 1,
                1,
                moe,
                new RopeConfig(10000, new RopeConfig.Yarn(4, 16, 32, 1, 1, 1, null, true)),
                64,
                // Large enough to show in float32 which norms it belongs to.
                1e-3,
                0.3,
                tied,
                mtp,
                0,
                1);
    }

    /// Fresh weights, with norms that are not one and router biases that are not zero.
    static Model uneven(ModelConfig config, Kernels kernels, DType dtype, long seed) {
        Model model = Model.create(config, kernels, dtype, seed);
        model.tensors().forEach((name, tensor) -> {
            if (name.endsWith("e_score_correction_bias")) {
                IntStream.range(0, tensor.size(0)).forEach(e -> tensor.set(e, e % 3 * 0.07));
            }
            if (tensor.rank() == 1 && name.contains("norm")) {
                IntStream.range(0, tensor.size(0)).forEach(i -> tensor.set(i, 1 + i % 4 * 0.2));
            }
        });
        return model;
    }

    /// The same model with room for longer texts.
    static ModelConfig longer(ModelConfig c, int maxPositionEmbeddings) {
        return new ModelConfig(
                c.family(),
                c.vocabSize(),
                c.hiddenSize(),
                c.numHiddenLayers(),
                c.numAttentionHeads(),
                c.mla(),
                c.intermediateSize(),
                c.firstKDenseReplace(),
                c.moeLayerFreq(),
                c.moe(),
                c.rope(),
                maxPositionEmbeddings,
                c.rmsNormEps(),
                c.initializerRange(),
                c.tieWordEmbeddings(),
                c.numNextnPredictLayers(),
                c.bosTokenId(),
                c.eosTokenId());
    }

    /// Ids that look random and repeat a little.
    static int[] ids(int count, int seed) {
        return IntStream.range(0, count)
                .map(i -> (i * 7 + i * i * (seed + 1) + seed) % 23)
                .toArray();
    }

    /// Two sequences of eight tokens with documents of different lengths, some without a target at their end.
    static Batch packed(int shift) {
        int[] tokens = new int[16];
        int[] targets = new int[16];
        int[] positions = new int[16];
        int[] keyStart = {0, 0, 0, 3, 3, 3, 3, 3, 8, 9, 9, 9, 9, 13, 13, 13};
        for (int i = 0; i < 16; i++) {
            tokens[i] = (i * 7 + i * i + shift) % 23;
            positions[i] = i - keyStart[i];
        }
        for (int i = 0; i < 16; i++) {
            boolean ends = i == 15 || keyStart[i + 1] != keyStart[i] || i == 7;
            targets[i] = i == 7 ? 5 : ends ? -1 : tokens[i + 1];
        }
        return new Batch(2, 8, tokens, targets, positions, keyStart);
    }
}
