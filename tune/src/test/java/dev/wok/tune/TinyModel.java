package dev.wok.tune;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.model.MlaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.model.RopeConfig;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.text.BpeTrainer;
import dev.wok.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// A mixture of experts of some thousand weights with random values, and a tokenizer of bytes.
final class TinyModel {
    private static final Tokenizer TOKENIZER =
            BpeTrainer.train(() -> Stream.of("abcabc 12 + 12 = 24"), 262, 1, Progress.silent());

    private TinyModel() {}

    static Tokenizer tokenizer() {
        return TOKENIZER;
    }

    static ModelConfig config() {
        return new ModelConfig(
                ModelConfig.Family.DEEPSEEK_V3,
                262,
                32,
                2,
                2,
                new MlaConfig(0, 16, 8, 8, 8),
                48,
                1,
                1,
                List.of(),
                new MoeConfig(8, 1, 2, 16, 1, 1, true, 2.5, Routing.Scoring.SIGMOID, true),
                new RopeConfig(10000, null),
                512,
                1e-6,
                0.05,
                false,
                0,
                TOKENIZER.bosId().orElseThrow(),
                List.of(TOKENIZER.eosId().orElseThrow()));
    }

    static Model create(Kernels kernels, long seed) {
        return Model.create(config(), kernels, DType.F32, seed);
    }

    /// Writes a model folder.
    static Path write(Path folder, long seed) {
        try (HostDevice device = Device.host(1);
                Model model = create(Kernels.on(device.stream()), seed)) {
            model.save(folder);
            TOKENIZER.save(folder);
        }
        return folder;
    }
}
