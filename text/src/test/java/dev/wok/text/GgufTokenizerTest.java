package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class GgufTokenizerTest {
    private static final String GGML = "tokenizer.ggml.";

    private static Tokenizer with(String fixture, Object... keysAndValues) {
        Map<String, Object> metadata = GgufMetadata.of(fixture);
        for (int i = 0; i < keysAndValues.length; i += 2) {
            metadata.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return Tokenizer.of(metadata, "x.gguf");
    }

    private static Tokenizer without(String fixture, String... keys) {
        Map<String, Object> metadata = GgufMetadata.of(fixture);
        metadata.keySet().removeAll(List.of(keys));
        return Tokenizer.of(metadata, "x.gguf");
    }

    /// Ids and texts are those of the Hugging Face libraries, before and after saving.
    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void isTheTokenizerThatWasConverted(String name, @TempDir Path folder) throws IOException {
        Tokenizer read = Tokenizer.of(GgufMetadata.of(name), "x.gguf");
        read.save(folder.resolve("one"));
        Tokenizer loaded = Tokenizer.load(folder.resolve("one"));
        JsonNode expected = Fixtures.expected(name);
        Tokenizer original = Fixtures.tokenizer(name);
        for (Tokenizer tokenizer : List.of(read, loaded)) {
            TokenizerFixturesTest.requireEncodings(tokenizer, expected);
            TokenizerFixturesTest.requireDecodings(tokenizer, expected);
            ChatTemplateTest.requireChats(tokenizer, expected);
            assertEquals(original.bosId(), tokenizer.bosId());
            assertEquals(original.eosId(), tokenizer.eosId());
            Random random = new Random(4);
            for (int i = 0; i < 200; i++) {
                String text = RegexTest.oddText(random, 30);
                assertArrayEquals(original.encode(text, true), tokenizer.encode(text, true), text);
            }
        }
        loaded.save(folder.resolve("two"));
        for (String file : List.of(Tokenizer.FILE, Tokenizer.CONFIG_FILE)) {
            assertEquals(
                    -1,
                    Files.mismatch(
                            folder.resolve("one").resolve(file),
                            folder.resolve("two").resolve(file)));
        }
    }

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void writesTheFilesOfTheFamily(String name, @TempDir Path folder) throws IOException {
        Tokenizer.of(GgufMetadata.of(name), "x.gguf").save(folder);
        JsonNode written = Fixtures.JSON.readTree(folder.resolve(Tokenizer.FILE).toFile());
        JsonNode original = Fixtures.read(name, Tokenizer.FILE);
        assertEquals(original.path("pre_tokenizer"), written.path("pre_tokenizer"));
        assertEquals(original.at("/model/ignore_merges"), written.at("/model/ignore_merges"));
        if (name.contains("qwen")) {
            assertEquals(original.path("normalizer"), written.path("normalizer"));
        } else {
            assertTrue(written.path("normalizer").isNull());
        }
        assertEquals(original.path("added_tokens"), written.path("added_tokens"));
    }

    @Test
    void textsBeginAndEndAsTheFileSays() {
        String deepseek = "tokenizer_ds3_4096";
        int[] plain = with(deepseek).encode("a b", true);
        assertArrayEquals(
                begun(0, plain), without(deepseek, GGML + "add_bos_token").encode("a b", true));
        assertArrayEquals(
                begun(0, plain), with(deepseek, GGML + "add_bos_token", true).encode("a b", true));
        assertArrayEquals(plain, with(deepseek, GGML + "add_bos_token", true).encode("a b"));
        int[] both = with(deepseek, GGML + "add_bos_token", true, GGML + "add_eos_token", true)
                .encode("a b", true);
        assertArrayEquals(begun(0, plain), Arrays.copyOf(both, both.length - 1));
        assertEquals(1, both[both.length - 1]);
        assertArrayEquals(
                plain,
                without(deepseek, GGML + "add_bos_token", GGML + "bos_token_id").encode("a b", true));

        String qwen = "tokenizer_qwen2_4096";
        assertEquals(OptionalInt.empty(), with(qwen).bosId());
        Tokenizer begins = with(qwen, GGML + "add_bos_token", true);
        assertEquals(OptionalInt.of(4089), begins.bosId());
        assertArrayEquals(begun(4089, with(qwen).encode("a b", true)), begins.encode("a b", true));
        Tokenizer writes = with(qwen, "tokenizer.chat_template", "{{ bos_token + 'x' }}");
        assertEquals("<|endoftext|>x", writes.chatTemplate().orElseThrow().render(List.of(), List.of(), false));

        String llama = "tokenizer_llama3_4096";
        assertEquals(4091, with(llama).encode("a b", true)[0]);
        assertArrayEquals(
                with(llama).encode("a b"),
                with(llama, GGML + "add_bos_token", false).encode("a b", true));
    }

    private static int[] begun(int begin, int[] ids) {
        int[] out = new int[ids.length + 1];
        out[0] = begin;
        System.arraycopy(ids, 0, out, 1, ids.length);
        return out;
    }

    /// The words of a text, found by a vocabulary of which each word of up to four letters is a token.
    @ParameterizedTest
    @CsvSource(delimiter = '|', ignoreLeadingAndTrailingWhitespace = false, textBlock = """
            deepseek-coder|ab, cd12;|ab/,/ cd/1/2/;
            deepseek-llm|ab, cd12;|ab/,/ cd/1/2/;
            deepseek-v3|ab, cd1234;|ab/,/ cd/123/4/;
            deepseek-r1-qwen|ab, cd12;|ab/,/ cd/1/2/;
            qwen2|ab,cd12;|ab/,cd/1/2/;
            llama-bpe|ab, 1234 cd|ab/,/ /123/4/ cd
            llama3|ab, 1234 cd|ab/,/ /123/4/ cd
            llama-v3|ab, 1234 cd|ab/,/ /123/4/ cd
            smaug-bpe|ab, 1234 cd|ab/,/ /123/4/ cd
            gpt-2|ab,  12 cd|ab/,/ / 12/ cd
            default|ab+, 12345's|ab/+,/ /123/45/'/s
            """)
    void cutsTextAsItsFamilyDoes(String pre, String text, String words) {
        List<String> tokens = new ArrayList<>();
        List<String> merges = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf(ByteAlphabet.symbol(b)));
        }
        String spaced = text.replace(' ', ByteAlphabet.symbol(' '));
        for (int length = 2; length <= 4; length++) {
            for (int i = 0; i + length <= spaced.length(); i++) {
                String word = spaced.substring(i, i + length);
                if (!tokens.contains(word)) {
                    tokens.add(word);
                    merges.add(word.substring(0, length - 1) + " " + word.charAt(length - 1));
                }
            }
        }
        Tokenizer tokenizer = Tokenizer.of(
                Map.of(GGML + "model", "gpt2", GGML + "pre", pre, GGML + "tokens", tokens, GGML + "merges", merges),
                "x.gguf");
        assertEquals(
                words,
                Arrays.stream(tokenizer.encode(text))
                        .mapToObj(id -> tokenizer.decode(new int[] {id}, false))
                        .collect(Collectors.joining("/")));
    }

    private static List<Object> list(String fixture, String key) {
        return new ArrayList<>(
                (List<?>) Objects.requireNonNull(GgufMetadata.of(fixture).get(GGML + key)));
    }

    @Test
    void leavesOutTokensThatOnlyFillTheEmbedding() {
        String name = "qwen2_tiny";
        List<Object> tokens = list(name, "tokens");
        List<Object> types = list(name, "token_type");
        for (String token : List.of("[PAD500]", "", "", "[PAD503]")) {
            tokens.add(token);
            types.add(token.isEmpty() ? 1L : 5L);
        }
        Tokenizer padded = with(name, GGML + "tokens", tokens, GGML + "token_type", types);
        assertEquals(500, padded.size());
        assertEquals("a", padded.decode(new int[] {padded.encode("a")[0], 500, 501, 503}, false));
        assertEquals(OptionalInt.empty(), padded.id("[PAD503]"));
        Tokenizer named =
                with(name, GGML + "tokens", tokens, GGML + "token_type", types, GGML + "padding_token_id", 503L);
        assertEquals(OptionalInt.of(503), named.id("[PAD503]"));
        assertEquals(504, named.size());
        assertArrayEquals(new int[] {503}, named.encode("[PAD503]"));
    }

    @Test
    void readsTokensWithoutTypesAndATemplateForTools() {
        Tokenizer plain = without("deepseek_v3_tiny", GGML + "token_type");
        assertArrayEquals(new int[] {0}, plain.encode("<｜begin▁of▁sentence｜>"));
        assertTrue(plain.encode("<think>").length > 1);
        Tokenizer tools = with("qwen2_tiny", "tokenizer.chat_template.tool_use", "tools!");
        ChatTemplate template = tools.chatTemplate().orElseThrow();
        assertEquals("tools!", template.render(List.of(), List.of(Map.of("name", "f")), false));
        Map<String, Object> message = Map.of("role", "user", "content", "hi");
        assertTrue(template.render(List.of(message), List.of(), false).contains("hi"));
        assertFalse(
                without("qwen2_tiny", "tokenizer.chat_template").chatTemplate().isPresent());
    }

    private static void requireRefused(String reason, Object... keysAndValues) {
        String message = Refusal.of(() -> with("qwen2_tiny", keysAndValues));
        assertTrue(message.startsWith("the tokenizer of x.gguf "), message);
        assertTrue(message.contains(reason), message);
        assertEquals(1, message.lines().count(), message);
    }

    @Test
    void refusesWhatItCannotReadInOneLine() {
        requireRefused(
                "is of the kind 'llama', which Wok does not read (only 'gpt2', byte-level", GGML + "model", "llama");
        requireRefused(
                "cuts text as 'tekken', which Wok does not know (deepseek-llm, deepseek-coder, deepseek-v3,",
                GGML + "pre",
                "tekken");
        requireRefused("says tokenizer.ggml.model = 7, expected a string", GGML + "model", 7L);
        requireRefused("says tokenizer.ggml.tokens = x, expected a list of strings", GGML + "tokens", "x");
        requireRefused("says tokenizer.ggml.pre = a list of 1, expected a string", GGML + "pre", List.of("x"));
        requireRefused("has 7 in tokenizer.ggml.tokens, expected strings", GGML + "tokens", List.of(7L));
        requireRefused("has 1 tokens and 500 token types", GGML + "tokens", List.of("a"));
        requireRefused("has 0 tokens and 500 token types", GGML + "tokens", List.of());
        requireRefused("gives the token 0 the type 7", GGML + "token_type", Collections.nCopies(500, 7L));
        requireRefused("has a in tokenizer.ggml.token_type, expected", GGML + "token_type", List.of("a"));
        requireRefused("a merge (number 0) that is no pair", GGML + "merges", List.of("abc"));
        requireRefused("merges into or from 'zz9' (merge number 0)", GGML + "merges", List.of("zz9 zz9"));
        requireRefused(
                "says tokenizer.ggml.eos_token_id = 500, expected one of its tokens, 0 to 499",
                GGML + "eos_token_id",
                500L);
        requireRefused("says tokenizer.ggml.eos_token_id = -1, expected", GGML + "eos_token_id", -1L);
        requireRefused("= true, expected a number", GGML + "eos_token_id", true);
        requireRefused("= 1, expected true or false", GGML + "add_bos_token", 1L);
        requireRefused("says tokenizer.chat_template = 1, expected a string", "tokenizer.chat_template", 1L);
        List<Object> twice = list("qwen2_tiny", "tokens");
        twice.set(9, twice.get(8));
        requireRefused("has the token %s twice, as 8 and 9".formatted(twice.get(8)), GGML + "tokens", twice);
        List<Object> empty = list("qwen2_tiny", "tokens");
        empty.set(495, "");
        requireRefused("begins, ends or pads texts with the token 495, which is empty", GGML + "tokens", empty);
        for (String key : List.of("model", "pre", "tokens", "merges")) {
            String message = Refusal.of(() -> without("qwen2_tiny", GGML + key));
            assertTrue(message.contains("lacks tokenizer.ggml." + key + ", expected to be a"), message);
        }
        assertTrue(Refusal.of(() -> {
                    Map<String, Object> metadata = GgufMetadata.of("qwen2_tiny");
                    metadata.remove(GGML + "bos_token_id");
                    metadata.put(GGML + "add_bos_token", true);
                    Tokenizer.of(metadata, "x.gguf");
                })
                .contains("says tokenizer.ggml.add_bos_token and no tokenizer.ggml.bos_token_id"));
    }
}
