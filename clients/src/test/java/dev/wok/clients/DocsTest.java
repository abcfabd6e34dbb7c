package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.api.Model;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import dev.wok.serve.Server;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The examples in `README.md` and `docs/serve.md`, run as they stand there, but for the port.
class DocsTest {
    private static final String ADDRESS = "http://127.0.0.1:8080";
    private static final Pattern BLOCK = Pattern.compile("```(sh|java|python)\n(.*?)```", Pattern.DOTALL);
    private static final int LINES = 10;

    private static Model model;
    private static Server server;

    private record Example(String language, String text) {}

    @BeforeAll
    static void start() {
        model = Model.load(Parrot.usual(Family.DEEPSEEK));
        server = Server.start(Server.Options.defaults().withPort(0).withModel("r1", model));
    }

    @AfterAll
    static void stop() {
        server.close();
        model.close();
    }

    private static List<Example> examples(String language) throws IOException {
        String text = Files.readString(Path.of("../README.md")) + Files.readString(Path.of("../docs/serve.md"));
        List<Example> examples = BLOCK.matcher(text)
                .results()
                .map(DocsTest::example)
                .filter(example ->
                        example.language().equals(language) && example.text().contains(ADDRESS))
                .toList();
        assertTrue(examples.size() >= 2, () -> examples.size() + " examples in " + language);
        for (Example example : examples) {
            assertTrue(example.text().lines().count() < LINES, example::text);
        }
        return examples;
    }

    private static Example example(MatchResult block) {
        return new Example(block.group(1), block.group(2));
    }

    private static void run(String text, Path folder, String file, List<String> command) throws IOException {
        Files.writeString(folder.resolve(file), text.replace(ADDRESS, "http://127.0.0.1:" + server.port()));
        long before = model.activity().newTokens();
        String output = Script.run(folder, Map.of(), command);
        assertFalse(output.isBlank(), text);
        assertTrue(model.activity().newTokens() > before, text);
    }

    @Test
    void curl(@TempDir Path folder) throws IOException {
        assumeTrue(Script.exists("curl", "--version"), "no curl here");
        for (Example example : examples("sh")) {
            run(example.text(), folder, "example.sh", List.of("sh", "-e", "example.sh"));
        }
    }

    @Test
    void java(@TempDir Path folder) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        for (Example example : examples("java")) {
            run(example.text(), folder, "Example.java", List.of(java, "-cp", classPath, "Example.java"));
        }
    }

    @Test
    @Tag("slow")
    void python(@TempDir Path folder) throws IOException {
        String python = OpenAiPythonTest.python();
        assumeTrue(Script.exists(python, "-c", "import openai"), "no Python with openai here: set WOK_PYTHON");
        for (Example example : examples("python")) {
            run(example.text(), folder, "example.py", List.of(python, "example.py"));
        }
    }

    @Test
    void everyLanguageThatIsPromisedIsInTheReadme() throws IOException {
        String readme = Files.readString(Path.of("../README.md"));
        List<String> missing = Stream.of("```sh\ncurl", "com.openai", "dev.langchain4j", "```python\nfrom openai")
                .filter(part -> !readme.contains(part))
                .toList();
        assertEquals(List.of(), missing);
    }
}
