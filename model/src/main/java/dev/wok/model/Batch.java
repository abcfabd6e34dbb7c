package dev.wok.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Packed sequences of one micro-batch. All arrays are flat, `[sequences * length]`, one sequence after another.
///
/// @param sequences how many
/// @param length tokens of each
/// @param tokens ids
/// @param targets the id that follows each token, -1 where nothing is to be predicted
/// @param positions counted from 0 in each document
/// @param keyStart index in the flat batch of the first token that a token may look at: its document's first
public record Batch(int sequences, int length, int[] tokens, int[] targets, int[] positions, int[] keyStart) {
    public Batch {
        int expected = Math.multiplyExact(sequences, length);
        for (int[] array : new int[][] {tokens, targets, positions, keyStart}) {
            if (array.length != expected) {
                throw new IllegalArgumentException("Batch: %d sequences of %d tokens need arrays of %d, one has %d"
                        .formatted(sequences, length, expected, array.length));
            }
        }
    }

    /// @return one sequence that is one document; the last token has no target
    public static Batch of(int... ids) {
        int[] targets = new int[ids.length];
        int[] positions = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            targets[i] = i + 1 < ids.length ? ids[i + 1] : -1;
            positions[i] = i;
        }
        return new Batch(1, ids.length, ids, targets, positions, new int[ids.length]);
    }

    /// @return the documents in their order, each on pages of its own from 0 on
    List<Chunk> texts() {
        List<Chunk> texts = new ArrayList<>();
        int page = 0;
        for (int from = 0, to; from < tokens.length; from = to) {
            to = from + 1;
            while (to < tokens.length && keyStart[to] == from) {
                to++;
            }
            int next = page + CachePages.pages(to - from);
            int[] pages = IntStream.range(page, next).toArray();
            texts.add(new Chunk(pages, 0, Arrays.copyOfRange(tokens, from, to), 0));
            page = next;
        }
        return texts;
    }

    /// @return the rows that have a target
    int[] targetRows() {
        return IntStream.range(0, targets.length)
                .filter(row -> targets[row] >= 0)
                .toArray();
    }

    /// @return how many tokens have a target
    public int targetCount() {
        int count = 0;
        for (int target : targets) {
            count += target >= 0 ? 1 : 0;
        }
        return count;
    }

    /// The ids `depth` places on, -1 where they belong to another document or another sequence.
    int[] following(int depth) {
        int[] ids = new int[tokens.length];
        for (int i = 0; i < ids.length; i++) {
            int j = i + depth;
            boolean inside = i / length == j / length && j < ids.length && keyStart[j] == keyStart[i];
            ids[i] = inside ? tokens[j] : -1;
        }
        return ids;
    }

    /// The targets `depth` places on, -1 where they belong to another document or another sequence.
    int[] followingTargets(int depth) {
        int[] ids = new int[tokens.length];
        for (int i = 0; i < ids.length; i++) {
            int j = i + depth;
            boolean inside = i / length == j / length && j < ids.length && keyStart[j] == keyStart[i];
            ids[i] = inside ? targets[j] : -1;
        }
        return ids;
    }
}
