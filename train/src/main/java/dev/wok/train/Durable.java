package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.stream.Stream;

/// Files that survive a kill and a power cut: written beside their name, forced to the disk, renamed.
public final class Durable {
    static final String PART = ".part";

    private Durable() {}

    /// What belongs into a folder.
    @FunctionalInterface
    public interface Filling {
        /// Writes all of it.
        void write(Path folder) throws IOException;
    }

    /// The name under which something is written before it is complete.
    public static Path part(Path path) {
        return path.resolveSibling(path.getFileName() + PART);
    }

    /// Writes a file that is complete or absent.
    ///
    /// @throws BadInput where the disk is full or the folder cannot be written
    public static void write(Path file, byte[] bytes) {
        write(file, part(file), bytes);
    }

    /// @param part where it lies until it is complete
    static void write(Path file, Path part, byte[] bytes) {
        write(file, part, out -> out.write(bytes));
    }

    /// Something to write.
    @FunctionalInterface
    public interface Contents {
        /// @param out buffered; not to be closed
        /// @throws IOException what writing to it throws
        void writeTo(OutputStream out) throws IOException;
    }

    /// Writes a file of any size that is complete or absent.
    ///
    /// @param file replaced where it is there
    /// @param contents written beside it first
    /// @throws BadInput where the disk is full or the folder cannot be written
    public static void write(Path file, Contents contents) {
        write(file, part(file), contents);
    }

    private static void write(Path file, Path part, Contents contents) {
        try {
            try (FileChannel channel = FileChannel.open(
                            part,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.WRITE);
                    OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel))) {
                contents.writeTo(out);
                out.flush();
                channel.force(true);
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            forceFolder(Objects.requireNonNull(file.toAbsolutePath().getParent()));
        } catch (IOException e) {
            throw BadInput.writing(file, e, part);
        } catch (RuntimeException e) {
            deleteQuietly(part, e);
            throw e;
        }
    }

    static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /// Makes a folder that is complete or absent, in the place of one that has its name already.
    ///
    /// @throws BadInput where it cannot be written; what was there before stays
    public static void folder(Path folder, Filling filling) {
        Path part = part(folder);
        try {
            delete(part);
            Files.createDirectories(part);
            filling.write(part);
            delete(folder);
            publish(part, folder);
        } catch (IOException e) {
            deleteQuietly(part, e);
            throw BadInput.writing(folder, e);
        } catch (RuntimeException e) {
            deleteQuietly(part, e);
            throw e;
        }
    }

    /// Forces the names in a folder to the disk, where the system can open a folder.
    static void forceFolder(Path folder) throws IOException {
        if (!System.getProperty("os.name").startsWith("Windows")) {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    /// Forces a file, or all files of a folder, to the disk.
    static void force(Path path) throws IOException {
        try (Stream<Path> files = Files.walk(path)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
            }
        }
    }

    /// Gives a complete folder its name.
    public static void publish(Path part, Path folder) throws IOException {
        force(part);
        forceFolder(part);
        Files.move(part, folder, StandardCopyOption.ATOMIC_MOVE);
        forceFolder(Objects.requireNonNull(folder.toAbsolutePath().getParent()));
    }

    /// Removes what is half-written.
    ///
    /// @param reason remembers what could not be removed
    static void deleteQuietly(Path path, Exception reason) {
        try {
            delete(path);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    /// Removes a file or a folder with all that it holds; nothing where there is none.
    public static void delete(Path path) throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @org.jspecify.annotations.Nullable IOException e)
                    throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
