package dev.wok.text;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// A collection of texts, cleaned and split, that may be larger than memory: opening reads everything once and
/// keeps hashes and places, each stream reads it again.
///
/// Sources are files, folders, `.zip` and `.gz` files, and `.jsonl` files (also gzipped, also inside folders and
/// zips), in any mixture. Include and exclude globs choose by the path inside a folder or zip (`*.java` at any
/// depth, `java.base/**` from the top, a folder's name for all that is in it); a file that is named itself is
/// always read. Without include globs, hidden files and those whose names say that they are binary are left out.
///
/// Dropped, and counted in [#summary]: binary files (a NUL byte), documents that are not UTF-8, that are empty,
/// that repeat another's cleaned text, that say they were generated, that are mostly numbers or rows of a table.
/// Licence comments that open many documents are stripped. Texts of more than 256 KB are cut at line borders into
/// pieces that count as documents; where fewer than 20 documents would remain, the pieces are smaller.
///
/// Which documents are held out depends on the seed and each document's own text only. The order of the streams is
/// shuffled by the seed; pieces and lines of one file stay near each other, so that archives are read in passing.
public final class Corpus implements AutoCloseable {

    /// @param sources files, folders and archives
    /// @param field what holds the text in a `.jsonl`
    /// @param include globs, one of which a path must match; empty for the default
    /// @param exclude globs, none of which a path may match
    /// @param maxBytes of the cleaned text, reached by a seeded sample of the documents; 0 for all
    /// @param heldOut share of the documents that are not trained on, in 0 ≤ share < 1
    /// @param seed of sample, split and order
    public record Settings(
            List<Path> sources,
            String field,
            List<String> include,
            List<String> exclude,
            long maxBytes,
            double heldOut,
            long seed) {
        public Settings {
            sources = List.copyOf(sources);
            include = List.copyOf(include);
            exclude = List.copyOf(exclude);
            if (!(heldOut >= 0 && heldOut < 1)) {
                throw new BadInput("the held-out share is %s; expected a number from 0 to below 1, such as 0.01."
                        .formatted(heldOut));
            }
            if (maxBytes < 0) {
                throw new BadInput("the corpus is limited to %d bytes; expected a positive number, or 0 for all."
                        .formatted(maxBytes));
            }
        }
    }

    /// @param name for people: the path in its source, the line of a `.jsonl`, the number of the piece
    /// @param text cleaned, well-formed
    public record Document(String name, String text) {}

    static final int LONGEST_DOCUMENT = 256 << 10;
    static final int SHORTEST_PIECE = 1 << 10;
    static final int FEW_DOCUMENTS = 20;

    private final Settings settings;
    private final Sources sources;
    private final int limit;
    private final Split split;
    private final List<String> summary;

    private Corpus(Settings settings, Sources sources, int limit, Split split, List<String> summary) {
        this.settings = settings;
        this.sources = sources;
        this.limit = limit;
        this.split = split;
        this.summary = List.copyOf(summary);
    }

    /// Reads, cleans and splits a corpus.
    ///
    /// @throws BadInput where a source is missing, unreadable or corrupt, where a glob is malformed or nothing
    ///     matches, where no text remains, or too little to hold out a part
    public static Corpus open(Settings settings, Progress progress) {
        Globs globs = new Globs(settings.include(), settings.exclude());
        Sources sources = Sources.list(settings.sources(), globs);
        try {
            int limit = LONGEST_DOCUMENT;
            Cleaning cleaning = clean(sources, settings.field(), limit, progress);
            if (settings.heldOut() > 0 && cleaning.documents.size() < FEW_DOCUMENTS) {
                long kept = cleaning.documents.stream().mapToLong(Doc::bytes).sum();
                limit = (int) Math.clamp(kept / FEW_DOCUMENTS, SHORTEST_PIECE, LONGEST_DOCUMENT);
                cleaning = clean(sources, settings.field(), limit, progress);
            }
            if (cleaning.documents.isEmpty()) {
                String dropped = cleaning.dropped.toString();
                throw new BadInput("the corpus %s is empty: it holds %s, and no text%s."
                        .formatted(
                                settings.sources(),
                                cleaning.summary(sources.entries().size()).getFirst(),
                                dropped.isEmpty() ? "" : " after cleaning (dropped: %s)".formatted(dropped)));
            }
            Split split = Split.of(cleaning.documents, settings.maxBytes(), settings.heldOut(), settings.seed());
            List<String> lines =
                    new ArrayList<>(cleaning.summary(sources.entries().size()));
            if (sources.skipped() > 0) {
                lines.add("left out by name: %,d files".formatted(sources.skipped()));
            }
            globs.unmatched().forEach(glob -> lines.add("the include glob %s matched no file".formatted(glob)));
            lines.addAll(split.summary());
            return new Corpus(settings, sources, limit, split, lines);
        } catch (RuntimeException | Error e) {
            sources.close();
            throw e;
        }
    }

    private static Cleaning clean(Sources sources, String field, int limit, Progress progress) {
        List<Entry> entries = sources.entries();
        Scan[] scans = new Scan[entries.size()];
        long total = entries.stream().mapToLong(Entry::packedBytes).sum();
        int threads = Runtime.getRuntime().availableProcessors();
        int[] done = {0};
        try (Progress.Task task = progress.start("reading the corpus", total, "bytes")) {
            InOrder.map(
                    entries.iterator(),
                    threads,
                    Integer.MAX_VALUE,
                    entry -> Scan.of(entry, field, limit, task::advance),
                    scan -> scans[done[0]++] = scan);
        }
        return new Cleaning(scans);
    }

    /// @return `lib/src.zip` of the running JDK, or of the newest other JDK in the usual folders: the Java sources
    ///     that a user of a JDK already has; empty where none has them
    public static Optional<Path> jdkSources() {
        return JdkSources.find();
    }

    /// @return lines for people: files and bytes, what was dropped and why, what is held out
    public List<String> summary() {
        return summary;
    }

    /// Reads the documents to train on, lazily, in a shuffled order that is the same each time. Closing the stream
    /// early closes what it has open.
    ///
    /// @throws BadInput while it runs, where a source has changed or can no longer be read
    public Stream<Document> train() {
        return stream(split.train());
    }

    /// Reads the held-out documents; see [#train].
    public Stream<Document> heldOut() {
        return stream(split.heldOut());
    }

    private Stream<Document> stream(List<Doc> docs) {
        DocumentReader reader = new DocumentReader(sources.entries(), settings.field(), limit, docs, settings.seed());
        return StreamSupport.stream(reader, false).onClose(reader::close);
    }

    /// @return UTF-8 bytes of the text to train on
    public long trainBytes() {
        return Split.bytes(split.train());
    }

    /// @return UTF-8 bytes of the held-out text
    public long heldOutBytes() {
        return Split.bytes(split.heldOut());
    }

    /// @return how many documents there are in both parts
    public long documents() {
        return split.train().size() + (long) split.heldOut().size();
    }

    /// @return a hash of both parts' texts and order: what is computed from the corpus can be kept under it
    public long fingerprint() {
        return split.fingerprint(settings.seed());
    }

    /// What general-purpose compression makes of a text, to compare a model's bits per byte with: the documents,
    /// one after another, through gzip at level 9 (zlib's, which comes within 0.1 % of the gzip program).
    ///
    /// @return 8 × compressed bytes / UTF-8 bytes; 0 where there is no text
    public static double gzipBitsPerByte(Stream<Document> documents) {
        return GzipBaseline.bitsPerByte(documents);
    }

    @Override
    public void close() {
        sources.close();
    }
}
