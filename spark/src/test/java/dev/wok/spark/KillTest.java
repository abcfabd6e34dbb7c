package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A run that trains, under a master and two workers: whatever is killed, hangs or is full, it goes on by itself or
/// says why not, and ends with the bits of a run that nothing disturbed. A folder of jars that the launcher has built
/// is given as `-Dwok.jars`.
@Tag("slow")
@EnabledOnOs(OS.LINUX)
@EnabledIfSystemProperty(named = "wok.jars", matches = ".+")
class KillTest extends OnStandalone {
    static final int CHECKPOINT_EVERY = 3;
    private static final int STEPS = 60;

    private static final Pattern LOSS = Pattern.compile("\"step\":(\\d+),.*?\"loss\":([^,]+),");
    private static final String AGAIN = "; starting all ranks again from the last checkpoint.";

    /// Room for what a few steps note, less than a checkpoint takes.
    private static final int BYTES_LEFT = 1 << 16;

    @Test
    @Timeout(value = 90, unit = TimeUnit.MINUTES)
    void killsOfARunThatTrains() throws IOException, InterruptedException {
        int kills = Integer.getInteger("wok.kills", 50);
        int steps = 10 * kills;
        Path undisturbed = undisturbed(steps);
        startMaster();
        startWorkers();
        Process driver = command(steps, "out", Map.of());
        Map<Kills.Moment, Integer> killed =
                kills(driver, folder.resolve("out"), steps).all(kills);
        assertEnds(driver, 0);
        System.out.printf("killed: %s%n", killed);
        int before = killed.values().stream().mapToInt(Integer::intValue).sum()
                - killed.getOrDefault(Kills.Moment.ENDING, 0);
        assertEquals(kills, before, this::said);
        assertSame(undisturbed, folder.resolve("out"), steps);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2})
    void aRankThatHangsIsNamedAndComesBack(int rank) throws IOException, InterruptedException {
        Path undisturbed = undisturbed(STEPS);
        startMaster();
        startWorkers();
        Process driver = command(STEPS, "out", Map.of("WOK_PATIENCE", "5", "WOK_LIMIT", "20"));
        awaitStep(folder.resolve("out"), CHECKPOINT_EVERY + 1, driver);
        ProcessHandle hung = rank(rank);
        signal(hung, "STOP");
        awaitSaid(AGAIN, driver);
        String line =
                said().lines().filter(said -> said.endsWith(AGAIN)).findFirst().orElseThrow();
        assertTrue(
                line.matches("wok: rank \\d on \\S+ ended: .*rank \\d \\(.+\\) has waited 2\\d s in .+ for rank " + rank
                        + ", which has been in .+ for .+; last sign of life .+ ago, after step \\d+" + AGAIN),
                line);
        await(driver, () -> !hung.isAlive());
        assertEnds(driver, 0);
        assertSame(undisturbed, folder.resolve("out"), STEPS);
    }

    @Test
    void aFullDiskIsNamedAndTheSameCommandGoesOnOnceThereIsRoom() throws IOException, InterruptedException {
        Path undisturbed = undisturbed(STEPS);
        Path small = Files.createDirectories(folder.resolve("small"));
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=64m", "wok-test", small.toString()), "only root may mount");
        try {
            startMaster();
            startWorkers();
            Path out = small.resolve("out");
            Process driver = command(STEPS, "small/out", Map.of());
            awaitStep(out, CHECKPOINT_EVERY + 1, driver);
            Path ballast = small.resolve("ballast");
            signal(rank(0), "STOP");
            fill(ballast);
            signal(rank(0), "CONT");
            assertEnds(driver, 1);
            String full = "wok: rank 0 on \\S+ ended: the disk is full: \\S+ was not written, .+";
            String last = "That was try 5 without a new step; giving up\\. The last checkpoint stays\\.";
            assertEquals(5, said().lines().filter(line -> line.matches(full)).count(), this::said);
            assertEquals(
                    1,
                    said().lines()
                            .filter(line -> line.matches(full + "\\. " + last))
                            .count(),
                    this::said);
            assertOnlyWholeCheckpoints(out);
            Files.delete(ballast);
            Process again = command(STEPS, "small/out", Map.of());
            assertEnds(again, 0);
            assertTrue(said().contains("going on after step "), this::said);
            assertSame(undisturbed, out, STEPS);
        } finally {
            cluster.close();
            assertTrue(run("umount", small.toString()));
        }
    }

    private static void fill(Path ballast) throws IOException {
        byte[] zeros = new byte[1 << 12];
        try (OutputStream file = Files.newOutputStream(ballast)) {
            long free = Files.getFileStore(ballast).getUsableSpace() - BYTES_LEFT;
            for (; free > 0; free -= zeros.length) {
                file.write(zeros);
            }
        }
    }

    private static void assertOnlyWholeCheckpoints(Path run) throws IOException {
        try (Stream<Path> files = Files.walk(run)) {
            assertEquals(
                    List.of(),
                    files.filter(file -> file.toString().endsWith(".part")).toList());
        }
        try (Stream<Path> checkpoints = Files.list(run.resolve("checkpoints"))) {
            List<Path> all = checkpoints.toList();
            assertFalse(all.isEmpty());
            all.forEach(checkpoint -> assertTrue(Files.exists(checkpoint.resolve("state.json")), checkpoint::toString));
        }
    }

    @Test
    void aRunGoesOnWithoutItsMasterAndUnderANewOne() throws IOException, InterruptedException {
        int steps = 2 * STEPS;
        Path undisturbed = undisturbed(steps);
        Process master = startMaster();
        startWorkers();
        Path out = folder.resolve("out");
        Process driver = command(steps, "out", Map.of());
        awaitStep(out, CHECKPOINT_EVERY + 1, driver);
        master.destroyForcibly().waitFor();
        awaitSaid("wok: the master does not answer; the ranks go on.", driver);
        awaitStep(out, Steps.last(out) + CHECKPOINT_EVERY + 1, driver);
        assertTrue(ranks().getFirst().destroyForcibly());
        awaitSaid("wok: waiting for a master at %s; the checkpoints are safe.".formatted(cluster.master()), driver);
        startMaster();
        assertEnds(driver, 0);
        assertSame(undisturbed, out, steps);
    }

    /// The same run in a process of its own, of one rank.
    ///
    /// @return its folder
    private Path undisturbed(int steps) throws IOException, InterruptedException {
        Files.writeString(folder.resolve("text.txt"), text(), StandardCharsets.UTF_8);
        Path log = folder.resolve("alone.txt");
        Process alone = cluster.startAlone(folder, arguments(steps, "alone"), log);
        assertEquals(0, alone.waitFor(), () -> read(log));
        return folder.resolve("alone");
    }

    private ProcessHandle rank(int rank) {
        return ranks().stream()
                .filter(process -> Kills.isRank(process, rank))
                .findAny()
                .orElseThrow();
    }

    private Process command(int steps, String run, Map<String, String> environment) throws IOException {
        return cluster.startCommand(folder, RANKS, arguments(steps, run), environment, out, err);
    }

    private static List<String> arguments(int steps, String out) {
        List<String> arguments = new ArrayList<>(List.of("train", "--restartable", "--out", out, "--data", "text.txt"));
        Map<String, Integer> set = new TreeMap<>(Map.of(
                "steps",
                steps,
                "checkpoint_every",
                CHECKPOINT_EVERY,
                "evaluate_every",
                0,
                "hidden_size",
                32,
                "num_hidden_layers",
                2,
                "sequence_length",
                32,
                "vocab_size",
                300,
                "threads",
                1));
        set.forEach((key, value) -> arguments.addAll(List.of("--set", key + "=" + value)));
        return arguments;
    }

    private static String text() {
        Random random = new Random(2);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 4000; i++) {
            text.append("the number ").append(random.nextInt(1000)).append(i % 40 == 0 ? ".\n\n" : " and ");
        }
        return text.toString();
    }

    /// The losses of all steps, each step once, and the model.
    private static void assertSame(Path undisturbed, Path run, int steps) throws IOException {
        List<String> losses = losses(undisturbed);
        assertEquals(steps, losses.size());
        assertEquals(losses, losses(run));
        for (String file : List.of("model/model.safetensors", "model/config.json")) {
            assertEquals(-1, Files.mismatch(undisturbed.resolve(file), run.resolve(file)), file);
        }
    }

    private static List<String> losses(Path run) throws IOException {
        return LOSS.matcher(Files.readString(run.resolve("metrics.jsonl")))
                .results()
                .map(match -> match.group(1) + " " + match.group(2))
                .toList();
    }

    private static boolean run(String... line) throws IOException, InterruptedException {
        return new ProcessBuilder(line)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }
}
