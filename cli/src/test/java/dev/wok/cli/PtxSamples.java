package dev.wok.cli;

import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/// Kernels in PTX that tests run, by the names of their files.
final class PtxSamples {
    private PtxSamples() {}

    /// @param name of a file without its ending
    static Path file(String name) {
        try {
            URL found = Objects.requireNonNull(PtxSamples.class.getResource("/ptx/" + name + ".ptx"), name);
            return Path.of(found.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    static String text(String name) throws IOException {
        return Files.readString(file(name));
    }

    /// Runs `wok ptx`.
    ///
    /// @param command `check` or `run`
    /// @param name of a sample
    static Captured run(String command, String name, String... options) {
        return run(command, file(name), options);
    }

    static Captured run(String command, Path file, String... options) {
        String[] arguments = new String[options.length + 3];
        arguments[0] = "ptx";
        arguments[1] = command;
        arguments[2] = file.toString();
        System.arraycopy(options, 0, arguments, 3, options.length);
        return Captured.run(arguments);
    }
}
