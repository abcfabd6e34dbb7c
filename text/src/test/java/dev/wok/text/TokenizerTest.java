package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

class TokenizerTest {

    @Test
    void knowsItsTokens() {
        Tokenizer tokenizer = Fixtures.tokenizer("tokenizer_ds3_4096");
        assertEquals(OptionalInt.of(0), tokenizer.bosId());
        assertEquals(OptionalInt.of(1), tokenizer.eosId());
        assertEquals(OptionalInt.of(4081), tokenizer.id("<think>"));
        assertEquals(OptionalInt.of(223), tokenizer.id("Ġ"));
        assertEquals(OptionalInt.empty(), tokenizer.id("no such token"));
        assertEquals(OptionalInt.empty(), Fixtures.tokenizer("qwen2_tiny").bosId());
        assertEquals(OptionalInt.of(495), Fixtures.tokenizer("qwen2_tiny").eosId());
    }

    @Test
    void theVocabularyIsWhatDecodes() {
        Tokenizer tokenizer = Fixtures.tokenizer("tokenizer_ds3_4096");
        List<byte[]> vocabulary = tokenizer.vocabulary();
        assertEquals(tokenizer.size(), vocabulary.size());
        assertEquals(0, vocabulary.get(0).length);
        for (int id = 0; id < vocabulary.size(); id++) {
            String text = new String(vocabulary.get(id), StandardCharsets.UTF_8);
            assertEquals(tokenizer.decode(new int[] {id}, true), text, "id " + id);
        }
    }

    @Test
    void takesAnUnpairedSurrogateForTheReplacementCharacter() {
        for (String name : Fixtures.ALL) {
            Tokenizer tokenizer = Fixtures.tokenizer(name);
            assertArrayEquals(tokenizer.encode("a\uFFFD b\uFFFD\uFFFD😀"), tokenizer.encode("a\uD83D b\uDE00\uD83D😀"));
        }
    }

    @Test
    void doesNotChangeTheStringItEncodes() {
        String text = "x\uD83D";
        Fixtures.tokenizer("qwen2_tiny").encode(text);
        assertEquals("x\uD83D", text);
    }

