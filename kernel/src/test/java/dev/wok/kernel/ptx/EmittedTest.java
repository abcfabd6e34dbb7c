package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The modules are those that were there before, to the letter: a change that only moves code changes
/// none, and one that changes kernels shows which. `-Dwok.emitted=write` writes the list anew.
class EmittedTest {
    private static final Path LIST = Path.of("src/test/resources/emitted.sha256");
    private static final int DIGITS = 16;

    @Test
    void everyModuleIsAsItWas() throws IOException {
        List<String> lines = Emitted.all().stream()
                .map(module -> "%s  %s for %s".formatted(digest(module.text()), module.name(), module.target()))
                .toList();
        if ("write".equals(System.getProperty("wok.emitted"))) {
            Files.write(LIST, lines);
        }
        assertEquals(
                String.join("\n", Files.readAllLines(LIST)),
                String.join("\n", lines),
                "where that is meant, run this test with -Dwok.emitted=write");
    }

    private static String digest(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest).substring(0, DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
