package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.CachePages;
import dev.wok.model.Chunk;
import dev.wok.model.Model;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

    /// Tokens of a text that are read.
    ///
    /// @param pages of the text
    /// @param from the first of them, counted in the text
    /// @param to behind the last
    private record Part(Batch.Text text, int[] pages, int from, int to) {}

    /// The first tokens of a page that a text has from another one.
    private record Copy(int from, int to, int tokens) {}

    /// How a batch is read.
    ///
    /// @param beginnings that texts have in common, first of all
    /// @param copies of these, then
    /// @param parts what each text has alone, up to its last token with a target
    /// @param pages of the cache that this takes
    private record Plan(List<Part> beginnings, List<Copy> copies, List<Part> parts, int pages) {
        static Plan of(Batch batch) {
            List<Batch.Text> texts = batch.texts();
            Map<Integer, Integer> common = new HashMap<>();
            texts.forEach(text -> common.merge(text.begin(), text.shared(), Math::max));
            List<Part> beginnings = new ArrayList<>();
            List<Copy> copies = new ArrayList<>();
            List<Part> parts = new ArrayList<>();
            Map<Integer, int[]> tables = new HashMap<>();
            int next = 0;
            for (Batch.Text text : texts) {
                int known = text.shared() > 0 ? text.shared() : common.getOrDefault(text.begin(), 0);
                int length = Math.max(known, read(batch, text));
                int[] before = tables.getOrDefault(text.begin(), new int[0]);
                int whole = text.shared() / CachePages.TOKENS;
                int[] pages = Arrays.copyOf(before, Math.max(whole, CachePages.pages(length)));
                for (int page = whole; page < pages.length; page++) {
                    pages[page] = next++;
                }
                tables.putIfAbsent(text.begin(), pages);
                int rest = text.shared() % CachePages.TOKENS;
                if (rest > 0) {
                    copies.add(new Copy(before[whole], pages[whole], rest));
                } else if (text.shared() == 0 && known > 0) {
                    beginnings.add(new Part(text, pages, 0, known));
                }
                if (length > known) {
                    parts.add(new Part(text, pages, known, length));
                }
            }
            return new Plan(beginnings, copies, parts, next);
        }

        /// @return how many tokens there are up to the last with a target
        private static int read(Batch batch, Batch.Text text) {
            int length = text.length();
            while (length > text.shared() && batch.targets()[text.row(length - 1)] < 0) {
                length--;
            }
            return length;
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
    ///
    /// @param batch whose common beginnings have no targets
    Reading read(Batch batch) {
        Plan plan = Plan.of(batch);
        return new Reading(batch, plan, cache(Math.max(1, plan.pages)));
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
        private final CachePages cache;
        private final float[] @Nullable [] logits;
        private final List<Copy> copies;
        private final Deque<Part> beginnings;
        private final Deque<Part> parts;

        private Reading(Batch batch, Plan plan, CachePages cache) {
            this.batch = batch;
            this.cache = cache;
            logits = new float[batch.tokens().length][];
            copies = plan.copies;
            beginnings = new ArrayDeque<>(plan.beginnings);
            parts = new ArrayDeque<>(plan.parts);
        }

        /// Reads on, so that the logits after these tokens are there, and forgets those before.
        ///
        /// @param rows with targets, in their order, after those asked for before
        void advance(int... rows) {
            Arrays.fill(logits, 0, rows[0], null);
            if (!beginnings.isEmpty()) {
                while (!beginnings.isEmpty()) {
                    read(beginnings);
                }
                copies.forEach(copy -> cache.copy(copy.from, copy.to, copy.tokens));
            }
            while (logits[rows[rows.length - 1]] == null) {
                read(parts);
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

        /// Reads as much as fits into a block, and leaves the rest.
        private void read(Deque<Part> some) {
            List<Chunk> chunks = new ArrayList<>();
            List<Integer> rows = new ArrayList<>();
            for (int room = block; room > 0 && !some.isEmpty(); ) {
                Part part = some.pop();
                int to = Math.min(part.to, part.from + room);
                room -= to - part.from;
                if (to < part.to) {
                    some.push(new Part(part.text, part.pages, to, part.to));
                }
                int[] own = IntStream.range(part.from, to).map(part.text::row).toArray();
                int first = 0;
                while (first < own.length && batch.targets()[own[first]] < 0) {
                    first++;
                }
                Arrays.stream(own).skip(first).forEach(rows::add);
                int[] ids = Arrays.stream(own).map(row -> batch.tokens()[row]).toArray();
                chunks.add(new Chunk(part.pages, part.from, ids, own.length - first));
            }
            model.extend(cache, chunks, (found, before) -> keep(rows.subList(before, before + found.size()), found));
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
