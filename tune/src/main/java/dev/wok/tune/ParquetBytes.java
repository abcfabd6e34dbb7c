package dev.wok.tune;

import dev.hardwood.InputFile;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The bytes of a Parquet file, copied as they are asked for. They are not mapped: a reader's threads may
/// still decompress after it was closed, and where the file is cut short meanwhile, native code that reads
/// a mapping of it takes the whole virtual machine down.
final class ParquetBytes implements InputFile {
    private final Path file;
    private @Nullable FileChannel channel;

    ParquetBytes(Path file) {
        this.file = file;
    }

    @Override
    public void open() throws IOException {
        if (channel == null) {
            channel = FileChannel.open(file);
        }
    }

    @Override
    public ByteBuffer readRange(long offset, int length) throws IOException {
        if (length < 0 || offset < 0 || offset > length() - length) {
            throw new EOFException("it has %d bytes, not the %d from %d on".formatted(length(), length, offset));
        }
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (channel().read(bytes, offset + bytes.position()) < 0) {
                throw new EOFException(
                        "it ends at byte %d of %d".formatted(offset + bytes.position(), offset + length));
            }
        }
        return bytes.flip();
    }

    @Override
    public long length() throws IOException {
        return channel().size();
    }

    @Override
    public String name() {
        return String.valueOf(file.getFileName());
    }

    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
        }
    }

    private FileChannel channel() {
        if (channel == null) {
            throw new IllegalStateException("not opened: " + file);
        }
        return channel;
    }
}
