package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/// A master and two workers as processes: whatever is killed, the run ends by itself, with the
/// right number.
@Tag("slow")
class KillTest {
    private static final int RANKS = 4;

    @TempDir
    Path folder;

    private Standalone cluster;
    private List<Process> workers = List.of();
    private Path out;
    private Path err;

    @BeforeEach
    void start() throws IOException {
        out = folder.resolve("out.txt");
        err = folder.resolve("err.txt");
        cluster = new Standalone(folder);
    }

    @AfterEach
    void stop() throws IOException {
        cluster.close();
    }

    private Process startMaster() throws IOException, InterruptedException {
        Process master = cluster.startMaster();
        while (!Cluster.answers(cluster.master())) {
            assertTrue(master.isAlive(), "the master ended");
            Thread.sleep(100);
        }
        return master;
    }

    private void startWorkers() throws IOException {
        workers = List.of(cluster.startWorker(RANKS / 2), cluster.startWorker(RANKS / 2));
    }

    private List<ProcessHandle> executorsAndRanks() {
        return workers.stream()
                .flatMap(Process::descendants)
                .filter(ProcessHandle::isAlive)
                .toList();
    }

    private long step() {
        return Steps.last(folder.resolve("out"));
    }

    private String said() {
        return read(err);
    }

    private void awaitStep(long step, Process driver) throws InterruptedException {
        while (step() < step) {
            assertTrue(driver.isAlive(), this::said);
            Thread.sleep(50);
        }
    }

    private void assertFinished(Process driver, int steps) throws IOException, InterruptedException {
        assertTrue(driver.waitFor(5, TimeUnit.MINUTES), this::said);
        assertEquals(0, driver.exitValue(), this::said);
        assertEquals("the number is %d%n".formatted(FakeRank.expected(RANKS, steps)), Files.readString(out));
    }

    @Test
    void fiftyKillsOfRanksAndExecutors() throws IOException, InterruptedException {
        int kills = Integer.getInteger("wok.kills", 50);
        int steps = 30 * kills;
        startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, steps, 50, out, err);
        int killed = kill(kills, driver);
        long at = step();
        assertFinished(driver, steps);
        assertEquals(kills, killed, () -> "the run ended too early, at step " + at);
    }

    /// Kills ranks and executors by chance, at chance moments: half of them while the run begins
    /// again, half of them while it goes on.
    ///
    /// @return how many
    private int kill(int kills, Process driver) throws InterruptedException {
        Random random = new Random(1);
        int killed = 0;
        while (killed < kills && driver.isAlive()) {
            long before = step();
            while (killed % 2 == 0 && step() == before && driver.isAlive()) {
                Thread.sleep(20);
            }
            Thread.sleep(random.nextInt(4000));
            List<ProcessHandle> all = executorsAndRanks();
            if (!all.isEmpty() && all.get(random.nextInt(all.size())).destroyForcibly()) {
                killed++;
            }
        }
        return killed;
    }

    /// A folder of jars that the launcher has built is given as `-Dwok.jars`.
    @Test
    @EnabledIfSystemProperty(named = "wok.jars", matches = ".+")
    void killsOfARunThatTrains() throws IOException, InterruptedException {
        int kills = Integer.getInteger("wok.kills", 50);
        int steps = 10 * kills;
        Path text = folder.resolve("text.txt");
        Files.writeString(text, text(), StandardCharsets.UTF_8);
        Process alone = cluster.startAlone(folder, arguments(steps, "alone"), folder.resolve("alone.txt"));
        assertTrue(alone.waitFor(10, TimeUnit.MINUTES));
        assertEquals(0, alone.exitValue(), () -> read(folder.resolve("alone.txt")));
        startMaster();
        startWorkers();
        Process driver = cluster.startCommand(folder, RANKS, arguments(steps, "out"), out, err);
        int killed = kill(kills, driver);
        assertTrue(driver.waitFor(10, TimeUnit.MINUTES), this::said);
        assertEquals(0, driver.exitValue(), this::said);
        assertEquals(kills, killed, "the run ended too early");
        for (String file : List.of("model/model.safetensors", "model/config.json")) {
            assertEquals(
                    -1,
                    Files.mismatch(
                            folder.resolve("alone").resolve(file),
                            folder.resolve("out").resolve(file)),
                    file);
        }
    }

    private static List<String> arguments(int steps, String out) {
        List<String> arguments = new ArrayList<>(List.of("train", "--out", out, "--data", "text.txt"));
        Map<String, Integer> set = new TreeMap<>(Map.of(
                "steps",
                steps,
                "checkpoint_every",
                3,
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

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void aRunGoesOnWithoutItsMasterAndUnderANewOne() throws IOException, InterruptedException {
        int steps = 400;
        Process master = startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, steps, 50, out, err);
        awaitStep(20, driver);
        master.destroyForcibly().waitFor();
        long lost = step();
        awaitStep(lost + 150, driver);
        assertTrue(said().contains("wok: the master does not answer; the ranks go on."), this::said);
        executorsAndRanks().getLast().destroyForcibly();
        for (int i = 0; i < 300 && !said().contains("wok: waiting for a master at " + cluster.master()); i++) {
            Thread.sleep(100);
        }
        assertTrue(said().contains("wok: waiting for a master at " + cluster.master()), this::said);
        startMaster();
        assertFinished(driver, steps);
    }

    @Test
    void theFirstCtrlCSavesAndNothingStays() throws IOException, InterruptedException {
        startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, 100_000, 50, out, err);
        awaitStep(13, driver);
        new ProcessBuilder("kill", "-INT", Long.toString(driver.pid())).start().waitFor();
        assertTrue(driver.waitFor(30, TimeUnit.SECONDS), this::said);
        assertEquals(130, driver.exitValue(), this::said);
        String saved = Files.readString(folder.resolve("out/checkpoint"));
        assertTrue(said().contains("stopped after step " + saved.substring(0, saved.indexOf(' '))), this::said);
        awaitNone();
    }

    @Test
    void aKilledDriverLeavesNoProcesses() throws IOException, InterruptedException {
        startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, 100_000, 50, out, err);
        awaitStep(6, driver);
        assertFalse(executorsAndRanks().isEmpty());
        driver.destroyForcibly().waitFor();
        awaitNone();
    }

    private void awaitNone() throws InterruptedException {
        for (int i = 0; i < 300 && !executorsAndRanks().isEmpty(); i++) {
            Thread.sleep(100);
        }
        assertEquals(
                List.of(), executorsAndRanks().stream().map(ProcessHandle::info).toList());
    }
}
