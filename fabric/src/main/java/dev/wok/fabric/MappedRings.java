package dev.wok.fabric;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The file that two processes of one machine map for a link: the ring of the lower rank's frames, then that of the
/// upper's. It lies in memory where the machine has a folder for that, only its user may open it, and once both have
/// mapped it, its name is removed: no end of a process leaves anything behind.
///
/// @param path of the file
record MappedRings(Path path, RingLayout layout, MemorySegment up, MemorySegment down) {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    /// The memory cannot be shared.
    static final class NoRoom extends IOException {
        private static final long serialVersionUID = 1;

        NoRoom(String message, @Nullable IOException cause) {
            super(message, cause);
        }
    }

    /// Makes the file.
    ///
    /// @throws NoRoom where that much memory cannot be shared
    static MappedRings create(RingLayout layout) throws NoRoom {
        Path folder = Files.isWritable(SHARED_MEMORY) ? SHARED_MEMORY : Path.of(System.getProperty("java.io.tmpdir"));
        try {
            Path path = Files.createTempFile(
                    folder,
                    "wok-ring-%d-".formatted(ProcessHandle.current().pid()),
                    "",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            try {
                fill(path, layout);
                MappedRings rings = map(path, layout);
                rings.up.set(FrameLayout.LONG, 0, RingLayout.VERSION);
                rings.down.set(FrameLayout.LONG, 0, RingLayout.VERSION);
                return rings;
            } catch (IOException e) {
                Files.deleteIfExists(path);
                throw e;
            }
        } catch (IOException e) {
            throw new NoRoom(
                    "%d bytes in %s could not be had (%s)".formatted(2 * layout.total(), folder, e.getMessage()), e);
        }
    }

    /// Writes zeros, so that memory that is not there is missed here, not later by a write that ends the process.
    private static void fill(Path path, RingLayout layout) throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            ByteBuffer zeros = ByteBuffer.allocate((int) RingLayout.FRAMES);
            for (long at = 0; at < 2 * layout.total(); at += zeros.capacity()) {
                file.write(zeros.rewind());
            }
        }
    }

    /// Maps the file that the lower rank made.
    ///
    /// @throws NoRoom where it is not to be seen from here, or another
    static MappedRings open(Path path, RingLayout layout) throws NoRoom {
        try {
            long bytes = Files.size(path);
            if (bytes != 2 * layout.total()) {
                throw new NoRoom("%s has %d bytes, %d are expected".formatted(path, bytes, 2 * layout.total()), null);
            }
            MappedRings rings = map(path, layout);
            long version = rings.up.get(FrameLayout.LONG, 0);
            if (version != RingLayout.VERSION) {
                throw new NoRoom(
                        "%s has version %d, %d is expected".formatted(path, version, RingLayout.VERSION), null);
            }
            return rings;
        } catch (NoRoom e) {
            throw e;
        } catch (IOException e) {
            throw new NoRoom("%s could not be opened (%s)".formatted(path, e.getMessage()), e);
        }
    }

    private static MappedRings map(Path path, RingLayout layout) throws IOException {
        try (FileChannel file = FileChannel.open(path, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE))) {
            MemorySegment both = file.map(FileChannel.MapMode.READ_WRITE, 0, 2 * layout.total(), Arena.ofAuto());
            return new MappedRings(
                    path, layout, both.asSlice(0, layout.total()), both.asSlice(layout.total(), layout.total()));
        }
    }

    /// Removes the file's name.
    void unlink() throws IOException {
        Files.deleteIfExists(path);
    }

    /// @return this end of the link: the lower rank's where the peer is the upper
    RingLink link(Peer peer) {
        return peer.self() < peer.rank() ? new RingLink(layout, up, down, peer) : new RingLink(layout, down, up, peer);
    }
}
