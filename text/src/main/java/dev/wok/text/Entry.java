package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongConsumer;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/// One stream of bytes that a corpus reads: a file, or a member of a zip, either possibly gzipped, holding one text
/// or one JSON object per line.
///
/// @param file the file on disk
/// @param zip the open archive, where the stream is a member of one
/// @param member the name in the archive, empty where there is none
/// @param name for people and for [Corpus.Document#name]
/// @param gzip whether the bytes are gzipped
/// @param jsonl whether each line is a JSON object
/// @param packedBytes size on disk
/// @param hintBytes unpacked size as far as anybody claims to know, else negative
record Entry(
        Path file,
        @Nullable ZipFile zip,
        String member,
        String name,
        boolean gzip,
        boolean jsonl,
        long packedBytes,
        long hintBytes) {

    /// What is unpacked beyond this many bytes must not be beyond [#BOMB_RATIO] times its packed size.
    static final long BOMB_BYTES = 64L << 20;

    static final int BOMB_RATIO = 200;

    /// What unpacks to so much more than its size that it cannot be text.
    static final class Bomb extends IOException {
        private static final long serialVersionUID = 1L;

        Bomb() {
            super("it unpacks to more than %d MB and %d times its size".formatted(BOMB_BYTES >> 20, BOMB_RATIO));
        }
    }

    /// @return the file, and the member of it, for refusals
    String where() {
        return zip == null ? file.toString() : file + ", entry " + member;
    }

    /// @param packed told how many more packed bytes were read
    /// @return the unpacked bytes; reading to the end checks lengths and checksums
    InputStream open(LongConsumer packed) throws IOException {
        InputStream in;
        if (zip == null) {
            in = new Counted(Files.newInputStream(file), packed);
        } else {
            ZipEntry entry = zip.getEntry(member);
            if (entry == null) {
                throw new ZipException("entry vanished");
            }
            in = new Checked(zip.getInputStream(entry), packedBytes, entry.getSize(), entry.getCrc());
            packed.accept(packedBytes);
        }
        return gzip
                ? new Checked(new GZIPInputStream(new BufferedInputStream(in, 1 << 16), 1 << 16), packedBytes, -1, -1)
                : in;
    }

    /// @return the refusal of this entry, whatever went wrong while it was read
    BadInput failed(IOException e) {
        String said = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        if (zip != null && (e instanceof ZipException || e instanceof EOFException)) {
            return new BadInput(
                    "%s is corrupt: its entry %s cannot be unpacked (%s). Copy the archive again from its source."
                            .formatted(file, member, said),
                    e);
        }
        if (gzip && e instanceof EOFException) {
            return new BadInput(
                    "%s is truncated: its gzip data ends too early. Copy it again from its source.".formatted(file), e);
        }
        if (gzip && e instanceof ZipException) {
            return new BadInput(
                    "%s is no intact gzip file (%s). Copy it again from its source.".formatted(file, said), e);
        }
        return BadInput.reading(file, e);
    }

    private static final class Counted extends FilterInputStream {
        private final LongConsumer count;

        Counted(InputStream in, LongConsumer count) {
            super(in);
            this.count = count;
        }

        @Override
        public int read() throws IOException {
            int b = super.read();
            count.accept(b < 0 ? 0 : 1);
            return b;
        }

        @Override
        public int read(byte[] bytes, int from, int length) throws IOException {
            int n = super.read(bytes, from, length);
            count.accept(Math.max(n, 0));
            return n;
        }
    }

    /// Refuses bombs; at the end of the stream, a wrong length or checksum (negative: none to compare with).
    private static final class Checked extends FilterInputStream {
        private final long packedBytes;
        private final long size;
        private final long crc;
        private final CRC32 sum = new CRC32();
        private long count;

        Checked(InputStream in, long packedBytes, long size, long crc) {
            super(in);
            this.packedBytes = packedBytes;
            this.size = size;
            this.crc = crc;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int from, int length) throws IOException {
            int n = super.read(bytes, from, length);
            if (n < 0) {
                if (size >= 0 && count != size) {
                    throw new ZipException("it has %d bytes, the archive's directory says %d".formatted(count, size));
                }
                if (crc >= 0 && sum.getValue() != crc) {
                    throw new ZipException("its checksum is wrong");
                }
                return n;
            }
            count += n;
            if (crc >= 0) {
                sum.update(bytes, from, n);
            }
            if (count > BOMB_BYTES && count / BOMB_RATIO > packedBytes) {
                throw new Bomb();
            }
            return n;
        }
    }
}
