package dev.wok.bench;

import dev.wok.kernel.Routing;
import dev.wok.model.GqaConfig;
import dev.wok.model.MlaConfig;
import dev.wok.model.ModelConfig;
import dev.wok.model.ModelConfig.Family;
import dev.wok.model.MoeConfig;
import dev.wok.model.RopeConfig;
import dev.wok.notice.BadInput;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// The shapes of released models, and of some that are trained here, without their weights.
final class Shapes {
    private static final double DEVIATION = 0.02;

    private Shapes() {}

    /// @throws BadInput where there is no such preset
    static ModelConfig named(String preset) {
        ModelConfig config = all().get(preset);
        if (config == null) {
            throw new BadInput("--preset %s: expected one of %s.".formatted(preset, String.join(", ", all().keySet())));
        }
        return config;
    }

    static SequencedMap<String, ModelConfig> all() {
        SequencedMap<String, ModelConfig> shapes = new LinkedHashMap<>();
        shapes.put("v2-lite", v2Lite());
        shapes.put("r1-distill-1.5b", r1Distill());
        shapes.put("llama-1b", llama());
        for (String trained : new String[] {"small", "nano"}) {
            shapes.put(trained, Trainer.architecture(Settings.preset(trained), 0, 1));
        }
        return shapes;
    }

    private static ModelConfig v2Lite() {
        return new ModelConfig(
                Family.DEEPSEEK_V2,
                102_400,
                2048,
                27,
                16,
                new MlaConfig(0, 512, 128, 64, 128),
                10_944,
                1,
                1,
                List.of(),
                new MoeConfig(64, 2, 6, 1408, 1, 1, false, 1, Routing.Scoring.SOFTMAX, false),
                new RopeConfig(10_000, new RopeConfig.Yarn(40, 4096, 32, 1, 0.707, 0.707, null, true)),
                163_840,
                1e-6,
                DEVIATION,
                false,
                0,
                100_000,
                List.of(100_001));
    }

    private static ModelConfig r1Distill() {
        return new ModelConfig(
                Family.QWEN2,
                151_936,
                1536,
                28,
                12,
                new GqaConfig(2, 128, true, false, false),
                8960,
                28,
                1,
                List.of(),
                null,
                new RopeConfig(10_000, null),
                131_072,
                1e-6,
                DEVIATION,
                false,
                0,
                151_646,
                List.of(151_643));
    }

    private static ModelConfig llama() {
        return new ModelConfig(
                Family.LLAMA,
                128_256,
                2048,
                16,
                32,
                new GqaConfig(8, 64, false, false, false),
                8192,
                16,
                1,
                List.of(),
                null,
                new RopeConfig(500_000, new RopeConfig.Llama3(32, 1, 4, 8192)),
                131_072,
                1e-5,
                DEVIATION,
                true,
                0,
                128_000,
                List.of(128_001));
    }
}
