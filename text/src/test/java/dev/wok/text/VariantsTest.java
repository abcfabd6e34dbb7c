package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Every kind of splitter, normalizer and added token, in one tokenizer: ids and texts are those of the Hugging Face
/// library.
class VariantsTest {

    @Test
    void splitsNormalizesAndRecognisesTokensAsTheLibraryDoes(@TempDir Path folder) throws IOException {
        JsonNode variants = Fixtures.resource("variants_expected.json").path("variants");
        assertTrue(variants.size() > 50);
        for (JsonNode variant : variants.values()) {
            ObjectNode json = (ObjectNode) Fixtures.read("qwen2_tiny", Tokenizer.FILE);
            for (String part : List.of("pre_tokenizer", "normalizer")) {
                if (variant.has(part)) {
                    json.set(part, variant.path(part));
                }
            }
            variant.path("added").values().forEach(((ArrayNode) json.path("added_tokens"))::add);
            Path file = folder.resolve("tokenizer.json");
            Files.write(file, Fixtures.JSON.writeValueAsBytes(json));
            Tokenizer tokenizer = Tokenizer.load(file);
            for (JsonNode example : variant.path("cases").values()) {
                String text = example.path("text").asString();
                int[] ids = Fixtures.ids(example.path("ids"));
                String what = variant.path("pre_tokenizer") + " on " + example.path("text");
                assertArrayEquals(ids, tokenizer.encode(text), what);
                assertEquals(example.path("decoded").asString(), tokenizer.decode(ids, false), what);
                assertEquals(example.path("decoded_skip_special").asString(), tokenizer.decode(ids, true), what);
            }
        }
    }
}
