package dev.wok.api;

import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Makes folders that [Model#load] maps rather than reads, with weights rounded as asked.
public final class Conversion {
    private Conversion() {}

    /// Writes a model with its tokenizer as a folder of its own. The folder is made beside its name and
    /// renamed: it is there as a whole or not at all, also where the process is ended.
    ///
    /// @param source what [Model#load] takes
    /// @param target a folder that does not exist yet
    /// @param storage what matrices are held as
    /// @throws BadInput where the source is no model, or the target exists or cannot be written
    public static void run(Path source, Path target, Storage storage, Progress progress) {
        if (Files.exists(target)) {
            throw new BadInput("%s exists already; give a folder that does not.".formatted(target));
        }
        Path beside = target.resolveSibling(target.getFileName() + ".part");
        Thread hook = new Thread(() -> remove(beside));
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            dev.wok.model.Model.convert(source, beside, storage, progress);
            Model.tokenizer(source).ifPresent(tokenizer -> tokenizer.save(beside));
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
