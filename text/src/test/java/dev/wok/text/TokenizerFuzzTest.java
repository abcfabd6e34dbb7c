package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Damage;
import dev.wok.testkit.Fuzz;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Tokenizers one of whose files is damaged, or their metadata in a GGUF file. Where one loads all the same, it
/// encodes and decodes a text and writes a conversation.
class TokenizerFuzzTest {
    private static final List<String> WORDS = List.of(
            "BPE",
            "Unigram",
            "Sequence",
            "Split",
            "Digits",
            "ByteLevel",
            "Metaspace",
            "NFC",
            "NFKD",
            "Fuse",
            "TemplateProcessing",
            "BertProcessing",
            "Isolated",
            "Removed",
            "MergedWithPrevious",
            "MergedWithNext",
            "Contiguous",
            "Regex",
            "String",
            "bos_token",
            "x_token",
            "content",
            "additional_special_tokens",
            "extra_special_tokens",
            "gpt2",
            "deepseek-v3",
            "a",
            "Ġ",
            " ",
            "\n",
            "\\p{L}+",
            "\\w",
            "\\s+(?!\\S)",
            "(?i:",
            ")+",
            ")*",
            "(",
            "|",
            ".*.*.*.*.*.*.*.*.*.*x",
            "(\\s+\\w+|\\w+)+$x",
            "{1000}",
            "[^",
            "(?<=");
    private static final List<String> PATTERNS = List.of(
            Patterns.GPT2,
            "(?i:'s|'t|'re)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+(?!\\S)|\\s+",
            "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
            "(?:a+|\\s+|[a-z&&[^m]]+?)+x",
            "(a|aa|\\w)*?$[^\\P{L}\\n]++");
    private static final String TEXT =
            "Hello, WORLD! It's 12345 ... größer\n\n  \t😀字 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa <｜end▁of▁sentence｜>x";
    /* The shortest entry of a vocabulary, "a":0 and its comma, is six bytes: a node and its place in a tree, an entry in each
     * of three maps, a token's bytes and its entry in the list of ids are some thousand on the heap. For any input there
     * are the table of words that an encoder keeps (2 MiB), a list as long as the highest id (up to 16 MiB), and a set of 8
     * KiB for each different character of the patterns (up to 32 MiB).
     */
    private static final long PER_BYTE = 200;
    private static final long MORE = 64 << 20;

    private static final Set<String> OLDER = Set.of(Tokenizer.SPECIAL_TOKENS_FILE, Tokenizer.ADDED_TOKENS_FILE);

    private record Named(Map<String, JsonNode> files, JsonNode metadata) {
        static Named of(String name) {
            Map<String, JsonNode> files = new LinkedHashMap<>();
            files.put(Tokenizer.FILE, Fixtures.read(name, Tokenizer.FILE));
            files.put(Tokenizer.CONFIG_FILE, Fixtures.read(name, Tokenizer.CONFIG_FILE));
            files.put(
                    Tokenizer.SPECIAL_TOKENS_FILE,
                    Fixtures.JSON.readTree(
                            "{\"pad_token\": {\"content\": \"<pad>\", \"lstrip\": true}, \"x_token\": \"xx\"}"));
            files.put(Tokenizer.ADDED_TOKENS_FILE, Fixtures.JSON.readTree("{\"<a>\": 4000, \"b\": 5}"));
            return new Named(files, Fixtures.JSON.valueToTree(GgufMetadata.of(name)));
        }

