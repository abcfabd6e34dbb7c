package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.serve.Keys;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// OpenAI's client for Python, in `src/test/python`, with the interpreter that `WOK_PYTHON` names, or `python3`.
@Tag("slow")
class OpenAiPythonTest {
    static String python() {
        return System.getenv().getOrDefault("WOK_PYTHON", "python3");
    }

    @Test
    void passesItsTests(@TempDir Path keys) {
        assumeTrue(Script.exists(python(), "-c", "import openai"), "no Python with openai here: set WOK_PYTHON");
        Path file = keys.resolve("keys");
        String key =
                Keys.add(file, "one", new Keys.Limits(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.of(3)));
        try (Parrots parrots = Parrots.serve(options -> options.withKeys(file))) {
            long before = Parrots.tokensWhenIdle(parrots.qwen());
            Script.run(
                    Path.of("src/test/python").toAbsolutePath(),
                    Map.of("WOK_URL", parrots.url() + "/v1", "WOK_KEY", key, "PYTHONDONTWRITEBYTECODE", "1"),
                    List.of(python(), "-m", "unittest", "-v", "test_client"));
            long generated = Parrots.tokensWhenIdle(parrots.qwen()) - before;
            assertTrue(generated < 10_000, () -> "tokens generated in all: " + generated);
        }
    }
}
