package dev.wok.tensor;

import dev.wok.notice.BadInput;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Reads the header of a GGUF file from front to back. Every length is checked against what is left of
/// the file before anything of that length is made.
final class GgufCursor {
    /// Vocabularies and merges of 256 thousand tokens take some twelve million bytes.
    static final long MAX_HEADER_BYTES = 1L << 28;

    static final int STRING_LENGTH_BYTES = 8;

    private static final int MAX_NAME_BYTES = 0xFFFF;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final MemorySegment map;
    private final long limit;
    private final CharsetDecoder utf8 = StandardCharsets.UTF_8.newDecoder();
    private long at;

    GgufCursor(Path file, MemorySegment map) {
        this.file = file;
        this.map = map;
        this.limit = Math.min(map.byteSize(), MAX_HEADER_BYTES);
    }

    /// @return the next byte's place
    long at() {
        return at;
    }

    /// @return the bytes that the header may still take
    long left() {
        return limit - at;
    }

    /// @return a refusal of the file, which is damaged at the place where the cursor stands
    BadInput broken(String what) {
        return broken(at, what);
    }

    BadInput broken(long place, String what) {
        return new BadInput("%s is no intact GGUF file: at byte %d, %s. Copy it again from its source."
                .formatted(file, place, what));
    }

    /// Requires bytes to be left.
    ///
    /// @param what takes them, for the message
    void require(long bytes, String what) {
        if (bytes < 0 || bytes > left()) {
            throw broken("%s takes %s bytes and %s"
                    .formatted(
                            what,
                            Long.toUnsignedString(bytes),
                            limit < map.byteSize()
                                    ? "the header then more than %d".formatted(MAX_HEADER_BYTES)
                                    : "%d are left of the file".formatted(left())));
        }
    }

    /// @return the memory of the next bytes, which are passed over
    MemorySegment next(long bytes, String what) {
        require(bytes, what);
        MemorySegment next = map.asSlice(at, bytes);
        at += bytes;
        return next;
    }

    int u32(String what) {
        return next(Integer.BYTES, what).get(INT, 0);
    }

    /// @return an unsigned number, negative where it exceeds 63 bits
    long u64(String what) {
        return next(Long.BYTES, what).get(LONG, 0);
    }

    /// Reads a number of things that are to follow.
    ///
    /// @param bytesEach the fewest that each of them takes
    long count(long bytesEach, String what) {
        long place = at;
        long count = u64("the number of " + what);
        if (count < 0 || count > left() / bytesEach) {
            throw broken(
                    place,
                    "it announces %s %s of at least %d bytes each, which %d bytes do not hold"
                            .formatted(Long.toUnsignedString(count), what, bytesEach, left()));
        }
        return count;
    }

    /// @param what it is, for the message
    String name(String what) {
        long place = at;
        String name = string(what);
        if (at - place - STRING_LENGTH_BYTES > MAX_NAME_BYTES) {
            throw broken(
                    place,
                    "%s has %d bytes, expected %d or fewer"
                            .formatted(what, at - place - STRING_LENGTH_BYTES, MAX_NAME_BYTES));
        }
        return name;
    }

    /// @param what it is, for the message
    String string(String what) {
        long length = u64(what);
        long place = at;
        byte[] bytes = Copies.array(next(length, what));
        try {
            return utf8.decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw broken(place, what + " is not UTF-8");
        }
    }
}
