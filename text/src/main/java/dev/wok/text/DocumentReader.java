package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.Spliterator;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Pass two: the texts of chosen documents in a shuffled order. A few entries are open at a time, in the order of a
/// hash; from one of them, chosen by a hash again, the next run of its documents is read, shuffled and handed out.
/// Memory holds one run; every entry is read once, from its beginning.
final class DocumentReader implements Spliterator<Corpus.Document>, AutoCloseable {
    private static final int OPEN_ENTRIES = 8;
    private static final int RUN_BYTES = 8 << 20;
    private static final long ENTRIES = 3;
    private static final long CHOICES = 4;
    private static final long RUNS = 5;

    private record Group(int entry, List<Doc> docs) {}

    private record Read(long order, Corpus.Document document) {}

    /// One entry in the middle of being read.
    private final class Cursor implements AutoCloseable {
        private final Entry entry;
        private final List<Doc> docs;
        private final RawDocuments raw;
        private int next;

        Cursor(Group group) throws IOException {
            this.entry = entries.get(group.entry);
            this.docs = group.docs;
            this.raw = new RawDocuments(entry, field, limit, bytes -> {});
        }

        /// @return the next documents, of about [#RUN_BYTES]
        List<Read> run() throws IOException {
            List<Read> run = new ArrayList<>();
            long bytes = 0;
            while (next < docs.size() && bytes < RUN_BYTES) {
                Doc doc = docs.get(next++);
                boolean found;
                do {
                    found = raw.next();
                } while (found && (raw.line() < doc.line() || raw.piece() < doc.piece()));
                if (!found || raw.line() != doc.line() || raw.to() - raw.from() != doc.to()) {
                    throw new BadInput(
                            "%s has changed since the corpus was opened; run again.".formatted(entry.where()));
                }
                String text = new String(raw.bytes(), raw.from() + doc.from(), doc.bytes(), StandardCharsets.UTF_8);
                run.add(new Read(Mix.of(Mix.of(seed, RUNS), doc.hash().low()), new Corpus.Document(name(doc), text)));
                bytes += doc.bytes();
            }
            run.sort(Comparator.comparingLong(Read::order));
            return run;
        }

        private String name(Doc doc) {
            String line = doc.line() == 0 ? "" : ":" + doc.line();
            return entry.name() + line + (doc.piece() == 0 ? "" : " [" + (doc.piece() + 1) + "]");
        }

        boolean exhausted() {
            return next == docs.size();
        }

        @Override
        public void close() throws IOException {
            raw.close();
        }
    }

    private final List<Entry> entries;
    private final String field;
    private final int limit;
    private final long seed;
    private final Queue<Group> waiting;
    private final List<Cursor> open = new ArrayList<>();
    private final Queue<Read> ready = new ArrayDeque<>();
    private long choices;
    private long left;

    /// @param docs by place
    DocumentReader(List<Entry> entries, String field, int limit, List<Doc> docs, long seed) {
        this.entries = entries;
        this.field = field;
        this.limit = limit;
        this.seed = seed;
        this.left = docs.size();
        this.waiting = new ArrayDeque<>(groups(docs, Mix.of(seed, ENTRIES)));
    }

    private static List<Group> groups(List<Doc> docs, long salt) {
        List<Doc> inOrder = docs.stream().sorted(Cleaning.ORDER).toList();
        List<Group> groups = new ArrayList<>();
        int begin = 0;
        for (int i = 1; i <= inOrder.size(); i++) {
            if (i == inOrder.size()
                    || inOrder.get(i).entry() != inOrder.get(begin).entry()) {
                groups.add(new Group(inOrder.get(begin).entry(), inOrder.subList(begin, i)));
                begin = i;
            }
        }
        groups.sort(Comparator.comparingLong(
                group -> Mix.of(salt, group.docs.getFirst().hash().low())));
        return groups;
    }

    @Override
    public boolean tryAdvance(Consumer<? super Corpus.Document> action) {
        while (ready.isEmpty()) {
            if (open.isEmpty() && waiting.isEmpty()) {
                return false;
            }
            readRun();
        }
        left--;
        action.accept(ready.remove().document);
        return true;
    }

    private void readRun() {
        Entry current = null;
        try {
            while (open.size() < OPEN_ENTRIES && !waiting.isEmpty()) {
                Group group = waiting.remove();
                current = entries.get(group.entry);
                open.add(new Cursor(group));
            }
            int chosen = (int) Math.unsignedMultiplyHigh(Mix.of(Mix.of(seed, CHOICES), choices++), open.size());
            Cursor cursor = open.get(chosen);
            current = cursor.entry;
            ready.addAll(cursor.run());
            if (cursor.exhausted()) {
                open.remove(chosen);
                cursor.close();
            }
        } catch (IOException e) {
            close();
            throw current == null ? new BadInput("the corpus can no longer be read.", e) : current.failed(e);
        }
    }

    @Override
    public void close() {
        for (Cursor cursor : open) {
            try {
                cursor.close();
            } catch (IOException e) {
                // Only read from: nothing can be lost.
                continue;
            }
        }
        open.clear();
        waiting.clear();
    }

    @Override
    public @Nullable Spliterator<Corpus.Document> trySplit() {
        return null;
    }

    @Override
    public long estimateSize() {
        return left;
    }

    @Override
    public int characteristics() {
        return ORDERED | NONNULL | IMMUTABLE;
    }
}
