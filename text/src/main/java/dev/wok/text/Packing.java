package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// Training sequences of one length, cut from the shards at its multiples: documents are packed one after another
/// without padding, and cut where a sequence ends. Each epoch visits every sequence once, in an order that the seed
/// and the epoch give.
///
/// A sequence is a pure function of its index: nothing is stored, and a resumed run asks for the next index.
public final class Packing {

    /// Inputs of a model and what it shall predict, all of one length.
    ///
    /// @param tokens ids
    /// @param targets the id after each token; -1 where that belongs to another document or there is none
    /// @param positions counted from 0 at the first token of the document's piece in this sequence
    /// @param starts index in this sequence of the first token that attention may look back to: that of the
    ///     document's piece
    public record Sequence(int[] tokens, int[] targets, int[] positions, int[] starts) {
        private Sequence(int length) {
            this(new int[length], new int[length], new int[length], new int[length]);
        }
    }

    /// A row of windows over held-out documents, filled up with tokens that attend to themselves only and have no
    /// target.
    ///
    /// @param sequence the row
    /// @param targets how many of its targets are not -1
    /// @param bytes UTF-8 bytes of the documents whose last token is predicted in this row
    public record Evaluation(Sequence sequence, int targets, long bytes) {}

    private static final int NONE = -1;

    private final TokenShards shards;
    private final int length;
    private final long seed;
    private final long sequences;

    /// @param shards must stay open while sequences are drawn
    /// @param length tokens of a sequence
    /// @param seed of the order
    /// @throws BadInput where the shards hold less than one sequence and the token after it
    public Packing(TokenShards shards, int length, long seed) {
        requireLength(length);
        this.shards = shards;
        this.length = length;
        this.seed = seed;
        this.sequences = (shards.tokens() - 1) / length;
        if (sequences < 1) {
            throw new BadInput(
                    "the corpus is smaller than one sequence: it has %,d tokens, a sequence of %,d needs %,d. Give more text or train on shorter sequences."
                            .formatted(shards.tokens(), length, length + 1L));
        }
    }

    private static void requireLength(int length) {
        if (length < 1) {
            throw new BadInput("a sequence of %d tokens was asked for; expected at least 1.".formatted(length));
        }
    }

    /// @return how many sequences an epoch has; the tokens behind the last whole one are left out
    public long sequences() {
        return sequences;
    }

    /// @param index from 0 without end: the epoch is `index / sequences()`
    /// @return the sequence
    public Sequence sequence(long index) {
        if (index < 0) {
            throw new IndexOutOfBoundsException("sequence %d".formatted(index));
        }
        long first = Permutation.place(index, sequences, seed) * length;
        Sequence sequence = new Sequence(length);
        long document = shards.documentOf(first);
        long end = shards.start(document + 1);
        int start = 0;
        for (int i = 0; i < length; i++) {
            long token = first + i;
            if (token == end) {
                end = shards.start(++document + 1);
                start = i;
            }
            put(shards, sequence, i, token, token + 1 < end, start);
        }
        return sequence;
    }

    private static void put(TokenShards shards, Sequence sequence, int at, long token, boolean hasTarget, int start) {
        sequence.tokens[at] = shards.token(token);
        sequence.targets[at] = hasTarget ? shards.token(token + 1) : NONE;
        sequence.positions[at] = at - start;
        sequence.starts[at] = start;
    }

    /// Windows for measuring a model on documents in their order. Each document is cut into windows of at most
    /// `length` inputs, each beginning with the last token that the one before predicted, so that every token but a
    /// document's first is predicted exactly once. As many whole windows as fit share a row.
    ///
    /// Bits per byte over any number of rows that end with a document: nats of their targets / ln 2 / their bytes.
    ///
    /// @param shards must stay open while the stream is read
    /// @param length tokens of a row
    /// @return the rows, read lazily
    public static Stream<Evaluation> evaluation(TokenShards shards, int length) {
        requireLength(length);
        return StreamSupport.stream(
                Spliterators.spliteratorUnknownSize(
                        new Rows(shards, length), Spliterator.ORDERED | Spliterator.NONNULL),
                false);
    }

    private static final class Rows implements Iterator<Evaluation> {
        private final TokenShards shards;
        private final int length;
        private long document;
        private long next;

        Rows(TokenShards shards, int length) {
            this.shards = shards;
            this.length = length;
        }

        @Override
        public boolean hasNext() {
            return document < shards.documents();
        }

        @Override
        public Evaluation next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            Sequence row = new Sequence(length);
            int filled = 0;
            long bytes = 0;
            while (hasNext()) {
                long inputs = shards.start(document + 1) - 1 - next;
                int window = (int) Math.min(inputs, length);
                if (window > length - filled) {
                    break;
                }
                for (int i = 0; i < window; i++) {
                    put(shards, row, filled + i, next + i, true, filled);
                }
                filled += window;
                next += window;
                if (window == inputs) {
                    bytes += shards.bytes(document);
                    next = shards.start(++document);
                }
            }
            Arrays.fill(row.targets, filled, length, NONE);
            for (int i = filled; i < length; i++) {
                row.starts[i] = i;
            }
            return new Evaluation(row, filled, bytes);
        }
    }
}
