package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.CachePages;
import dev.wok.model.Chunk;
import dev.wok.model.Model;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What a model that does not learn, a reference or a teacher, says of the texts of batches: its
/// logits. They are read a few hundred tokens at a time, so that few of them exist at once. A text's
/// do not depend on the texts beside it, and have the bits of those that an engine samples from. One
/// thread at a time.
final class Scorer implements AutoCloseable {
    /// What logits that were read ahead may take.
    private static final long BYTES = 64L << 20;

    private static final int LEAST = 32;

    private final Model model;
    private final int vocabulary;
    private final int block;
    private @Nullable CachePages pages;

    /// A text of a batch, from its first token to its last one with a target.
    ///
    /// @param known how many of its tokens need not be read, because the text before it begins alike:
    ///     whole pages
    /// @param pages of the cache, those that it shares first
    private record Piece(int from, int to, int known, int[] pages) {
        int begin() {
            return from + known;
        }
    }

    /// @param model stays the caller's; trained or opened to infer
    /// @param vocabulary how many logits are wanted, the student's: where the model has more, the
    ///     rest is left out, and an id that it has none for is as unlikely as its unlikeliest
    Scorer(Model model, int vocabulary) {
        this.model = model;
        this.vocabulary = vocabulary;
        long bytes = (long) Float.BYTES * Math.max(vocabulary, model.config().vocabSize());
        block = (int) Math.clamp(BYTES / bytes, LEAST, Model.CHUNK);
    }

    /// Begins to read a batch; the one before is forgotten.
    Reading read(Batch batch) {
        List<Piece> pieces = new ArrayList<>();
        int next = 0;
        int tokens = batch.tokens().length;
        for (int from = 0, to; from < tokens; from = to) {
            to = from + 1;
            int end = from;
            while (to < tokens && batch.keyStart()[to] == from) {
                to++;
            }
            for (int row = from; row < to; row++) {
                end = batch.targets()[row] >= 0 ? row + 1 : end;
            }
            if (end > from) {
                Piece piece = pieces.isEmpty()
                        ? piece(from, end, 0, new int[0], next)
                        : beside(batch, pieces.getLast(), from, end, next);
                pieces.add(piece);
                next += piece.pages.length - piece.known / CachePages.TOKENS;
            }
        }
        return new Reading(batch, pieces, cache(Math.max(1, next)));
    }

    /// Answers to one question begin alike.
    ///
    /// @param next the first page that nobody has
    private static Piece beside(Batch batch, Piece before, int from, int to, int next) {
        int most = Math.min(before.to - before.from, to - from);
        int alike = 0;
        while (alike < most
                && batch.targets()[from + alike] < 0
                && batch.tokens()[from + alike] == batch.tokens()[before.from + alike]) {
            alike++;
        }
        int shared = alike / CachePages.TOKENS;
        return piece(from, to, shared * CachePages.TOKENS, Arrays.copyOf(before.pages, shared), next);
    }

    private static Piece piece(int from, int to, int known, int[] shared, int next) {
        int own = CachePages.pages(to - from) - shared.length;
        return new Piece(
                from,
                to,
                known,
                IntStream.concat(Arrays.stream(shared), IntStream.range(next, next + own))
                        .toArray());
    }

    private CachePages cache(int needed) {
        if (pages == null || pages.pages() < needed) {
            close();
            pages = model.cachePages(needed);
        }
        return pages;
    }

    /// A batch as it is read, from its first text to its last.
    final class Reading {
        private final Batch batch;
        private final List<Piece> pieces;
        private final CachePages cache;
        private final float[] @Nullable [] logits;
        private int piece;
        private int at;

        private Reading(Batch batch, List<Piece> pieces, CachePages cache) {
            this.batch = batch;
            this.pieces = pieces;
            this.cache = cache;
            logits = new float[batch.tokens().length][];
            at = pieces.isEmpty() ? 0 : pieces.getFirst().begin();
        }

        /// Reads on, so that the logits after these tokens are there, and forgets those before.
        ///
        /// @param rows with targets, in their order, after those asked for before
        void advance(int... rows) {
            Arrays.fill(logits, 0, rows[0], null);
            while (logits[rows[rows.length - 1]] == null) {
                more();
            }
        }

        /// @param row one that was last asked for
        /// @return `[vocabulary]`, of the student's; for any number of threads
        float[] logits(int row) {
            float[] found = logits[row];
            if (found == null) {
                throw new IllegalStateException("logits of row %d were not asked for".formatted(row));
            }
            return found;
        }

        private void more() {
            List<Chunk> chunks = new ArrayList<>();
            List<Integer> rows = new ArrayList<>();
            for (int room = block; room > 0 && piece < pieces.size(); ) {
                Piece text = pieces.get(piece);
                int to = Math.min(text.to, at + room);
                int first = at;
                while (first < to && batch.targets()[first] < 0) {
                    first++;
                }
                IntStream.range(first, to).forEach(rows::add);
                int[] ids = Arrays.copyOfRange(batch.tokens(), at, to);
                chunks.add(new Chunk(text.pages, at - text.from, ids, to - first));
                room -= to - at;
                at = to;
                if (to == text.to && ++piece < pieces.size()) {
                    at = pieces.get(piece).begin();
                }
            }
            model.extend(cache, chunks, (some, before) -> keep(rows.subList(before, before + some.size()), some));
        }

        private void keep(List<Integer> rows, List<float[]> some) {
            for (int i = 0; i < rows.size(); i++) {
                if (batch.targets()[rows.get(i)] >= 0) {
                    logits[rows.get(i)] = fitted(some.get(i));
                }
            }
        }
    }

    private float[] fitted(float[] row) {
        float[] fitted = Arrays.copyOf(row, vocabulary);
        if (row.length < vocabulary) {
            float least = Float.POSITIVE_INFINITY;
            for (float logit : row) {
                least = Math.min(least, logit);
            }
            Arrays.fill(fitted, row.length, vocabulary, least);
        }
        return fitted;
    }

    @Override
    public void close() {
        if (pages != null) {
            pages.close();
            pages = null;
        }
    }
}
