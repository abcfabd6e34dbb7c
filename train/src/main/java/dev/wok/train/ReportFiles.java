package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A run folder's JSON as a run in progress or a killed one leaves it: missing, cut off, with lines that are damaged.
/// What cannot be read counts as absent.
final class ReportFiles {
    private ReportFiles() {}

    /// @return the file's object, or an empty one
    static JsonNode object(Path file) {
        JsonNode empty = Logs.JSON.createObjectNode();
        if (!Files.isRegularFile(file)) {
            return empty;
        }
        try {
            JsonNode root = Logs.JSON.readTree(Files.readAllBytes(file));
            return root.isObject() ? root : empty;
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            return empty;
        }
    }

    /// Reads objects that have a step, one a line, in the order of their steps.
    ///
    /// @return how many lines were left out: damaged, without a step, or not after the line before
    static long lines(Path file, Consumer<JsonNode> each) {
        return lines(file, false, each);
    }

    /// @param several whether a step may have several lines
    static long lines(Path file, boolean several, Consumer<JsonNode> each) {
        Steps steps = new Steps(several, each);
        texts(file, steps::line);
        return steps.leftOut;
    }

    /// Lines of which each is to have a step.
    private static final class Steps {
        private final boolean several;
        private final Consumer<JsonNode> each;
        private long leftOut;
        private long last = -1;

        Steps(boolean several, Consumer<JsonNode> each) {
            this.several = several;
            this.each = each;
        }

        void line(String line) {
            JsonNode node = parse(line);
            JsonNode step = node.path("step");
            if (step.isIntegralNumber()
                    && step.canConvertToLong()
                    && (step.longValue() > last || several && step.longValue() == last)) {
                last = step.longValue();
                each.accept(node);
            } else {
                leftOut++;
            }
        }
    }

    /// Reads a file's lines, if it is there.
    static void texts(Path file, Consumer<String> each) {
        if (!Files.isRegularFile(file)) {
            return;
        }
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(Files.newInputStream(file), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                each.accept(line);
            }
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    /// @return an empty object for what is none
    static JsonNode parse(String line) {
        try {
            return Logs.JSON.readTree(line);
        } catch (JacksonException e) {
            return Logs.JSON.createObjectNode();
        }
    }

    /// @return how many lines the file has at most
    static long count(Path file) {
        if (!Files.isRegularFile(file)) {
            return 0;
        }
        long lines = 1;
        byte[] buffer = new byte[1 << 16];
        try (InputStream stream = Files.newInputStream(file)) {
            for (int n = stream.read(buffer); n > 0; n = stream.read(buffer)) {
                for (int i = 0; i < n; i++) {
                    lines += buffer[i] == '\n' ? 1 : 0;
                }
            }
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
        return lines;
    }

    /// @return a finite number, or NaN
    static double number(JsonNode object, String key) {
        return number(object.path(key));
    }

    static double number(JsonNode value) {
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        return Double.isFinite(number) ? number : Double.NaN;
    }

    /// @param name a file of this module, seen from this package unless it begins with a slash
    /// @return its text
    static String resource(String name) {
        try (InputStream stream = ReportFiles.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IllegalStateException("%s is missing from the module".formatted(name));
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
