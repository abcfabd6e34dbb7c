package dev.wok.text;

import dev.wok.notice.BadInput;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/// The bytes of a file of token shards, little-endian:
///
/// ```
/// 0                   8                   16                  24                  32
/// | WOKTOKEN          | version, width u32| vocabulary i64    | tokens i64        |
/// | documents i64     | text bytes i64    | fingerprint i64   | 0                 |
/// 64: ids,    tokens × width (u16 or u32), then zeros up to a multiple of 8
///     starts, documents × i64: index of each document's first token
///     ends,   documents × i64: text bytes of all documents up to and with this one
/// ```
///
/// @param width bytes of an id, 2 or 4
/// @param vocabulary every id is below it
/// @param tokens how many ids
/// @param documents how many documents
/// @param bytes UTF-8 bytes of the text behind the ids
/// @param fingerprint of whatever the file was made from
record ShardLayout(int width, long vocabulary, long tokens, long documents, long bytes, long fingerprint) {
    static final int HEADER_BYTES = 64;
    static final int VERSION = 1;
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long MAGIC = 0x4E454B4F544B4F57L;
    private static final int MOST_OF_16_BITS = 1 << 16;

    /// @return the bytes of an id below `vocabulary`
    static int width(long vocabulary) {
        return vocabulary <= MOST_OF_16_BITS ? Short.BYTES : Integer.BYTES;
    }

    long startsOffset() {
        return Math.addExact(HEADER_BYTES, Math.addExact(Math.multiplyExact(tokens, width), Long.BYTES - 1L))
                & -Long.BYTES;
    }

    long endsOffset() {
        return Math.addExact(startsOffset(), Math.multiplyExact(documents, Long.BYTES));
    }

    long fileBytes() {
        return Math.addExact(endsOffset(), Math.multiplyExact(documents, Long.BYTES));
    }

    ByteBuffer header() {
        return ByteBuffer.allocate(HEADER_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(MAGIC)
                .putInt(VERSION)
                .putInt(width)
                .putLong(vocabulary)
                .putLong(tokens)
                .putLong(documents)
                .putLong(bytes)
                .putLong(fingerprint)
                .putLong(0)
                .flip();
    }

    /// Reads and checks the header and the tables of a mapped file.
    ///
    /// @throws BadInput where it contradicts itself or the file's length
    static ShardLayout read(Path file, MemorySegment map) {
        if (map.byteSize() < HEADER_BYTES) {
            throw broken(file, 0, "the file ends after %d bytes, inside its header".formatted(map.byteSize()));
        }
        if (map.get(LONG, 0) != MAGIC) {
            throw broken(file, 0, "it does not begin with WOKTOKEN");
        }
        if (map.get(INT, 8) != VERSION) {
            throw broken(file, 8, "its version is %d, expected %d".formatted(map.get(INT, 8), VERSION));
        }
        ShardLayout layout = new ShardLayout(
                map.get(INT, 12),
                map.get(LONG, 16),
                map.get(LONG, 24),
                map.get(LONG, 32),
                map.get(LONG, 40),
                map.get(LONG, 48));
        if (layout.vocabulary <= 0
                || layout.vocabulary > Integer.MAX_VALUE
                || layout.width != width(layout.vocabulary)) {
            throw broken(
                    file,
                    12,
                    "it announces ids of %d bytes for a vocabulary of %d".formatted(layout.width, layout.vocabulary));
        }
        layout.checkLengths(file, map.byteSize());
        layout.checkTables(file, map);
        return layout;
    }

    private void checkLengths(Path file, long actual) {
        if (tokens < 0 || documents < 0 || bytes < 0) {
            throw broken(file, 24, "it announces a negative number of tokens, documents or bytes");
        }
        long announced;
        try {
            announced = fileBytes();
        } catch (ArithmeticException e) {
            announced = -1;
        }
        if (announced != actual) {
            throw broken(
                    file,
                    24,
                    "it announces %d tokens and %d documents, which %s; the file has %d bytes"
                            .formatted(
                                    tokens,
                                    documents,
                                    announced < 0 ? "no file can hold" : "take %d bytes".formatted(announced),
                                    actual));
        }
    }

    private void checkTables(Path file, MemorySegment map) {
        long start = -1;
        long end = 0;
        for (long i = 0; i < documents; i++) {
            long startAt = startsOffset() + i * Long.BYTES;
            long nextStart = map.get(LONG, startAt);
            if (i == 0 ? nextStart != 0 : nextStart <= start || nextStart >= tokens) {
                throw broken(
                        file,
                        startAt,
                        "document %d begins at token %d of %d, after %d".formatted(i, nextStart, tokens, start));
            }
            start = nextStart;
            long endAt = endsOffset() + i * Long.BYTES;
            long nextEnd = map.get(LONG, endAt);
            if (nextEnd < end || nextEnd > bytes) {
                throw broken(
                        file,
                        endAt,
                        "document %d ends at text byte %d of %d, after %d".formatted(i, nextEnd, bytes, end));
            }
            end = nextEnd;
        }
        if (end != bytes || documents == 0 != (tokens == 0)) {
            throw broken(
                    file,
                    HEADER_BYTES - 32,
                    "%d documents with %d text bytes do not make %d tokens of %d bytes"
                            .formatted(documents, end, tokens, bytes));
        }
    }

    static BadInput broken(Path file, long offset, String what) {
        return new BadInput("%s is no intact file of token shards: at byte %d, %s. Delete it; it will be made again."
                .formatted(file, offset, what));
    }
}
