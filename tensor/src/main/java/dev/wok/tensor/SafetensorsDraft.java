package dev.wok.tensor;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/// A safetensors file in the making, mapped into memory: its tensors are filled where they lie, so that it
/// may be larger than memory. It gets its name when it is finished; until then it lies beside it.
///
/// Tensors whose bytes are a multiple of 64 lie first, each at a multiple of 64 bytes in the file: whole
/// cache lines where the file is mapped.
public final class SafetensorsDraft implements AutoCloseable {
    private static final int LINE = 64;

    /// A tensor that the file is to hold.
    public record Entry(DType dtype, long[] shape) {
        long bytes() {
            return Math.multiplyExact(Shape.elements(shape), dtype.bytes());
        }
    }

    private final Path file;
    private final Path beside;
    private final Arena arena = Arena.ofShared();
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final MemorySegment map;

    private SafetensorsDraft(Path file, SequencedMap<String, Entry> entries, Map<String, String> metadata) {
        this.file = file;
        beside = file.resolveSibling(file.getFileName() + ".part");
        ByteBuffer header = Safetensors.header(entries, metadata, LINE);
        long position = header.remaining();
        long end = entries.values().stream().mapToLong(Entry::bytes).reduce(position, Math::addExact);
        map = create(header, end);
        for (Map.Entry<String, Entry> named : entries.entrySet()) {
            Entry entry = named.getValue();
            tensors.put(named.getKey(), Tensor.of(map.asSlice(position, entry.bytes()), entry.dtype(), entry.shape()));
            position += entry.bytes();
        }
    }

    /// @param entries by name; they may come to lie in another order
    /// @param metadata strings for `__metadata__`
    /// @throws BadInput where the disk has no room for the file or the folder cannot be written
    public static SafetensorsDraft create(
            Path file, SequencedMap<String, Entry> entries, Map<String, String> metadata) {
        SequencedMap<String, Entry> inOrder = new LinkedHashMap<>();
        entries.forEach((name, entry) -> {
            if (entry.bytes() % LINE == 0) {
                inOrder.put(name, entry);
            }
        });
        entries.forEach(inOrder::putIfAbsent);
        return new SafetensorsDraft(file, inOrder, metadata);
    }

    private MemorySegment create(ByteBuffer header, long bytes) {
        try (FileChannel channel = FileChannel.open(
                beside,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            // What is mapped gets its room on the disk page by page, and a process that finds none is killed.
            long room = Files.getFileStore(beside).getUsableSpace();
            if (room < bytes) {
                throw new IOException("it takes %d bytes, the disk has room for %d".formatted(bytes, room));
            }
            Safetensors.writeFully(channel, header);
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        } catch (IOException e) {
            arena.close();
            throw BadInput.writing(file, e, beside);
        }
    }

    /// @return zeros to be filled, valid until [#close]
    public Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("%s is to hold no tensor %s".formatted(file, name));
        }
        return tensor;
    }

    /// Brings all to the disk and gives the file its name.
    ///
    /// @throws BadInput where that fails
    public void finish() {
        try {
            map.force();
            Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException | java.io.UncheckedIOException e) {
            throw BadInput.writing(file, e instanceof IOException io ? io : new IOException(e), beside);
        }
    }

    /// Unmaps the file, and removes what was not finished.
    @Override
    public void close() {
        arena.close();
        try {
            Files.deleteIfExists(beside);
        } catch (IOException e) {
            throw BadInput.writing(file, e);
        }
    }
}
