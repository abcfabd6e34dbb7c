package dev.wok.clients;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.Map;
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
        Path folder = Path.of("src/test/python").toAbsolutePath();
        Map<String, String> environment = Map.of("PYTHONDONTWRITEBYTECODE", "1");
        Parrots.serveScript(keys, folder, environment, python(), "-m", "unittest", "-v", "test_client");
    }
}
