package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BpeTest {

    /// Merges by the definition: the earliest merge that applies, at its leftmost place, again and again.
    private static int[] byDefinition(String word, Map<String, Integer> vocab, List<Bpe.Merge> merges) {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < word.length(); i++) {
            ids.add(id(vocab, word.substring(i, i + 1)));
        }
        boolean changed = true;
        while (changed) {
            changed = false;
            for (int rank = 0; rank < merges.size() && !changed; rank++) {
                Bpe.Merge merge = merges.get(rank);
                for (int i = 0; i + 1 < ids.size() && !changed; i++) {
                    if (ids.get(i) == merge.left() && ids.get(i + 1) == merge.right()) {
                        ids.set(i, merge.merged());
                        ids.subList(i + 1, i + 2).clear();
                        changed = true;
                    }
                }
            }
        }
        return ids.stream().mapToInt(i -> i).toArray();
    }

    private static int id(Map<String, Integer> vocab, String token) {
        return vocab.getOrDefault(token, -1);
    }

    @Test
    void mergesAsDefinedWhateverTheLength() {
        Random random = new Random(5);
        for (int round = 0; round < 60; round++) {
            Map<String, Integer> vocab = new HashMap<>();
            for (char c = 'a'; c <= 'd'; c++) {
                vocab.put(String.valueOf(c), vocab.size());
            }
            List<Bpe.Merge> merges = new ArrayList<>();
            List<String> tokens = new ArrayList<>(vocab.keySet());
            for (int i = 0; i < 25; i++) {
                String left = tokens.get(random.nextInt(tokens.size()));
                String right = tokens.get(random.nextInt(tokens.size()));
                if (!vocab.containsKey(left + right)) {
                    merges.add(new Bpe.Merge(id(vocab, left), id(vocab, right), vocab.size()));
                    vocab.put(left + right, vocab.size());
                    tokens.add(left + right);
                }
            }
            Bpe bpe = new Bpe(vocab, merges, false);
            Bpe.Scratch scratch = new Bpe.Scratch();
            for (int length : new int[] {1, 2, 3, 7, 20, 39, 40, 41, 90, 300}) {
                StringBuilder word = new StringBuilder();
                for (int i = 0; i < length; i++) {
                    word.append((char) ('a' + random.nextInt(1 + random.nextInt(4))));
                }
                char[] chars = word.toString().toCharArray();
                int n = bpe.encode(chars, 0, chars.length, scratch);
                assertArrayEquals(
                        byDefinition(word.toString(), vocab, merges), Arrays.copyOf(scratch.ids(), n), word.toString());
            }
        }
    }

    @Test
    void encodesAMillionEqualLettersInTime() {
        Tokenizer tokenizer = Fixtures.tokenizer("tokenizer_ds3_4096");
        String text = "a".repeat(1_000_000);
        int[] ids = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> tokenizer.encode(text));
        assertEquals(text, tokenizer.decode(ids, false));
    }

    @Test
    void rememberedWordsStayRightWhenTheTableIsFull() {
        Tokenizer tokenizer = Fixtures.tokenizer("qwen2_tiny");
        Random random = new Random(3);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 150_000; i++) {
            text.append(' ');
            for (int n = 2 + random.nextInt(4); n > 0; n--) {
                text.append((char) ('a' + random.nextInt(26)));
            }
        }
        int[] whole = tokenizer.encode(text.toString());
        assertEquals(text.toString(), tokenizer.decode(whole, false));
        Tokenizer fresh = Fixtures.tokenizer("qwen2_tiny");
        int from = text.indexOf(" ", text.length() / 10 * 9);
        int[] end = fresh.encode(text.substring(from));
        assertArrayEquals(end, Arrays.copyOfRange(whole, whole.length - end.length, whole.length));
        assertArrayEquals(whole, tokenizer.encode(text.toString()));
    }
}
