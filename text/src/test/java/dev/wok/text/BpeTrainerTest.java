package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class BpeTrainerTest {
    private static final String WORDS = "[a-z]+|.";

    /// Hears what a run says.
    private static final class Listener implements Progress {
        final List<String> said = new ArrayList<>();

        @Override
        public Task start(String name, long total, String unit) {
            return Progress.silent().start(name, total, unit);
        }

        @Override
        public void say(String line) {
            said.add(line);
        }
    }

    private static List<String> documents(long seed) {
        Random random = new Random(seed);
        List<String> documents = new ArrayList<>();
        for (int d = 0; d < 40; d++) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < 60; i++) {
                for (int n = 1 + random.nextInt(7); n > 0; n--) {
                    text.append((char) ('a' + random.nextInt(1 + random.nextInt(4))));
                }
                text.append(List.of(" ", "é", "\n", "12 ").get(random.nextInt(4)));
            }
            documents.add(text.toString());
        }
        documents.add("");
        return documents;
    }

    /// Counts all pairs anew before each merge.
    private static List<String> mergesByDefinition(List<String> documents, int size) {
        List<String> tokens = new ArrayList<>(List.of("", "", ""));
        Map<String, Integer> ids = new HashMap<>();
        for (int c = 0; c < 0x180; c++) {
            if (ByteAlphabet.bytes(String.valueOf((char) c)) != null) {
                ids.put(String.valueOf((char) c), tokens.size());
                tokens.add(String.valueOf((char) c));
            }
        }
        List<List<Integer>> words = new ArrayList<>();
        for (String document : documents) {
            for (String word : document.split("(?<![a-z])|(?![a-z])", -1)) {
                List<Integer> row = new ArrayList<>();
                for (char c : ByteAlphabet.symbols(word.getBytes(StandardCharsets.UTF_8))
                        .toCharArray()) {
                    row.add(ids.get(String.valueOf(c)));
                }
                words.add(row);
            }
        }
        List<String> merges = new ArrayList<>();
        while (tokens.size() < size) {
            TreeMap<Long, Integer> counts = new TreeMap<>();
            for (List<Integer> word : words) {
                for (int i = 0; i + 1 < word.size(); i++) {
                    counts.merge((long) word.get(i) << 32 | word.get(i + 1), 1, Integer::sum);
                }
            }
            long best = counts.firstKey();
            for (Map.Entry<Long, Integer> count : counts.entrySet()) {
                best = count.getValue() > counts.getOrDefault(best, 0) ? count.getKey() : best;
            }
            int left = (int) (best >>> 32);
            int right = (int) best;
            String token = tokens.get(left) + tokens.get(right);
            merges.add(tokens.get(left) + " " + tokens.get(right));
            if (!ids.containsKey(token)) {
                ids.put(token, tokens.size());
                tokens.add(token);
            }
            for (List<Integer> word : words) {
                for (int i = 0; i + 1 < word.size(); i++) {
                    if (word.get(i) == left && word.get(i + 1) == right) {
                        word.set(i, ids.get(token));
                        word.subList(i + 1, i + 2).clear();
                    }
                }
            }
        }
        return merges;
    }

    private static JsonNode json(Tokenizer tokenizer, Path folder) throws IOException {
        tokenizer.save(folder);
        return Fixtures.JSON.readTree(Files.readAllBytes(folder.resolve(Tokenizer.FILE)));
    }

    @Test
    void mergesTheMostFrequentPairAgainAndAgain(@TempDir Path folder) throws IOException {
        for (long seed = 0; seed < 6; seed++) {
            List<String> documents = documents(seed);
            Tokenizer trained = BpeTrainer.train(documents::stream, 330, 2, Progress.silent(), List.of(WORDS));
            List<String> merges = new ArrayList<>();
            for (JsonNode merge : json(trained, folder).at("/model/merges").values()) {
                merges.add(merge.get(0).asString() + " " + merge.get(1).asString());
            }
            assertEquals(mergesByDefinition(documents, 330), merges);
        }
    }

    @Test
    void isTheSameOnAnyNumberOfThreads(@TempDir Path folder) throws IOException {
        JsonNode one = json(BpeTrainer.train(() -> documents(1).stream(), 400, 1, Progress.silent()), folder);
        JsonNode five = json(BpeTrainer.train(() -> documents(1).stream(), 400, 5, Progress.silent()), folder);
        assertEquals(one, five);
        assertEquals(400, one.at("/model/vocab").size());
    }

    @Test
    void writesFilesThatLoadAgain(@TempDir Path folder) {
        Tokenizer trained = BpeTrainer.train(() -> documents(2).stream(), 500, 2, Progress.silent());
        trained.save(folder);
        Tokenizer loaded = Tokenizer.load(folder);
        assertEquals(OptionalInt.of(0), loaded.bosId());
        assertEquals(OptionalInt.of(1), loaded.eosId());
        assertEquals(OptionalInt.of(2), loaded.id("<｜▁pad▁｜>"));
        assertEquals(OptionalInt.of(3), loaded.id("!"));
        assertEquals(trained.size(), loaded.size());
        Random random = new Random(8);
        for (int i = 0; i < 300; i++) {
            String text = RegexTest.oddText(random, 15);
            int[] ids = loaded.encode(text);
            assertArrayEquals(trained.encode(text), ids);
            assertEquals(text, loaded.decode(ids, false));
            int[] begun = loaded.encode(text, true);
            assertEquals(0, begun[0]);
            assertEquals(ids.length + 1, begun.length);
        }
    }

    @Test
    void saysWhenTheTextIsTooSmall() {
        Listener listener = new Listener();
        Tokenizer trained = BpeTrainer.train(() -> List.of("ab ab abc").stream(), 1000, 2, listener);
        assertEquals(3 + 256 + 2, trained.size());
        assertEquals(1, listener.said.size());
        assertTrue(listener.said.getFirst().contains("has 261"), listener.said.getFirst());
    }

    @Test
    void refusesToTrainOnNothing() {
        assertThrows(
                BadInput.class, () -> BpeTrainer.train(() -> List.of("", "").stream(), 1000, 2, Progress.silent()));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 258, 2_000_000})
    void refusesASizeThatCannotBe(int size) {
        BadInput refusal = assertThrows(
                BadInput.class, () -> BpeTrainer.train(() -> List.of("a").stream(), size, 2, Progress.silent()));
        assertTrue(Fixtures.message(refusal).contains("259"), Fixtures.message(refusal));
    }

    @Test
    void passesOnWhatTheDocumentsThrow() {
        BadInput broken = new BadInput("broken");
        BadInput thrown = assertThrows(
                BadInput.class,
                () -> BpeTrainer.train(
                        () -> List.of("a", "b").stream().peek(s -> {
                            throw broken;
                        }),
                        300,
                        2,
                        Progress.silent()));
        assertEquals("broken", thrown.getMessage());
    }
}
