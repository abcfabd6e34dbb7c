package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.fabric.Fabric;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Seeds;
import dev.wok.text.Tokenizer;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.snakeyaml.engine.v2.api.Load;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.ObjectMapper;

/// A run that is killed (SIGKILL) at moments that chance picks, and resumed each time, against one that was
/// left alone.
class KillTest {
    private static final int STEPS = 80;
    static final Map<String, String> CHANGES = Map.of("steps", String.valueOf(STEPS), "checkpoint_every", "3");
    private static final int KILLS = 4;
    private static final long SECONDS_AT_MOST = 120;

    @TempDir
    Path folder;

    @Test
    void aKilledRunEndsAsOneThatWasNot() throws IOException, InterruptedException {
        Path corpus = TinyRun.corpus(folder);
        Path whole = folder.resolve("whole");
        assertEquals(0, spawn(whole, corpus).waitFor());
        Path killed = folder.resolve("killed");
        Rng rng = Seeds.rng("KillTest");
        Process early = spawn(killed, corpus);
        while (early.isAlive() && !Files.exists(killed.resolve("run.json"))) {
            Thread.sleep(1);
        }
        early.waitFor(rng.below(0, 300), TimeUnit.MILLISECONDS);
        early.destroyForcibly().waitFor();
        assertFalse(Files.exists(killed.resolve("result.json")), "the first kill came too late");
        int kills = 0;
        for (int i = 1; i <= KILLS; i++) {
            Process process = spawn(killed, corpus);
            // The records of the sitting before lie there until this one cuts them back.
            long lines = lines(killed) + 1 + rng.below(2 * i, STEPS / 2 / KILLS);
            while (process.isAlive() && lines(killed) < lines) {
                Thread.sleep(1);
            }
            process.waitFor(rng.below(2 * i + 1, 20), TimeUnit.MILLISECONDS);
            kills += process.isAlive() ? 1 : 0;
            process.destroyForcibly().waitFor();
        }
        assertTrue(kills > 1, "but %d of %d runs ended before they were killed".formatted(KILLS - kills, KILLS));
        Process last = spawn(killed, corpus);
        assertTrue(last.waitFor(SECONDS_AT_MOST, TimeUnit.SECONDS));
        assertEquals(0, last.exitValue());
        TrainerTest.assertSameRun(whole, killed);
        String optimizer = "checkpoints/step-%08d/optimizer.safetensors".formatted(STEPS);
        assertArrayEquals(Files.readAllBytes(whole.resolve(optimizer)), Files.readAllBytes(killed.resolve(optimizer)));
    }

    @Test
    void aFolderStaysLockedAfterARefusal() throws IOException, InterruptedException {
        Path corpus = TinyRun.corpus(folder);
        Path out = folder.resolve("busy");
        try (Trainer trainer = TinyRun.start(out, corpus, CHANGES)) {
            String message = String.valueOf(assertThrows(BadInput.class, () -> TinyRun.resume(out, Map.of()))
                    .getMessage());
            assertTrue(
                    message.contains(
                            "(process %d)".formatted(ProcessHandle.current().pid())),
                    message);
            assertEquals(KilledRun.REFUSED, spawn(out, corpus).waitFor());
            assertFalse(Files.exists(out.resolve("metrics.jsonl")));
            assertFalse(trainer.requestStop());
        }
    }

    private static long lines(Path run) throws IOException {
        Path metrics = run.resolve("metrics.jsonl");
        return Files.exists(metrics)
                ? Files.readString(metrics, StandardCharsets.ISO_8859_1)
                        .chars()
                        .filter(c -> c == '\n')
                        .count()
                : 0;
    }

    private static Process spawn(Path out, Path corpus) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-Xmx1g",
                "-cp",
                classPath(),
                KilledRun.class.getName(),
                out.toString(),
                corpus.toString()));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    /// The test classes and whatever the run needs, wherever this process found them.
    private static String classPath() {
        Class<?>[] needed = {
            Trainer.class,
            Tokenizer.class,
            Model.class,
            Fabric.class,
            Kernels.class,
            Device.class,
            Tensor.class,
            Progress.class,
            ObjectMapper.class,
            JsonParser.class,
            com.fasterxml.jackson.annotation.JsonProperty.class,
            Load.class
        };
        // This room does not see the one that kernels are written with.
        URI emit = ModuleLayer.boot()
                .configuration()
                .findModule("wok.emit")
                .flatMap(module -> module.reference().location())
                .orElseThrow();
        return Stream.concat(
                        Stream.of(testClasses(), Path.of(emit)),
                        Stream.of(needed)
                                .map(type -> located(type.getProtectionDomain()
                                        .getCodeSource()
                                        .getLocation())))
                .map(Path::toString)
                .distinct()
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static Path testClasses() {
        Path file = located(Objects.requireNonNull(KillTest.class.getResource("KillTest.class")));
        Path root = file;
        for (String _ : KillTest.class.getName().split("\\.")) {
            root = Objects.requireNonNull(root.getParent());
        }
        return root;
    }

    private static Path located(URL url) {
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
