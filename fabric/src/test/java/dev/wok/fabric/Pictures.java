package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The pictures in `docs/pictures` that code draws; `-Dwok.pictures=write` writes them anew.
final class Pictures {
    private static final Path FOLDER = Path.of("..", "docs", "pictures");

    private Pictures() {}

    static void check(String name, String svg) throws IOException {
        Path file = FOLDER.resolve(name);
        if ("write".equals(System.getProperty("wok.pictures"))) {
            Files.writeString(file, svg);
        }
        assertEquals(
                Files.readString(file),
                svg,
                () -> file + ": where that is meant, run this test with -Dwok.pictures=write");
    }
}
