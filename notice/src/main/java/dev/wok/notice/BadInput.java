package dev.wok.notice;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Refusal of something the user gave: a file, an option, a setting. Its message is the one line that the user
/// reads, so it says what was given, what was expected and what to do. The command prints it without a stack trace
/// and exits with 2, or with 1 where the same may go another time ([DiskFull]).
public sealed class BadInput extends RuntimeException permits DiskFull {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST = 1000;
    /// What systems say of a full disk, and of a user's share of it.
    private static final List<String> FULL = List.of("no space left", "not enough space", "quota exceeded");
    private static final Pattern CONTROL = Pattern.compile("[\\p{Cntrl}\\u0080-\\u009f\\u2028\\u2029]+");

    /// @param message given, expected, what to do. Line ends and control characters, which what was given may hold,
    ///     become blanks, and a very long message is cut
    public BadInput(String message) {
        this(message, null);
    }

    /// @param message as above
    /// @param cause what the machine said
    public BadInput(String message, @Nullable Throwable cause) {
        super(oneLine(message), cause);
    }

    private static String oneLine(String message) {
        String line = CONTROL.matcher(message).replaceAll(" ");
        int[] characters = line.codePoints().toArray();
        if (characters.length <= LONGEST) {
            return line;
        }
        // What was given stands in the middle of a message, what to do at its end.
        return new String(characters, 0, LONGEST / 2)
                + " ... "
                + new String(characters, characters.length - LONGEST / 2, LONGEST / 2);
    }

    /// The refusal of a file or folder that could not be read.
    public static BadInput reading(Path path, IOException cause) {
        return switch (cause) {
            case NoSuchFileException _ -> new BadInput("there is no file %s.".formatted(path), cause);
            case AccessDeniedException _ ->
                new BadInput("%s may not be read by this user; change its permissions.".formatted(path), cause);
            default -> new BadInput("%s could not be read: %s.".formatted(path, said(cause)), cause);
        };
    }

    /// The refusal of a file or folder that could not be written. What was half written is removed.
    /// Where the disk is full it is a [DiskFull].
    ///
    /// @param partial what to remove, if it is there
    public static BadInput writing(Path path, IOException cause, Path... partial) {
        for (Path file : partial) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
        String said = said(cause).toLowerCase(Locale.ROOT);
        if (FULL.stream().anyMatch(said::contains)) {
            return new DiskFull(path, cause);
        }
        if (cause instanceof AccessDeniedException) {
            return new BadInput("%s may not be written by this user; choose another folder.".formatted(path), cause);
        }
        return new BadInput("%s could not be written: %s.".formatted(path, said(cause)), cause);
    }

    /// The refusal of what is no JSON.
    ///
    /// @param what a file, a line of one, the input
    /// @param cause what the parser said, in a first line for people
    public static BadInput notJson(Object what, Exception cause) {
        String said = String.valueOf(cause.getMessage()).lines().findFirst().orElse("");
        int place = said.indexOf(" (start marker at");
        return new BadInput("%s is not JSON: %s.".formatted(what, place < 0 ? said : said.substring(0, place)), cause);
    }

    private static String said(IOException cause) {
        String message =
                cause instanceof FileSystemException e && e.getReason() != null ? e.getReason() : cause.getMessage();
        return switch (cause) {
            case FileAlreadyExistsException _ -> "a file of that name is in its place";
            case NoSuchFileException _ -> "nothing can be made there";
            default -> message == null ? cause.getClass().getSimpleName() : message;
        };
    }
}