        Fuzz.Input damaged(Damage damage) {
            return switch (damage.below(8)) {
                case 0 -> {
                    byte[] bytes = damage.json(metadata, WORDS);
                    yield new Fuzz.Input(bytes.length, () -> use(Tokenizer.of(metadata(bytes), "model.gguf")));
                }
                case 1 -> {
                    ObjectNode root = (ObjectNode) file(Tokenizer.FILE).deepCopy();
                    String pattern = damage.text(damage.oneOf(PATTERNS), WORDS);
                    JsonNode splitters = Fixtures.JSON.valueToTree(
                            List.of(TokenizerJson.split(pattern), Map.of("type", "ByteLevel", "use_regex", false)));
                    root.putObject("pre_tokenizer").put("type", "Sequence").set("pretokenizers", splitters);
                    yield input(Map.of(Tokenizer.FILE, Fixtures.JSON.writeValueAsBytes(root)));
                }
                case 2 -> withDamaged(damage.oneOf(List.copyOf(OLDER)), damage);
                case 3, 4 -> withDamaged(Tokenizer.CONFIG_FILE, damage);
                default -> withDamaged(Tokenizer.FILE, damage);
            };
        }

        private JsonNode file(String name) {
            return Objects.requireNonNull(files.get(name));
        }

        private Fuzz.Input withDamaged(String damaged, Damage damage) {
            Map<String, byte[]> read = new LinkedHashMap<>();
            for (String name : files.keySet()) {
                JsonNode file = file(name);
                if (OLDER.contains(damaged) && name.equals(Tokenizer.CONFIG_FILE)) {
                    file = ((ObjectNode) file.deepCopy()).without("added_tokens_decoder");
                }
                if (OLDER.contains(damaged) || !OLDER.contains(name)) {
                    read.put(
                            name,
                            name.equals(damaged) ? damage.json(file, WORDS) : Fixtures.JSON.writeValueAsBytes(file));
                }
            }
            return input(read);
        }

        private static Fuzz.Input input(Map<String, byte[]> files) {
            long bytes = files.values().stream().mapToLong(file -> file.length).sum();
            return new Fuzz.Input(bytes, () -> use(TokenizerReader.read(Tokenizer.FILE, Tokenizer.CONFIG_FILE, files)));
        }

        /// As a GGUF file could hold it.
        private static Map<String, Object> metadata(byte[] json) {
            Map<String, Object> metadata = new HashMap<>();
            try {
                Fixtures.JSON.readTree(json).properties().forEach(e -> metadata.put(e.getKey(), value(e.getValue())));
            } catch (JacksonException e) {
                metadata.clear();
            }
            return metadata;
        }

        private static Object value(JsonNode node) {
            return switch (node.getNodeType()) {
                case ARRAY ->
                    node.valueStream().map(v -> v.isContainer() ? "" : value(v)).toList();
                case BOOLEAN -> node.booleanValue();
                case NUMBER ->
                    node.isIntegralNumber() && node.canConvertToLong()
                            ? (Object) node.asLong()
                            : (Object) node.asDouble(0);
                default -> node.asString("");
            };
        }
    }

    private static void use(Tokenizer tokenizer) {
        int[] ids = tokenizer.encode(TEXT, true);
        for (int id : ids) {
            assertTrue(id >= 0 && id < tokenizer.size());
        }
        tokenizer.decode(ids, true);
        tokenizer.chatTemplate().ifPresent(template -> template.render(ChatTemplateFuzzTest.CHAT, List.of(), true));
    }

    private void damage(int cases) throws InterruptedException {
        List<Named> all = List.of(Named.of("deepseek_v3_tiny"), Named.of("llama_tiny"), Named.of("qwen2_tiny"));
        use(Fixtures.tokenizer("qwen2_tiny"));
        Fuzz.Outcome outcome = Fuzz.of("tokenizer")
                .memory(PER_BYTE, MORE)
                .check(cases, damage -> damage.oneOf(all).damaged(damage));
        assertEquals(cases, outcome.read() + outcome.refused());
        assertTrue(outcome.refused() > cases / 10 && outcome.read() > cases / 10, outcome.toString());
    }

    @Test
    void damagedTokenizersAreRefusedOrUsed() throws InterruptedException {
        damage(300);
    }

    @Test
    @Tag("slow")
    void damagedTokenizersAreRefusedOrUsedManyTimes() throws InterruptedException {
        damage(10_000);
    }
}
