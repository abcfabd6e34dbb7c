package dev.wok.cli;

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What the command reads from and writes to. Results go to `out` and nothing else does; all the rest goes to `err`.
///
/// @param in what was piped in
/// @param out results, UTF-8
/// @param err progress and refusals, UTF-8
/// @param environment the process's environment variables
record Console(InputStream in, PrintStream out, PrintStream err, Map<String, String> environment) {
    private static final int DEFAULT_WIDTH = 80;
    private static final int BUFFER = 1 << 16;

    /// The streams of this process. `out` is buffered: whoever streams to it flushes.
    static Console ofProcess() {
        return new Console(
                System.in,
                new PrintStream(
                        new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER),
                        false,
                        StandardCharsets.UTF_8),
                new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
                System.getenv());
    }

    /// @return what was piped in by lines; a line that is no UTF-8 throws
    BufferedReader lines() {
        return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()));
    }

    /// @return whether `err` is a terminal on which a line can be redrawn (the launcher tests it and sets WOK_TTY)
    boolean redraws() {
        return "1".equals(variable("WOK_TTY")) && !"dumb".equals(variable("TERM"));
    }

    /// @return whether colour is welcome there (see no-color.org)
    boolean colours() {
        return redraws() && variable("NO_COLOR") == null;
    }

    /// @return columns of the terminal
    int width() {
        String columns = variable("COLUMNS");
        if (columns == null || !columns.matches("[1-9][0-9]{0,4}")) {
            return DEFAULT_WIDTH;
        }
        return Integer.parseInt(columns);
    }

    private @Nullable String variable(String name) {
        String value = environment.get(name);
        return value == null || value.isEmpty() ? null : value;
    }
}
