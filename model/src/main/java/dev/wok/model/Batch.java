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
/// @param keyStart index in the flat batch of the first token of a token's document that is here
/// @param begins where the tokens that a token may look at begin: `keyStart`, or, for a document that
///     begins like an earlier one, whose first tokens are not here a second time, the index of that
///     one's first token. It looks at as many tokens from there as the position of its own first token
///     says, and at its own.
public record Batch(
        int sequences, int length, int[] tokens, int[] targets, int[] positions, int[] keyStart, int[] begins) {
    public Batch {
        int expected = Math.multiplyExact(sequences, length);
        for (int[] array : new int[][] {tokens, targets, positions, keyStart, begins}) {
            if (array.length != expected) {
                throw new IllegalArgumentException("Batch: %d sequences of %d tokens need arrays of %d, one has %d"
                        .formatted(sequences, length, expected, array.length));
            }
        }
    }

    /// Documents that have nothing in common.
    public Batch(int sequences, int length, int[] tokens, int[] targets, int[] positions, int[] keyStart) {
        this(sequences, length, tokens, targets, positions, keyStart, keyStart);
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

    /// A document.
    ///
    /// @param begin the row of its first token
    /// @param shared how many rows from there on it has, which are an earlier document's; 0 where it
    ///     has none but its own
    /// @param from the first row of its own
    /// @param to behind the last
    public record Text(int begin, int shared, int from, int to) {
        /// @return its tokens
        public int length() {
            return shared + to - from;
        }

        /// @param i a token of it, from 0
        /// @return the row of the batch
        public int row(int i) {
            return i < shared ? begin + i : from + i - shared;
        }
    }

    /// @return the documents in their order
    /// @throws IllegalArgumentException where one begins like another that is not there, or too short
    public List<Text> texts() {
        List<Text> texts = new ArrayList<>();
        for (int from = 0, to; from < tokens.length; from = to) {
            to = from + 1;
            while (to < tokens.length && keyStart[to] == from) {
                to++;
            }
            int begin = begins[from];
            int shared = begin == from ? 0 : positions[from];
            if (begin != from && !isBeginning(begin, shared, from)) {
                throw new IllegalArgumentException(
                        "Batch: the document at %d begins with %d tokens from %d on, which are no other's beginning"
                                .formatted(from, shared, begin));
            }
            texts.add(new Text(begin, shared, from, to));
        }
        return texts;
    }

    private boolean isBeginning(int begin, int shared, int before) {
        return begin >= 0
                && shared > 0
                && begin + shared <= before
                && begins[begin] == begin
                && keyStart[begin] == begin
                && keyStart[begin + shared - 1] == begin;
    }

    /// Some of the sequences.
    ///
    /// @throws IllegalArgumentException where a document lies in these and in others
    Batch sequences(int from, int to) {
        requireApart(from);
        requireApart(to);
        int first = from * length;
        int end = to * length;
        return new Batch(
                to - from,
                length,
                Arrays.copyOfRange(tokens, first, end),
                Arrays.copyOfRange(targets, first, end),
                Arrays.copyOfRange(positions, first, end),
                shifted(keyStart, first, end),
                shifted(begins, first, end));
    }

    /// @throws IllegalArgumentException where a document lies in this sequence and in the one before
    void requireApart(int sequence) {
        int row = sequence * length;
        if (row < tokens.length && (keyStart[row] != row || begins[row] != row)) {
            throw new IllegalArgumentException(
                    "Batch: sequence %d goes on with a document of the one before, which lies in another part of the gradients"
                            .formatted(sequence));
        }
    }

    private static int[] shifted(int[] rows, int from, int to) {
        return Arrays.stream(rows, from, to).map(row -> row - from).toArray();
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
