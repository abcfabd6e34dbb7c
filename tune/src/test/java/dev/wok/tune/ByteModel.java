package dev.wok.tune;

import dev.wok.kernel.Kernels;
import dev.wok.model.GqaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.RopeConfig;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.text.BpeTrainer;
import dev.wok.text.Tokenizer;
import java.util.List;
import java.util.stream.Stream;

/// A small model with random weights whose tokens are bytes, and its tokenizer.
final class ByteModel {
    /// Begin, end and padding, and the bytes.
    static final int TOKENS = 259;

    static final int CONTEXT = 256;

    private ByteModel() {}

    static Tokenizer tokenizer() {
        return BpeTrainer.train(() -> Stream.of("ab"), TOKENS, 1, Progress.silent());
    }

    /// @param vocabulary logits, 259 or more
    /// @param deviation of the weights: the larger, the more sure it is of what comes next
    static Model create(Kernels kernels, int vocabulary, int hidden, double deviation, long seed) {
        ModelConfig config = new ModelConfig(
                ModelConfig.Family.QWEN2,
                vocabulary,
                hidden,
                2,
                2,
                new GqaConfig(2, hidden / 2, true, false, false),
                2 * hidden,
                2,
                1,
                List.of(),
                null,
                new RopeConfig(10000, null),
                CONTEXT,
                1e-6,
                deviation,
                false,
                0,
                0,
                List.of(1));
        return Model.create(config, kernels, DType.F32, seed);
    }
}
