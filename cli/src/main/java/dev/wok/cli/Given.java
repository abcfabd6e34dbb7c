package dev.wok.cli;

import dev.wok.generate.Constraint;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.TypeConversionException;

/// What the parser has filled in by the time that a command runs.
final class Given {
    private Given() {}

    /// @param value of a required parameter or option
    static <T> T required(@Nullable T value) {
        return Objects.requireNonNull(value, "the parser refuses a command without it");
    }

    /// @return a path as a shell takes it for one word
    static String quoted(Path path) {
        String text = path.toString();
        return text.matches("[\\w./@%+=:-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
    }

    /// @throws TypeConversionException where there is nothing, which would mean the working folder
    static Path path(String text) {
        if (text.isBlank()) {
            throw new TypeConversionException("an empty path was given");
        }
        return Path.of(text);
    }

    /// The refusal of what stands on the input.
    static BadInput unreadable(IOException e) {
        return e instanceof CharacterCodingException
                ? new BadInput("the input is not UTF-8; convert it first.", e)
                : new BadInput("the input could not be read: %s.".formatted(e.getMessage()), e);
    }

    /// @param file a JSON schema
    /// @throws BadInput where it cannot be read, or asks for what is not supported
    static Constraint schema(Path file) {
        try {
            return Constraint.schema(Files.readString(file));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (BadInput e) {
            throw new BadInput("%s: %s".formatted(file, e.getMessage()), e);
        }
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
