package dev.wok.text;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/// What gzip at level 9 makes of a text.
final class GzipBaseline {

    private static final class Level9 extends GZIPOutputStream {
        Level9(OutputStream out) throws IOException {
            super(out, 1 << 16);
            def.setLevel(Deflater.BEST_COMPRESSION);
        }
    }

    private static final class Counting extends OutputStream {
        private long bytes;

        @Override
        public void write(int b) {
            bytes++;
        }

        @Override
        public void write(byte[] b, int from, int length) {
            bytes += length;
        }
    }

    private GzipBaseline() {}

    static double bitsPerByte(Stream<Corpus.Document> documents) {
        Counting packed = new Counting();
        long[] plain = {0};
        try (documents;
                OutputStream gzip = new Level9(packed)) {
            documents.forEachOrdered(document -> {
                byte[] text = document.text().getBytes(StandardCharsets.UTF_8);
                plain[0] += text.length;
                try {
                    gzip.write(text);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return plain[0] == 0 ? 0 : 8.0 * packed.bytes / plain[0];
    }
}
