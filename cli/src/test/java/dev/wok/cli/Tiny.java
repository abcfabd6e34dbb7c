package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.tensor.DType;
import dev.wok.tensor.GgufType;
import dev.wok.testkit.GgufConverter;
import dev.wok.testkit.GgufWriter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/// A model of a few thousand weights with random values, and its tokenizer.
final class Tiny {
    private static final int VOCABULARY = 512;

    private Tiny() {}

    /// Finds the test resources: a folder with config.json and the tokenizer's files
    static Path tokenizer() {
        try {
            URL config = Objects.requireNonNull(Tiny.class.getResource("/tiny/config.json"));
            return Objects.requireNonNull(Path.of(config.toURI()).getParent());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Writes a model folder whose parts fit.
    static Path model(Path folder) throws IOException {
        return model(folder, VOCABULARY);
    }

    /// Writes a model folder.
    ///
    /// @param vocabulary how many ids the model knows; the tokenizer has 500
    static Path model(Path folder, int vocabulary) throws IOException {
        Files.createDirectories(folder);
        Path config = folder.resolve("config.json");
        Files.writeString(
                config,
                Files.readString(tokenizer().resolve("config.json"))
                        .replace("\"vocab_size\": " + VOCABULARY, "\"vocab_size\": " + vocabulary));
        try (HostDevice device = Device.host(1);
                Model model = Model.create(ModelConfig.load(folder), Kernels.on(device.stream()), DType.F32, 7)) {
            model.save(folder);
        }
        for (String name : new String[] {"tokenizer.json", "tokenizer_config.json"}) {
            Files.copy(tokenizer().resolve(name), folder.resolve(name));
        }
        return folder;
    }

    /// Writes a GGUF file of a folder's model and tokenizer.
    static Path gguf(Path folder, Path file) throws IOException {
        GgufWriter writer = GgufConverter.convert(folder, GgufType.Q8_0, true).writer();
        GgufConverter.addTokenizer(folder, "llama-bpe", writer);
        return writer.write(file);
    }
}
