package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The pages in Chromium, driven from Node: `src/test/pages`.
@Tag("slow")
class PagesTest {
    private static final Path SOURCES = Path.of("src/test/pages").toAbsolutePath();
    private static final Path PAGES =
            Path.of("src/main/resources/dev/wok/serve/pages").toAbsolutePath();
    private static final Path COPY = Path.of("target/pages").toAbsolutePath();
    private static final List<String> BROWSERS = List.of("chromium", "chromium-browser", "google-chrome");
    private static final Pattern PASSED = Pattern.compile("(?m)^# pass (\\d+)$");
    private static final Pattern PATHS = Pattern.compile(File.pathSeparator, Pattern.LITERAL);
    private static final int LIMIT_MINUTES = 10;

    private record Ended(int code, String output) {}

    @BeforeAll
    static void install() throws IOException {
        for (String program : List.of("node", "npm")) {
            assumeTrue(isInstalled(program), program + " is not installed");
        }
        assumeTrue(BROWSERS.stream().anyMatch(PagesTest::isInstalled), "Chromium is not installed");
        Files.createDirectories(COPY);
        try (Stream<Path> files = Files.list(SOURCES)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, COPY.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
        Ended installed = run(Map.of(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts");
        assumeTrue(installed.code == 0, () -> "npm installs nothing here: " + installed.output);
    }

    private static boolean isInstalled(String program) {
        return PATHS.splitAsStream(Objects.requireNonNullElse(System.getenv("PATH"), ""))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static Ended run(Map<String, String> environment, String... command) throws IOException {
        Path output = Files.createTempFile(COPY, "output", ".txt");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(COPY.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            boolean ended = process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES);
            return new Ended(ended ? process.exitValue() : -1, Files.readString(output));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            Files.delete(output);
        }
    }

    private static void passes(int atLeast, Map<String, String> environment, String... files) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("node", "--test", "--test-concurrency=1", "--test-reporter=tap"));
        command.addAll(List.of(files));
        Map<String, String> all = new HashMap<>(environment);
        all.put("WOK_PAGES", PAGES.toString());
        Ended ended = run(all, command.toArray(String[]::new));
        assertEquals(0, ended.code, ended.output);
        var passed = PASSED.matcher(ended.output);
        assertTrue(passed.find() && Integer.parseInt(passed.group(1)) >= atLeast, ended.output);
    }

    @Test
    void theirParts() throws IOException {
        passes(20, Map.of(), "markdown.test.mjs", "sse.test.mjs", "store.test.mjs");
    }

    @Test
    void withAServerThatPlaysParts() throws IOException {
        passes(45, Map.of(), "chat.test.mjs", "status.test.mjs");
    }

    @Test
    void withTheServer(@TempDir Path folder) throws IOException {
        Path keys = folder.resolve("keys");
        String key = Keys.add(keys, "someone", Keys.Limits.none());
        Server.Options options = Server.Options.defaults()
                .withPort(0)
                .withModel("deepseek", Parrot.usual(Family.DEEPSEEK))
                .withModel("qwen", Parrot.usual(Family.QWEN));
        try (Server open = Server.start(options);
                Server keyed = Server.start(options.withKeys(keys))) {
            passes(
                    6,
                    Map.of(
                            "WOK_OPEN", "http://127.0.0.1:%d/".formatted(open.port()),
                            "WOK_KEYED", "http://127.0.0.1:%d/".formatted(keyed.port()),
                            "WOK_KEY", key),
                    "server.test.mjs");
        }
    }
}
