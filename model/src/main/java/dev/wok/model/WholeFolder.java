package dev.wok.model;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// Folders that are there as a whole or not at all, also where the process is ended while they are written.
final class WholeFolder {
    private WholeFolder() {}

    /// @param target does not exist yet
    /// @param content fills the folder that it is given, which gets its name afterwards
    /// @throws BadInput where it exists or cannot be written
    static void write(Path target, Consumer<Path> content) {
        if (Files.exists(target)) {
            throw new BadInput("%s exists already; give a folder that does not.".formatted(target));
        }
        Path beside = target.resolveSibling(target.getFileName() + ".part");
        Thread hook = new Thread(() -> remove(beside));
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            Files.createDirectories(beside);
            content.accept(beside);
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw BadInput.writing(target, e);
        } finally {
            remove(beside);
            removeHook(hook);
        }
    }

    private static void remove(Path folder) {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
            for (Path file : deepestFirst) {
                Files.deleteIfExists(file);
            }
        } catch (IOException | UncheckedIOException e) {
            throw new BadInput("%s could not be removed: %s. Remove it.".formatted(folder, e.getMessage()), e);
        }
    }

    private static void removeHook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // Java shuts down, and the hook runs: what it removes is gone already.
            return;
        }
    }
}
