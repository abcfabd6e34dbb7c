package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Damage;
import dev.wok.testkit.Fuzz;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

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
    private static final List<String> TEMPLATE_WORDS = List.of(
            "{% for a in range(99999) %}",
            "{% for m in messages %}",
            "{% endfor %}",
            "{% if messages %}",
            "{% else %}",
            "{% endif %}",
            "{% set x = x + x %}",
            "{% set x = [x, x] %}",
            "{% set x = messages %}",
            "{% macro x(y) %}{{ x(y) ~ x(y) }}{% endmacro %}",
            "{{ x(1) }}",
            "{{ x }}",
            "{{ x | tojson }}",
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            " | length",
            " | replace('', messages | tojson)",
            " | join(messages | string)",
            " | indent(1000)",
            " | map('upper') | list",
            " | sort",
            ".split('')",
            ".content",
            "['role']",
            "[::-1]",
            " * 9999999",
            " ** 99",
            " ~ messages",
            " + ",
            " in ",
            " == ",
            "not ",
            "-",
            "(",
            ")",
            "[",
            "]",
            "none",
            "1e308",
            "99999999999999999999",
            "'\\u12'",
            "loop.index",
            "namespace(a=1)");
    private static final String TEXT = "Hello, WORLD! It's 12345 ... größer\n\n  \t😀字 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa <｜end▁of▁sentence｜>x";
    private static final List<Map<String, Object>> CHAT = List.of(
            Map.of("role", "system", "content", "Be brief."),
            Map.of("role", "user", "content", "Why?\nWhy not?"),
            Map.of("role", "assistant", "content", "<think>\nHm.\n</think>\n\nBecause."),
            Map.of("role", "user", "content", "😀"));

    private static final long PER_BYTE = 400;
    private static final long MORE = 64 << 20;

    private record Named(Map<String, JsonNode> files, String template, JsonNode metadata) {
        static Named of(String name) {
            JsonNode config = Fixtures.read(name, Tokenizer.CONFIG_FILE);
            Map<String, JsonNode> files = new LinkedHashMap<>();
            files.put(Tokenizer.FILE, Fixtures.read(name, Tokenizer.FILE));
            files.put(Tokenizer.CONFIG_FILE, config);
            files.put(
                    Tokenizer.SPECIAL_TOKENS_FILE,
                    Fixtures.JSON.readTree("{\"pad_token\": {\"content\": \"<pad>\", \"lstrip\": true}, \"x_token\": \"xx\"}"));
            files.put(Tokenizer.ADDED_TOKENS_FILE, Fixtures.JSON.readTree("{\"<a>\": 4000, \"b\": 5}"));
            return new Named(
                    files, config.path("chat_template").asString(), Fixtures.JSON.valueToTree(GgufMetadata.of(name)));
        }

        Fuzz.Input damaged(Damage damage) {
            if (damage.below(8) == 0) {
                byte[] bytes = damage.json(metadata, WORDS);
                return new Fuzz.Input(bytes.length, () -> use(Tokenizer.of(metadata(bytes), "model.gguf")));
            }
            String damagedFile = damage.oneOf(
                    Tokenizer.FILE,
                    Tokenizer.FILE,
                    Tokenizer.CONFIG_FILE,
                    Tokenizer.TEMPLATE_FILE,
                    Tokenizer.TEMPLATE_FILE,
                    damage.oneOf(Tokenizer.SPECIAL_TOKENS_FILE, Tokenizer.ADDED_TOKENS_FILE));
            boolean older = damagedFile.equals(Tokenizer.SPECIAL_TOKENS_FILE) || damagedFile.equals(Tokenizer.ADDED_TOKENS_FILE);
            Map<String, byte[]> read = new LinkedHashMap<>();
            long size = 0;
            for (Map.Entry<String, JsonNode> file : files.entrySet()) {
                boolean ofOlder = file.getKey().equals(Tokenizer.SPECIAL_TOKENS_FILE) || file.getKey().equals(Tokenizer.ADDED_TOKENS_FILE);
                if (older || !ofOlder) {
                    JsonNode node = file.getValue();
                    if (older && file.getKey().equals(Tokenizer.CONFIG_FILE)) {
                        node = node.deepCopy();
                        ((tools.jackson.databind.node.ObjectNode) node).remove("added_tokens_decoder");
                    }
                    read.put(
                            file.getKey(),
                            file.getKey().equals(damagedFile)
                                    ? damage.json(node, WORDS)
                                    : Fixtures.JSON.writeValueAsBytes(node));
                }
            }
            if (damagedFile.equals(Tokenizer.TEMPLATE_FILE)) {
                read.put(damagedFile, damage.text(template, TEMPLATE_WORDS).getBytes(StandardCharsets.UTF_8));
            }
            for (byte[] bytes : read.values()) {
                size += bytes.length;
            }
            return new Fuzz.Input(size, () -> use(TokenizerReader.read("folder/tokenizer.json", "folder/tokenizer_config.json", read)));
        }

        private static Map<String, Object> metadata(byte[] json) {
            Map<String, Object> metadata = new HashMap<>();
            try {
                Fixtures.JSON.readTree(json).properties().forEach(e -> metadata.put(e.getKey(), value(e.getValue())));
            } catch (JacksonException e) {
                metadata.clear();
            }
            return metadata;
        }

        /// As a GGUF file could hold it.
        private static Object value(JsonNode node) {
            return switch (node.getNodeType()) {
                case ARRAY -> {
                    List<Object> list = new ArrayList<>();
                    node.values().forEach(v -> list.add(v.isContainer() ? "container" : value(v)));
                    yield list;
                }
                case BOOLEAN -> node.booleanValue();
                case NUMBER -> node.isIntegralNumber() && node.canConvertToLong() ? (Object) node.asLong() : (Object) node.asDouble();
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
        tokenizer.chatTemplate().ifPresent(template -> template.render(CHAT, List.of(), true));
    }

    private void damage(int cases) throws InterruptedException {
        List<Named> all = Fixtures.names().map(Named::of).toList();
        Fixtures.names().forEach(name -> use(Fixtures.tokenizer(name)));
        List<Named> small = all.subList(0, 6);
        Fuzz.Outcome outcome = Fuzz.of("tokenizer").memory(PER_BYTE, MORE).check(cases, damage -> {
            return damage.oneOf(damage.below(20) == 0 ? all : small).damaged(damage);
        });
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
