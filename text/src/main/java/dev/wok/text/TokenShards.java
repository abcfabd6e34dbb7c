package dev.wok.text;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalInt;
import java.util.stream.Stream;

/// The tokens of many documents, one after another, in a memory-mapped file: two bytes an id where the vocabulary
/// allows it, else four, so that a corpus larger than memory costs no more than the pages in use.
///
/// Any thread may read.
public final class TokenShards implements AutoCloseable {
    private final Path file;
    private final Arena arena;
    private final MemorySegment map;
    private final ShardLayout layout;

    private TokenShards(Path file, Arena arena, MemorySegment map, ShardLayout layout) {
        this.file = file;
        this.arena = arena;
        this.map = map;
        this.layout = layout;
    }

    /// Turns documents into tokens; see the other [#write].
    public static void write(
            Path file, Tokenizer tokenizer, Stream<Corpus.Document> documents, int threads, Progress progress) {
        write(file, tokenizer, documents, -1, 0, threads, progress);
    }

    /// Turns documents into tokens: beside the file's name first, then renamed, so that it is complete or absent.
    /// Each document becomes its beginning-of-sequence token, its text's tokens and its end-of-sequence token, as
    /// far as the tokenizer has them; where it has only the latter, that stands at both ends, so that the text's
    /// first token can be predicted too. A document without any token is left out.
    ///
    /// @param file where to; the folder must be there
    /// @param tokenizer used on several threads
    /// @param documents read on the calling thread and closed; their order is that of the file, whatever the
    ///     threads
    /// @param totalBytes UTF-8 bytes of all texts, for the progress; negative where nobody knows
    /// @param fingerprint of the settings and texts, to be found again as [#fingerprint]
    /// @param threads how many tokenize
    /// @param progress told of the bytes done
    /// @throws BadInput where the disk is full or the folder cannot be written; nothing half-written is left then
    public static void write(
            Path file,
            Tokenizer tokenizer,
            Stream<Corpus.Document> documents,
            long totalBytes,
            long fingerprint,
            int threads,
            Progress progress) {
        OptionalInt first = tokenizer.bosId().isPresent() ? tokenizer.bosId() : tokenizer.eosId();
        ShardWriter.Encoding encoding =
                new ShardWriter.Encoding(tokenizer::encode, first, tokenizer.eosId(), tokenizer.size());
        ShardWriter.write(file, encoding, documents, totalBytes, fingerprint, threads, progress);
    }

    /// Maps a file that [#write] made.
    ///
    /// @throws BadInput where there is no such file, or its lengths and tables contradict each other
    public static TokenShards open(Path file) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new TokenShards(file, arena, map, ShardLayout.read(file, map));
        } catch (IOException e) {
            arena.close();
            throw BadInput.reading(file, e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /// @return how many tokens
    public long tokens() {
        return layout.tokens();
    }

    /// @return how many documents; none is without tokens
    public long documents() {
        return layout.documents();
    }

    /// @return UTF-8 bytes of the text behind the tokens
    public long bytes() {
        return layout.bytes();
    }

    /// @return size of the vocabulary: every id is below it
    public int vocabulary() {
        return (int) layout.vocabulary();
    }

    /// @return what was given when they were written: of the settings and texts that these tokens were made from
    public long fingerprint() {
        return layout.fingerprint();
    }

    /// @param index in 0 ≤ index < [#tokens]
    /// @return the id
    /// @throws BadInput where the file holds an id beyond the vocabulary
    public int token(long index) {
        if (index < 0 || index >= layout.tokens()) {
            throw new IndexOutOfBoundsException("token %d of %d".formatted(index, layout.tokens()));
        }
        long offset = ShardLayout.HEADER_BYTES + index * layout.width();
        int id = layout.width() == Short.BYTES
                ? Short.toUnsignedInt(map.get(ShardLayout.SHORT, offset))
                : map.get(ShardLayout.INT, offset);
        if (id < 0 || id >= layout.vocabulary()) {
            throw ShardLayout.broken(
                    file, offset, "id %d is beyond the vocabulary of %d".formatted(id, layout.vocabulary()));
        }
        return id;
    }

    /// @param document in 0 ≤ document ≤ [#documents]
    /// @return the index of its first token; [#tokens] behind the last document
    public long start(long document) {
        if (document == layout.documents()) {
            return layout.tokens();
        }
        return tableAt(layout.startsOffset(), document);
    }

    /// @param document in 0 ≤ document < [#documents]
    /// @return UTF-8 bytes of its text
    public long bytes(long document) {
        long end = tableAt(layout.endsOffset(), document);
        return document == 0 ? end : end - tableAt(layout.endsOffset(), document - 1);
    }

    /// @param token in 0 ≤ token < [#tokens]
    /// @return the document that it belongs to
    public long documentOf(long token) {
        if (token < 0 || token >= layout.tokens()) {
            throw new IndexOutOfBoundsException("token %d of %d".formatted(token, layout.tokens()));
        }
        long low = 0;
        long high = layout.documents() - 1;
        while (low < high) {
            long middle = (low + high + 1) >>> 1;
            if (start(middle) <= token) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    private long tableAt(long offset, long document) {
        if (document < 0 || document >= layout.documents()) {
            throw new IndexOutOfBoundsException("document %d of %d".formatted(document, layout.documents()));
        }
        return map.get(ShardLayout.LONG, offset + document * Long.BYTES);
    }

    /// @return where the tokens lie
    public Path file() {
        return file;
    }

    @Override
    public void close() {
        arena.close();
    }
}
