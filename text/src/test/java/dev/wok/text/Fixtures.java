package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Tokenizers in the styles of released models, and what the Hugging Face libraries make of many strings with them.
final class Fixtures {
    static final ObjectMapper JSON = new ObjectMapper();

    static final List<String> ALL = List.of(
            "deepseek_v2_grouped_tiny",
            "deepseek_v2_tiny",
            "deepseek_v3_tiny",
            "llama_tiny",
            "qwen2_tiny",
            "qwen3_moe_tiny",
            "tokenizer_ds2_4096",
            "tokenizer_ds3_4096",
            "tokenizer_llama3_4096",
            "tokenizer_qwen2_4096");

    private Fixtures() {}

    static Stream<String> names() {
        return ALL.stream();
    }

    static Path folder(String name) {
        return Objects.requireNonNull(
                file("tokenizers/" + name + "/tokenizer.json").getParent());
    }

    static Path file(String name) {
        try {
            URL url = Objects.requireNonNull(Fixtures.class.getResource("/" + name), name);
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    static Tokenizer tokenizer(String name) {
        return Tokenizer.load(folder(name));
    }

    static JsonNode resource(String file) {
        try (InputStream in = Fixtures.class.getResourceAsStream("/" + file)) {
            return JSON.readTree(Objects.requireNonNull(in, file));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static JsonNode expected(String name) {
        return read(name, "tokenizer_expected.json");
    }

    static JsonNode read(String name, String file) {
        return resource("tokenizers/" + name + "/" + file);
    }

    static String message(BadInput refusal) {
        return String.valueOf(refusal.getMessage());
    }

    static int[] ids(JsonNode array) {
        return array.values().stream().mapToInt(JsonNode::asInt).toArray();
    }
}
