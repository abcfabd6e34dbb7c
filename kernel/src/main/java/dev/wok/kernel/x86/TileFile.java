package dev.wok.kernel.x86;

import dev.wok.kernel.host.UserCache;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

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

    Path path() {
        return folder.resolve(
                "tiles-%s-%s-%d-v%d.properties".formatted(UserCache.fileName(processor), isa.text(), threads, FORMAT));
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
        UserCache.write(path(), properties, "The fastest tiles that wok found; wok bench --tune searches again.");
    }
}
