package dev.wok.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// NVIDIA's assembler, of the version that the table was written against or a later one.
public final class Ptxas {
    private static final int RELEASE = 13;
    private static final Pattern VERSION = Pattern.compile("release (\\d+)");
    private static final Pattern ERROR = Pattern.compile("line (\\d+); error\\s*: (.*)");

    private Ptxas() {}

    /// @return why there is no such assembler, or nothing where there is one
    public static Optional<String> missing() {
        try {
            Matcher version = VERSION.matcher(run("ptxas", "--version").output);
            boolean isRecent = version.find() && Integer.parseInt(version.group(1)) >= RELEASE;
            return isRecent ? Optional.empty() : Optional.of("the ptxas here is older than 13.0");
        } catch (UncheckedIOException e) {
            return Optional.of("no ptxas (CUDA toolkit) here: " + e.getMessage());
        }
    }

    private record Result(int status, String output) {}

    /// Assembles without optimizing, so that nothing is left out because nobody uses it.
    ///
    /// @return what is wrong, by line from 1 on; with line 0 for the whole
    public static Map<Integer, String> assemble(String text, String target) {
        Result result = assemble(text, target, "-O0");
        Map<Integer, String> errors = new TreeMap<>();
        Matcher error = ERROR.matcher(result.output);
        while (error.find()) {
            errors.merge(Integer.parseInt(error.group(1)), error.group(2), (a, b) -> a + "; " + b);
        }
        if (result.status != 0 && errors.isEmpty()) {
            errors.put(0, "ptxas ends with status %d: %s".formatted(result.status, result.output));
        }
        return errors;
    }

    /// Assembles as the driver would.
    ///
    /// @return what the assembler says of registers, shared memory and spills
    /// @throws AssertionError where it refuses the text
    public static String report(String text, String target) {
        Result result = assemble(text, target, "-v");
        if (result.status != 0) {
            throw new AssertionError(result.output + "\n" + text);
        }
        return result.output;
    }

    private static Result assemble(String text, String target, String option) {
        try {
            Path file = Files.createTempFile("wok", ".ptx");
            try {
                Files.writeString(file, text);
                return run("ptxas", option, "-arch=" + target, "-o", "/dev/null", file.toString());
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Result run(String... command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            try (var output = process.getInputStream()) {
                String text = new String(output.readAllBytes(), StandardCharsets.UTF_8);
                return new Result(process.waitFor(), text);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
