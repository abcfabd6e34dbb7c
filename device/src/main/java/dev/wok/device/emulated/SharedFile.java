package dev.wok.device.emulated;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.regex.Pattern;

/// Memory that processes of one user and one machine share: a file for temporary things, which they map. It ends with
/// whoever made it.
///
/// @param bytes of it
public record SharedFile(Path path, MemorySegment bytes) {
    /// As many as a driver's handles have.
    private static final int HANDLE = 64;

    private static final Pattern NAME = Pattern.compile("wok-gpu-\\d{1,20}\\.mem");

    /// @param arena closes it
    public static SharedFile create(long size, Arena arena) {
        try {
            Path path = Files.createTempFile("wok-gpu-", ".mem");
            path.toFile().deleteOnExit();
            return new SharedFile(path, map(path, size, arena));
        } catch (IOException e) {
            throw new UncheckedIOException("no memory to share with other processes", e);
        }
    }

    private static MemorySegment map(Path path, long size, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, size, arena);
        }
    }

    /// @return what [#open] finds it by
    public byte[] handle() {
        return Arrays.copyOf(path.getFileName().toString().getBytes(StandardCharsets.US_ASCII), HANDLE);
    }

    /// @param handle of another process's, or anything
    /// @param arena closes it
    /// @return its first bytes
    public static MemorySegment open(byte[] handle, long size, Arena arena) {
        String name = new String(handle, StandardCharsets.US_ASCII).replace("\0", "");
        if (handle.length != HANDLE || !NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "%d bytes are no handle of an emulated GPU's memory, expected the %d of one"
                            .formatted(handle.length, HANDLE));
        }
        Path path = Path.of(System.getProperty("java.io.tmpdir")).resolve(name);
        try {
            long there = Files.size(path);
            if (there < size) {
                throw new IllegalArgumentException(
                        "a handle of %d bytes of an emulated GPU, expected %d at least".formatted(there, size));
            }
            return map(path, size, arena);
        } catch (IOException e) {
            throw new IllegalArgumentException("no emulated GPU of this machine has this memory any longer", e);
        }
    }

    /// Takes its name away: nobody opens it any more.
    public void delete() {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException("a file for temporary things could not be deleted", e);
        }
    }
}
