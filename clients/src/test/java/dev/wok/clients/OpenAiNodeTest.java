package dev.wok.clients;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// OpenAI's client for Node, in `src/test/node`. Its package is installed into `target`.
class OpenAiNodeTest {
    private static final List<String> FILES = List.of("package.json", "package-lock.json", "client.test.mjs");

    @Test
    void passesItsTests(@TempDir Path keys) throws IOException {
        assumeTrue(Script.exists("node", "--version") && Script.exists("npm", "--version"), "no node and npm here");
        Path folder = Path.of("target", "node").toAbsolutePath();
        Files.createDirectories(folder);
        Path installed = folder.resolve("node_modules/openai/package.json");
        boolean fresh = Files.exists(installed)
                && Files.mismatch(folder.resolve("package-lock.json"), Path.of("src/test/node/package-lock.json")) < 0;
        for (String file : FILES) {
            Files.copy(Path.of("src/test/node", file), folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
        if (!fresh) {
            assumeTrue(
                    Script.exists("npm", "--prefix", folder.toString(), "ci", "--ignore-scripts"), "no registry here");
        }
        Parrots.serveScript(keys, folder, Map.of(), "node", "--test", "client.test.mjs");
    }
}
