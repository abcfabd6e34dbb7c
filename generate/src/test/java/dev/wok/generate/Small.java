package dev.wok.generate;

import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.model.GqaConfig;
import dev.wok.model.MlaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.model.RopeConfig;
import dev.wok.model.Storage;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Small models with random weights.
final class Small {
    static final int VOCABULARY = 61;

    private Small() {}

    static Model latent(Kernels kernels, int context) {
        return latent(kernels, context, 0);
    }

    /// With multi-token prediction.
    static Model drafting(Kernels kernels, int context) {
        return latent(kernels, context, 1);
    }

    /// To infer, with weights of 8 bits.
    ///
    /// @param folder that does not exist yet
    static Model opened(Kernels kernels, int context, Path folder) {
        try (Model model = drafting(kernels, context)) {
            model.save(folder);
        }
        return Model.open(folder, kernels, Storage.int8(), Progress.silent());
    }

    private static Model latent(Kernels kernels, int context, int depth) {
        ModelConfig config = new ModelConfig(
                ModelConfig.Family.DEEPSEEK_V3,
                VOCABULARY,
                32,
                2,
                2,
                new MlaConfig(0, 8, 8, 4, 8),
                48,
                1,
                1,
                List.of(),
                new MoeConfig(4, 1, 2, 16, 1, 1, true, 1, Routing.Scoring.SIGMOID, true),
                new RopeConfig(10000, null),
                context,
                1e-6,
                0.3,
                false,
                depth,
                0,
                List.of(1));
        return Model.create(config, kernels, DType.F32, 11);
    }

    static Model grouped(Kernels kernels, int context) {
        ModelConfig config = new ModelConfig(
                ModelConfig.Family.QWEN2,
                VOCABULARY,
                32,
                2,
                4,
                new GqaConfig(2, 8, true, false, false),
                48,
                2,
                1,
                List.of(),
                null,
                new RopeConfig(10000, null),
                context,
                1e-6,
                0.3,
                false,
                0,
                0,
                List.of(1));
        return Model.create(config, kernels, DType.F32, 12);
    }

    /// @return what each id stands for, the first two for nothing, so that texts can be JSON
    static List<byte[]> jsonTokens() {
        List<byte[]> tokens = new ArrayList<>();
        for (int id = 0; id < Small.VOCABULARY; id++) {
            String text = id < 2
                    ? ""
                    : id < 40 ? Character.toString(" 0123456789-+.eE[]{}\":,abcdefghtrulns\n_".charAt(id - 2)) : "[1";
            tokens.add(text.getBytes(StandardCharsets.US_ASCII));
        }
        return tokens;
    }
}
