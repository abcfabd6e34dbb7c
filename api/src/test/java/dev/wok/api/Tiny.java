package dev.wok.api;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.ModelConfig;
import dev.wok.tensor.DType;
import dev.wok.tensor.GgufType;
import dev.wok.testkit.GgufConverter;
import dev.wok.testkit.GgufWriter;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Objects;

/// A model of a few thousand weights with random values, and its tokenizer.
final class Tiny {
    private Tiny() {}

    /// Writes a model folder whose parts fit.
    static Path model(Path folder) throws IOException {
        Path resources = resources();
        Files.createDirectories(folder);
        try (HostDevice device = Device.host(1);
                var model = dev.wok.model.Model.create(
                        ModelConfig.load(resources), Kernels.on(device.stream()), DType.F32, 7)) {
            model.save(folder);
        }
        for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(resources.resolve(name), folder.resolve(name));
        }
        return folder;
    }

    /// Writes a model folder with the tokens and the chat template of a family.
    ///
    /// @param tokenizer of text's fixtures
    /// @param template of text's conversations
    static Path model(Path folder, String tokenizer, String template) throws IOException {
        model(folder);
        talking(folder, tokenizer, template);
        Path config = folder.resolve("config.json");
        int end = Tokenizer.load(folder).eosId().orElseThrow();
        Files.writeString(config, Files.readString(config).replaceFirst("(\"eos_token_id\"\\s*:\\s*)1\\b", "$1" + end));
        Files.delete(folder.resolve("generation_config.json"));
        return folder;
    }

    /// Writes a tokenizer's files alone.
    static Path talking(Path folder, String tokenizer, String template) throws IOException {
        Files.createDirectories(folder);
        Path fixtures = Path.of("../text/src/test/resources");
        for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
            Path from = fixtures.resolve("tokenizers").resolve(tokenizer).resolve(name);
            Files.copy(from, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        Files.copy(
                fixtures.resolve("chat_goldens").resolve(template + ".jinja"), folder.resolve("chat_template.jinja"));
        return folder;
    }

    /// Writes a GGUF file of a folder's model and tokenizer, in float32.
    static Path gguf(Path folder, Path file) throws IOException {
        GgufWriter writer = GgufConverter.convert(folder, GgufType.F32, true).writer();
        GgufConverter.addTokenizer(folder, "llama-bpe", writer);
        return writer.write(file);
    }

    private static Path resources() {
        try {
            URL config = Objects.requireNonNull(Tiny.class.getResource("/tiny/config.json"));
            return Objects.requireNonNull(Path.of(config.toURI()).getParent());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
