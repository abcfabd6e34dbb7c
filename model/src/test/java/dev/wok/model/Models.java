package dev.wok.model;

import dev.wok.kernel.Routing;
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
                1,
                1,
                moe,
                new RopeConfig(10000, new RopeConfig.Yarn(4, 16, 32, 1, 1, 1, null, true)),
                64,
                1e-6,
                0.3,
                tied,
                mtp,
                0,
                1);
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