    @Test
    void ignoresIdsWithoutTokens() {
        Tokenizer tokenizer = Fixtures.tokenizer("qwen2_tiny");
        int[] ids = tokenizer.encode("hi");
        int[] more = {-1, ids[0], Integer.MAX_VALUE, ids[1], tokenizer.size()};
        assertEquals("hi", tokenizer.decode(more, false));
    }

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void streamsWholeCharactersThatAddUp(String name) {
        Tokenizer tokenizer = Fixtures.tokenizer(name);
        Random random = new Random(1);
        for (int round = 0; round < 300; round++) {
            int[] ids = round % 2 == 0
                    ? tokenizer.encode(RegexTest.oddText(random, 12))
                    : random.ints(20, 0, tokenizer.size()).toArray();
            Tokenizer.Decoder decoder = tokenizer.decoder(round % 3 == 0);
            StringBuilder all = new StringBuilder();
            for (int id : ids) {
                String part = decoder.append(id);
                assertTrue(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)));
                all.append(part);
                if (round % 2 == 0) {
                    assertFalse(part.contains("\uFFFD")
                            && !tokenizer.decode(ids, false).contains("\uFFFD"));
                }
            }
            all.append(decoder.finish());
            assertEquals(tokenizer.decode(ids, round % 3 == 0), all.toString());
        }
    }

    @Test
    void decodesWhatItEncodes() {
        Random random = new Random(9);
        for (String name : Fixtures.ALL) {
            Tokenizer tokenizer = Fixtures.tokenizer(name);
            for (int i = 0; i < 200; i++) {
                String text = RegexTest.oddText(random, 20);
                String expected = name.contains("qwen") ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
                assertEquals(expected, tokenizer.decode(tokenizer.encode(text), false));
            }
        }
    }

    @Test
    void encodesTheSameOnManyThreads() throws Exception {
        Tokenizer tokenizer = Fixtures.tokenizer("tokenizer_llama3_4096");
        Random random = new Random(2);
        List<String> texts =
                Stream.generate(() -> RegexTest.oddText(random, 200)).limit(60).toList();
        List<int[]> expected = texts.stream().map(tokenizer::encode).toList();
        try (ExecutorService pool = Executors.newFixedThreadPool(8)) {
            List<Future<?>> runs = new ArrayList<>();
            for (int run = 0; run < 8; run++) {
                runs.add(pool.submit(() -> {
                    for (int i = 0; i < texts.size(); i++) {
                        assertArrayEquals(expected.get(i), tokenizer.encode(texts.get(i)));
                    }
                }));
            }
            for (Future<?> run : runs) {
                run.get();
            }
        }
    }

    @Test
    void savesWhatItLoaded(@TempDir Path folder) throws IOException {
        Path from = Fixtures.folder("deepseek_v3_tiny");
        Path source = Files.createDirectories(folder.resolve("source"));
        for (String file : List.of(Tokenizer.FILE, Tokenizer.CONFIG_FILE)) {
            Files.copy(from.resolve(file), source.resolve(file));
        }
        Files.writeString(source.resolve(Tokenizer.TEMPLATE_FILE), "{{ bos_token }}!");
        Path copy = folder.resolve("a/b");
        Tokenizer.load(source).save(copy);
        try (Stream<Path> files = Files.list(copy)) {
            assertEquals(3, files.count());
        }
        assertEquals(-1, Files.mismatch(source.resolve(Tokenizer.FILE), copy.resolve(Tokenizer.FILE)));
        Tokenizer again = Tokenizer.load(copy);
        assertArrayEquals(Fixtures.tokenizer("deepseek_v3_tiny").encode("int x = 1;"), again.encode("int x = 1;"));
        assertEquals(
                "<｜begin▁of▁sentence｜>!", again.chatTemplate().orElseThrow().render(List.of(), List.of(), false));
    }

    /// Special tokens that tokenizer_config.json adds or changes, as transformers 5.18 takes them.
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {"pad_token": "<NEW1>"}                                             | 501 | a  <NEW2> <think>
            {"image_token": "<NEW1>"}                                           | 501 | a  <NEW2> <think>
            {"pad_token": {"content": "<NEW1>", "lstrip": true}}                | 501 | a <NEW2> <think>
            {"pad_token": "<think>"}                                            | 500 | a <NEW1> <NEW2>
            {"extra_special_tokens": ["<NEW2>", "<think>"]}                     | 501 | a <NEW1>  <think>
            {"extra_special_tokens": {"a_token": "<NEW2>", "b": "<think>"}}     | 501 | a <NEW1>
            {"additional_special_tokens": ["<NEW2>"]}                           | 501 | a <NEW1>  <think>
            {"added_tokens_decoder": {"485": {"content": "<think>", "special": true}}} | 500 | a <NEW1> <NEW2>
            {"add_bos_token": true, "bos_token": "<think>"}                     | 500 | a <NEW1> <NEW2>
            """)
    void takesSpecialTokensFromTheConfig(String config, int size, String decoded, @TempDir Path folder)
            throws IOException {
        Files.copy(Fixtures.folder("deepseek_v3_tiny").resolve(Tokenizer.FILE), folder.resolve(Tokenizer.FILE));
        Files.writeString(folder.resolve(Tokenizer.CONFIG_FILE), config);
        Tokenizer tokenizer = Tokenizer.load(folder);
        assertEquals(size, tokenizer.size());
        int[] ids = tokenizer.encode("a <NEW1> <NEW2> <think>", true);
        assertEquals(decoded.strip(), tokenizer.decode(ids, true).strip());
    }

    /// Folders from before tokenizer_config.json listed the tokens; the ids are those of transformers 5.18.
    @Test
    void readsTheFilesThatOlderFoldersHave(@TempDir Path folder) throws IOException {
        Files.copy(Fixtures.folder("tokenizer_qwen2_4096").resolve(Tokenizer.FILE), folder.resolve(Tokenizer.FILE));
        Files.writeString(
                folder.resolve(Tokenizer.CONFIG_FILE), "{\"chat_template\": \"{{ bos_token }}|{{ pad_token }}\"}");
        Files.writeString(folder.resolve(Tokenizer.SPECIAL_TOKENS_FILE), """
                {"bos_token": "<s>", "eos_token": {"content": "</s>", "rstrip": true, "normalized": false},
                 "additional_special_tokens": ["<new>"], "pad_token": "<|endoftext|>"}""");
        Files.writeString(
                folder.resolve(Tokenizer.ADDED_TOKENS_FILE), "{\"<extra>\": 4150, \"<new>\": 4151, \"the\": 5}");
        Tokenizer tokenizer = Tokenizer.load(folder);
        assertEquals(4100, tokenizer.size());
        assertEquals(OptionalInt.of(4098), tokenizer.bosId());
        assertEquals(OptionalInt.of(4099), tokenizer.eosId());
        assertArrayEquals(new int[] {64, 4097, 65, 4096, 66}, tokenizer.encode("a<new>b<extra>c"));
        assertArrayEquals(new int[] {4098, 87, 4099, 88}, tokenizer.encode("<s>x</s>  y"));
        assertEquals("xy", tokenizer.decode(new int[] {4098, 87, 4099, 88}, true));
        assertEquals("<s>|<|endoftext|>", tokenizer.chatTemplate().orElseThrow().render(List.of(), List.of(), false));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            /model/type                    | "WordPiece"                        | the model WordPiece
            /model/byte_fallback           | true                               | byte_fallback
            /model/dropout                 | 0.1                                | dropout
            /model/end_of_word_suffix      | "</w>"                             | end_of_word_suffix
            /model/vocab                   | {}                                 | no vocabulary
            /model/vocab                   | {"a": -1}                          | the id -1
            /model/vocab                   | {"a": 1e9}                         | the id 1.0E9
            /model/vocab                   | {"a": 2000000000}                  | the id 2000000000
            /model/vocab                   | {"a": 0, "b": 0}                   | the id 0 to two tokens
            /model/vocab                   | {"a\\nb": -1}                       | token a\\nb the id -1
            /model/merges                  | "x"                                | merges that is no list
            /model/merges                  | ["a"]                              | no pair: "a"
            /model/merges                  | [["a", "b", "c"]]                  | no pair
            /model/merges                  | ["zz9 zz9"]                        | 'zz9' (merge number 0)
            /pre_tokenizer                 | {"type": "Metaspace"}              | the pre_tokenizer Metaspace
            /pre_tokenizer                 | {"type": "Sequence", "pretokenizers": []} | without ByteLevel
            /pre_tokenizer                 | null                               | without a type
            /pre_tokenizer/pretokenizers/0/behavior | "Sideways"                | Sideways
            /pre_tokenizer/pretokenizers/0/pattern  | {"Glob": "*"}             | Glob
            /pre_tokenizer/pretokenizers/0/pattern  | {"Regex": "(a"}           | a missing ')'
            /pre_tokenizer/pretokenizers/0/pattern  | {"Regex": "[^\\r\\n]+)"}   | a ')' too many
            /normalizer                    | {"type": "Lowercase"}              | the normalizer Lowercase
            /decoder                       | {"type": "WordPiece"}              | the decoder WordPiece
            /decoder                       | {"type": "Sequence", "decoders": []} | without ByteLevel
            /post_processor                | {"type": "Other"}                  | the post_processor Other
            /post_processor                | {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]} | puts x around
            /post_processor                | {"type": "RobertaProcessing", "sep": ["x", 9999], "cls": ["y", 1]} | the id 9999
            /added_tokens                  | 7                                  | added_tokens that is no list
            """)
    void refusesWhatItCannotReadInOneLine(String pointer, String value, String reason, @TempDir Path folder)
            throws IOException {
        ObjectNode json = (ObjectNode) Fixtures.read("qwen2_tiny", Tokenizer.FILE);
        int slash = pointer.lastIndexOf('/');
        ObjectNode parent = (ObjectNode) json.at(pointer.substring(0, slash));
        parent.set(pointer.substring(slash + 1), Fixtures.JSON.readTree(value));
        Path file = folder.resolve("tokenizer.json");
        Files.write(file, Fixtures.JSON.writeValueAsBytes(json));
        BadInput refusal = assertThrows(BadInput.class, () -> Tokenizer.load(folder));
        assertTrue(Fixtures.message(refusal).contains(reason), Fixtures.message(refusal));
        assertEquals(1, Fixtures.message(refusal).lines().count(), Fixtures.message(refusal));
    }

    @Test
    void refusesBrokenFilesInOneLine(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        assertRefused(folder, "there is no file " + file);
        byte[] good = Files.readAllBytes(Fixtures.folder("qwen2_tiny").resolve(Tokenizer.FILE));
        for (byte[] bad : List.of(
                new byte[0],
                Arrays.copyOf(good, good.length / 2),
                "[]".getBytes(StandardCharsets.UTF_8),
                "null".getBytes(StandardCharsets.UTF_8),
                "{}x".getBytes(StandardCharsets.UTF_8),
                "{".repeat(100_000).getBytes(StandardCharsets.UTF_8),
                new byte[] {(byte) 0xFF, 0, 1})) {
            Files.write(file, bad);
            assertRefused(folder, file.toString());
        }
        Files.write(file, good);
        Files.writeString(folder.resolve(Tokenizer.CONFIG_FILE), "{\"bos_token\": ");
        assertRefused(folder, "tokenizer_config.json is not JSON");
    }

    private static void assertRefused(Path folder, String reason) {
        BadInput refusal = assertThrows(BadInput.class, () -> Tokenizer.load(folder));
        assertTrue(Fixtures.message(refusal).contains(reason), Fixtures.message(refusal));
        assertEquals(1, Fixtures.message(refusal).lines().count(), Fixtures.message(refusal));
    }
}
