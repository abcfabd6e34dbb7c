package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackingTest {
    @TempDir
    Path folder;

    /// Shards in which token i has id i.
    private TokenShards counting(int... lengths) {
        List<Corpus.Document> documents = new ArrayList<>();
        Map<String, int[]> ids = new HashMap<>();
        int next = 0;
        for (int length : lengths) {
            int[] document = new int[length];
            for (int i = 0; i < length; i++) {
                document[i] = next++;
            }
            ids.put("text " + documents.size(), document);
            documents.add(new Corpus.Document("d", "text " + documents.size()));
        }
        ShardWriter.Encoding encoding = new ShardWriter.Encoding(
                text -> ids.getOrDefault(text, new int[0]), OptionalInt.empty(), OptionalInt.empty(), next + 1);
        return TokenShardsTest.shards(folder.resolve("counting"), documents, encoding, 1);
    }

    private static int[] lengths(Random random, int documents, int longest) {
        return random.ints(documents, 1, longest + 1).toArray();
    }

    @Test
    void smallExample() {
        try (TokenShards shards = counting(3, 1, 5)) {
            Packing packing = new Packing(shards, 4, 0);
            assertEquals(2, packing.sequences());
            Packing.Sequence first = packing.sequence(0);
            Packing.Sequence second = packing.sequence(1);
            if (first.tokens()[0] != 0) {
                Packing.Sequence other = first;
                first = second;
                second = other;
            }
            assertArrayEquals(new int[] {0, 1, 2, 3}, first.tokens());
            assertArrayEquals(new int[] {1, 2, -1, -1}, first.targets());
            assertArrayEquals(new int[] {0, 1, 2, 0}, first.positions());
            assertArrayEquals(new int[] {0, 0, 0, 3}, first.starts());
            assertArrayEquals(new int[] {4, 5, 6, 7}, second.tokens());
            assertArrayEquals(new int[] {5, 6, 7, 8}, second.targets());
            assertArrayEquals(new int[] {0, 1, 2, 3}, second.positions());
            assertArrayEquals(new int[] {0, 0, 0, 0}, second.starts());
        }
    }

    @Test
    void eachEpochHasEachTokenOnceAndTargetsStayInside() {
        Random random = new Random(1);
        for (int round = 0; round < 60; round++) {
            int length = 1 + random.nextInt(40);
            int[] lengths = lengths(random, 20 + random.nextInt(60), 1 + random.nextInt(100));
            try (TokenShards shards = counting(lengths)) {
                if (shards.tokens() <= length) {
                    continue;
                }
                Packing packing = new Packing(shards, length, round);
                long sequences = packing.sequences();
                assertEquals((shards.tokens() - 1) / length, sequences);
                for (int epoch = 0; epoch < 3; epoch++) {
                    boolean[] seen = new boolean[(int) sequences * length];
                    for (long i = 0; i < sequences; i++) {
                        Packing.Sequence sequence = packing.sequence(epoch * sequences + i);
                        check(shards, sequence);
                        for (int token : sequence.tokens()) {
                            assertFalse(seen[token]);
                            seen[token] = true;
                        }
                    }
                    for (boolean token : seen) {
                        assertTrue(token);
                    }
                }
            }
        }
    }

    private static void check(TokenShards shards, Packing.Sequence sequence) {
        int length = sequence.tokens().length;
        for (int i = 0; i < length; i++) {
            int token = sequence.tokens()[i];
            long document = shards.documentOf(token);
            boolean last = token + 1 == shards.start(document + 1);
            assertEquals(last ? -1 : token + 1, sequence.targets()[i]);
            long begin = Math.max(shards.start(document), sequence.tokens()[0]);
            assertEquals(token - begin, sequence.positions()[i]);
            assertEquals(begin - sequence.tokens()[0], sequence.starts()[i]);
        }
    }

    @Test
    void epochsAndSeedsDifferAndRepeat() {
        try (TokenShards shards = counting(5000)) {
            Packing packing = new Packing(shards, 10, 3);
            Packing other = new Packing(shards, 10, 4);
            long n = packing.sequences();
            int sameEpoch = 0;
            int sameSeed = 0;
            for (int i = 0; i < 100; i++) {
                int first = packing.sequence(i).tokens()[0];
                assertEquals(first, new Packing(shards, 10, 3).sequence(i).tokens()[0]);
                sameEpoch += first == packing.sequence(n + i).tokens()[0] ? 1 : 0;
                sameSeed += first == other.sequence(i).tokens()[0] ? 1 : 0;
            }
            assertTrue(sameEpoch < 8 && sameSeed < 8, sameEpoch + " and " + sameSeed + " the same");
            assertEquals(10, packing.sequence(1_000_000_000_000L).tokens().length);
            assertThrows(IndexOutOfBoundsException.class, () -> packing.sequence(-1));
        }
    }

    @Test
    void tooFewTokensAreRefused() {
        try (TokenShards shards = counting(3, 5)) {
            assertEquals(1, new Packing(shards, 7, 0).sequences());
            String line = Refusal.of(() -> new Packing(shards, 8, 0));
            assertTrue(line.contains("it has 8 tokens, a sequence of 8 needs 9"), line);
            assertThrows(BadInput.class, () -> new Packing(shards, 0, 0));
        }
    }

    @Test
    void evaluationPredictsEachTokenOnce() {
        Random random = new Random(2);
        for (int round = 0; round < 60; round++) {
            int length = 1 + random.nextInt(40);
            try (TokenShards shards = counting(lengths(random, 1 + random.nextInt(60), 1 + random.nextInt(100)))) {
                boolean[] predicted = new boolean[(int) shards.tokens()];
                long[] bytes = {0};
                List<Packing.Evaluation> rows =
                        Packing.evaluation(shards, length).toList();
                for (Packing.Evaluation row : rows) {
                    checkRow(shards, row, length, predicted);
                    bytes[0] += row.bytes();
                }
                for (int token = 0; token < predicted.length; token++) {
                    boolean first = token == shards.start(shards.documentOf(token));
                    assertEquals(!first, predicted[token], "token " + token);
                }
                assertEquals(shards.bytes(), bytes[0]);
            }
        }
    }

    private static void checkRow(TokenShards shards, Packing.Evaluation row, int length, boolean[] predicted) {
        Packing.Sequence sequence = row.sequence();
        assertEquals(length, sequence.tokens().length);
        int targets = 0;
        for (int i = 0; i < length; i++) {
            int target = sequence.targets()[i];
            int start = sequence.starts()[i];
            assertEquals(i - start, sequence.positions()[i]);
            if (target < 0) {
                assertEquals(i, start);
                continue;
            }
            targets++;
            assertEquals(sequence.tokens()[i] + 1, target);
            assertEquals(shards.documentOf(sequence.tokens()[i]), shards.documentOf(target));
            assertEquals(sequence.tokens()[start] + i - start, sequence.tokens()[i]);
            assertFalse(predicted[target]);
            predicted[target] = true;
        }
        assertEquals(targets, row.targets());
    }

    @Test
    void evaluationCutsLongDocumentsAndFillsRows() {
        try (TokenShards shards = counting(3, 10, 2)) {
            List<Packing.Evaluation> rows = Packing.evaluation(shards, 4).toList();
            assertArrayEquals(new int[] {0, 1, 0, 0}, rows.get(0).sequence().tokens());
            assertArrayEquals(new int[] {1, 2, -1, -1}, rows.get(0).sequence().targets());
            assertArrayEquals(new int[] {3, 4, 5, 6}, rows.get(1).sequence().tokens());
            assertArrayEquals(new int[] {7, 8, 9, 10}, rows.get(2).sequence().tokens());
            assertArrayEquals(new int[] {11, 13, 0, 0}, rows.get(3).sequence().tokens());
            assertArrayEquals(new int[] {12, 14, -1, -1}, rows.get(3).sequence().targets());
            assertEquals(4, rows.size());
            assertEquals(
                    List.of(6L, 0L, 0L, 12L),
                    rows.stream().map(Packing.Evaluation::bytes).toList());
        }
    }
}
