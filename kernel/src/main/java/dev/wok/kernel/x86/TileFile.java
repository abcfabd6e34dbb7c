package dev.wok.kernel.x86;

import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.Properties;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// Where the tilings of one processor, instruction set and number of threads are kept.
///
/// @param folder of all such files
/// @param processor the name that it has for itself
record TileFile(Path folder, String processor, Isa isa, int threads) {
    /// Raised with every change to files or kernels after which tilings must be searched anew.
    private static final int FORMAT = 2;

    private static final int LARGEST = 1 << 16;

    /// What is in its place.
    sealed interface Content {
        record Found(Tilings tilings) implements Content {}

        record Absent() implements Content {}

        /// @param reason why not, said of the file
        record Unusable(String reason) implements Content {}
    }

    /// @param environment reads a variable, null where it is not set
    /// @param home the user's
    /// @return the folder for what may be deleted at any time, by the rules of freedesktop.org
    static Path folder(UnaryOperator<@Nullable String> environment, String home) {
        String cache = environment.apply("XDG_CACHE_HOME");
        if (cache != null) {
            try {
                Path path = Path.of(cache);
                if (path.isAbsolute()) {
                    return path.resolve("wok");
                }
            } catch (InvalidPathException e) {
                return Path.of(home, ".cache", "wok");
            }
        }
        return Path.of(home, ".cache", "wok");
    }

    Path path() {
        String name =
                processor.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
        return folder.resolve("tiles-%s-%s-%d-v%d.properties".formatted(name, isa.text(), threads, FORMAT));
    }

    Content read() {
        Properties properties = new Properties();
        try {
            if (!Files.exists(path())) {
                return new Content.Absent();
            }
            if (Files.size(path()) > LARGEST) {
                return new Content.Unusable("is too large");
            }
            try (Reader reader = Files.newBufferedReader(path())) {
                properties.load(reader);
            }
            for (String head : head().stringPropertyNames()) {
                String expected = head().getProperty(head);
                if (!expected.equals(properties.getProperty(head))) {
                    return new Content.Unusable(
                            "is of %s %s, not %s".formatted(head, properties.getProperty(head), expected));
                }
            }
            return new Content.Found(
                    Tilings.of(isa, key -> Tiling.parse(properties.getProperty(key.text(), "nothing"))));
        } catch (IOException | IllegalArgumentException e) {
            return new Content.Unusable("cannot be read");
        }
    }

    private Properties head() {
        Properties head = new Properties();
        head.setProperty("format", String.valueOf(FORMAT));
        head.setProperty("processor", processor);
        head.setProperty("isa", isa.text());
        head.setProperty("threads", String.valueOf(threads));
        return head;
    }

    /// Writes it beside and renames it, so that nobody reads a half.
    void write(Tilings tilings) throws IOException {
        Properties properties = head();
        tilings.table().forEach((key, tiling) -> properties.setProperty(key.text(), tiling.text()));
        Files.createDirectories(folder);
        Path partial = Files.createTempFile(folder, "tiles-", ".part");
        try {
            try (Writer writer = Files.newBufferedWriter(partial)) {
                properties.store(writer, "The fastest tiles that wok found; wok bench --tune searches again.");
            }
            Files.move(partial, path(), StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
    }
}
