package dev.wok.model;

import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import java.util.List;
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
                List.of(),
                moe,
                new RopeConfig(10000, new RopeConfig.Yarn(4, 16, 32, 1, 1, 1, null, true)),
                64,
                // Large enough to show in float32 which norms it belongs to.
                1e-3,
                0.3,
                tied,
                mtp,
                0,
                List.of(1));
    }

    static ModelConfig qwen2(boolean tied) {
        return grouped(ModelConfig.Family.QWEN2, new GqaConfig(1, 4, true, false, false), null, tied);
    }

    static ModelConfig llama(int heads, boolean bias) {
        return grouped(ModelConfig.Family.LLAMA, new GqaConfig(heads, 6, bias, bias, false), null, false);
    }

    static ModelConfig qwen3Moe(boolean normTopkProb) {
        return grouped(
                ModelConfig.Family.QWEN3_MOE,
                new GqaConfig(2, 4, false, false, true),
                new MoeConfig(8, 0, 2, 6, 1, 1, normTopkProb, 1, Routing.Scoring.SOFTMAX, false),
                false);
    }

    private static ModelConfig grouped(
            ModelConfig.Family family, GqaConfig attention, @Nullable MoeConfig moe, boolean tied) {
        return new ModelConfig(
                family,
                23,
                12,
                2,
                4,
                attention,
                14,
                moe == null ? 2 : 0,
                1,
                moe == null ? List.of() : List.of(1),
                moe,
                new RopeConfig(10000, new RopeConfig.Llama3(4, 1, 4, 16)),
                64,
                1e-3,
                0.3,
                tied,
                0,
                0,
                List.of(1, 2));
    }

    /// Fresh weights, with norms that are not one and biases that are not zero.
    static Model uneven(ModelConfig config, Kernels kernels, DType dtype, long seed) {
        Model model = Model.create(config, kernels, dtype, seed);
        model.tensors().forEach((name, tensor) -> {
            if (name.endsWith("e_score_correction_bias")) {
                IntStream.range(0, tensor.size(0)).forEach(e -> tensor.set(e, e % 3 * 0.07));
            }
            if (name.endsWith("_proj.bias")) {
                IntStream.range(0, tensor.size(0)).forEach(i -> tensor.set(i, i % 5 * 0.1 - 0.2));
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
                c.attention(),
                c.intermediateSize(),
                c.firstKDenseReplace(),
                c.moeLayerFreq(),
                c.mlpOnlyLayers(),
                c.moe(),
                c.rope(),
                maxPositionEmbeddings,
                c.rmsNormEps(),
                c.initializerRange(),
                c.tieWordEmbeddings(),
                c.numNextnPredictLayers(),
                c.bosTokenId(),
                c.eosTokenIds());
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
