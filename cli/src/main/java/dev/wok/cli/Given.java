package dev.wok.cli;

import dev.wok.notice.BadInput;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What the parser has filled in by the time that a command runs.
final class Given {
    private Given() {}

    /// @param value of a required parameter or option
    static <T> T required(@Nullable T value) {
        return Objects.requireNonNull(value, "the parser refuses a command without it");
    }

    /// @param file to be written later
    /// @throws BadInput where the folder that it shall lie in is not there
    static void requireFolderOf(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new BadInput(
                    "there is no folder %s to write %s into; make it first.".formatted(folder, file.getFileName()));
        }
    }
}
