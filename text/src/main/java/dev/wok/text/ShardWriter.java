package dev.wok.text;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.stream.Stream;

/// Writes token shards: texts become ids on several threads, the ids land in the order of the documents.
final class ShardWriter implements AutoCloseable {
    private static final int BUFFER_BYTES = 1 << 20;
    private static final int BATCH_CHARACTERS = 1 << 16;
    private static final int BATCHES_PER_THREAD = 4;

    /// What a tokenizer is here.
    ///
    /// @param encode text to ids, on any thread
    /// @param first put before each document, where there is one
    /// @param last put behind each document, where there is one
    /// @param size every id is below it
    record Encoding(Function<String, int[]> encode, OptionalInt first, OptionalInt last, int size) {
        private int[] document(String text) {
            int[] ids = encode.apply(text);
            int before = first.isPresent() ? 1 : 0;
            int[] whole = new int[before + ids.length + (last.isPresent() ? 1 : 0)];
            System.arraycopy(ids, 0, whole, before, ids.length);
            first.ifPresent(id -> whole[0] = id);
            last.ifPresent(id -> whole[whole.length - 1] = id);
            return whole;
        }
    }

    private record Tokens(int[] ids, int bytes) {}

    private final FileChannel channel;
    private final Encoding encoding;
    private final int width;
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private long[] starts = new long[1024];
    private long[] ends = new long[1024];
    private int documents;
    private long tokens;
    private long bytes;

    private ShardWriter(Path file, Encoding encoding) throws IOException {
        this.channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        this.encoding = encoding;
        this.width = ShardLayout.width(encoding.size());
    }

    /// @param totalBytes of text, for the progress; negative where nobody knows
    /// @throws BadInput where the file cannot be written; nothing half-written is left then
    static void write(
            Path file,
            Encoding encoding,
            Stream<Corpus.Document> documents,
            long totalBytes,
            long fingerprint,
            int threads,
            Progress progress) {
        Path beside = file.resolveSibling(file.getFileName() + ".part");
        try (documents;
                ShardWriter writer = new ShardWriter(beside, encoding);
                Progress.Task task = progress.start("turning text into tokens", totalBytes, "bytes")) {
            writer.channel.position(ShardLayout.HEADER_BYTES);
            InOrder.map(
                    batches(documents.iterator()),
                    threads,
                    threads * BATCHES_PER_THREAD,
                    batch -> encode(batch, encoding),
                    batch -> {
                        writer.append(batch);
                        batch.forEach(document -> task.advance(document.bytes));
                    });
            writer.finish(fingerprint);
        } catch (IOException e) {
            throw BadInput.writing(file, e, beside);
        } catch (WriteFailed e) {
            throw BadInput.writing(file, e.failure, beside);
        } catch (RuntimeException | Error e) {
            remove(beside, e);
            throw e;
        }
        try {
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw BadInput.writing(file, e, beside);
        }
    }

    private static void remove(Path beside, Throwable because) {
        try {
            Files.deleteIfExists(beside);
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }

    private static List<Tokens> encode(List<Corpus.Document> batch, Encoding encoding) {
        List<Tokens> tokens = new ArrayList<>(batch.size());
        for (Corpus.Document document : batch) {
            int bytes = document.text().getBytes(StandardCharsets.UTF_8).length;
            tokens.add(new Tokens(encoding.document(document.text()), bytes));
        }
        return tokens;
    }

    private static Iterator<List<Corpus.Document>> batches(Iterator<Corpus.Document> documents) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return documents.hasNext();
            }

            @Override
            public List<Corpus.Document> next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                List<Corpus.Document> batch = new ArrayList<>();
                for (int characters = 0; characters < BATCH_CHARACTERS && documents.hasNext(); ) {
                    Corpus.Document document = documents.next();
                    characters += document.text().length();
                    batch.add(document);
                }
                return batch;
            }
        };
    }

    /// An IOException on its way out of a callback.
    private static final class WriteFailed extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final IOException failure;

        WriteFailed(IOException failure) {
            super(failure);
            this.failure = failure;
        }
    }

    private void append(List<Tokens> batch) {
        try {
            for (Tokens document : batch) {
                append(document);
            }
        } catch (IOException e) {
            throw new WriteFailed(e);
        }
    }

    private void append(Tokens document) throws IOException {
        if (document.ids.length == 0) {
            return;
        }
        if (documents == starts.length) {
            starts = Arrays.copyOf(starts, 2 * documents);
            ends = Arrays.copyOf(ends, 2 * documents);
        }
        bytes += document.bytes;
        starts[documents] = tokens;
        ends[documents++] = bytes;
        tokens += document.ids.length;
        for (int id : document.ids) {
            if (id < 0 || id >= encoding.size()) {
                throw new IllegalArgumentException(
                        "the tokenizer gave id %d, expected ids below its size %d".formatted(id, encoding.size()));
            }
            room(width);
            if (width == Short.BYTES) {
                buffer.putShort((short) id);
            } else {
                buffer.putInt(id);
            }
        }
    }

    private void finish(long fingerprint) throws IOException {
        ShardLayout layout = new ShardLayout(width, encoding.size(), tokens, documents, bytes, fingerprint);
        long written = ShardLayout.HEADER_BYTES + tokens * width;
        room((int) (layout.startsOffset() - written));
        for (long i = written; i < layout.startsOffset(); i++) {
            buffer.put((byte) 0);
        }
        for (long[] table : List.of(starts, ends)) {
            for (int i = 0; i < documents; i++) {
                room(Long.BYTES);
                buffer.putLong(table[i]);
            }
        }
        flush();
        ByteBuffer header = layout.header();
        while (header.hasRemaining()) {
            channel.write(header, header.position());
        }
        channel.force(true);
    }

    private void room(int wanted) throws IOException {
        if (buffer.remaining() < wanted) {
            flush();
        }
    }

    private void flush() throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        buffer.clear();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
