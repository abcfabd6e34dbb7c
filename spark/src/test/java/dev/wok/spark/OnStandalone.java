package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/// Tests of a run in the folder `out` under a master and two workers, all of them processes.
abstract class OnStandalone {
    static final int RANKS = 4;

    /// Longer than anything takes on a machine that is busy: it ends a test that fails, and decides nothing else.
    private static final long MILLIS_AT_MOST = TimeUnit.MINUTES.toMillis(5);

    private static final long POLL_MILLIS = 50;

    @TempDir
    Path folder;

    Standalone cluster;
    Path out;
    Path err;
    private List<Process> workers = List.of();

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

    Process startMaster() throws IOException, InterruptedException {
        Process master = cluster.startMaster();
        await(master, () -> Cluster.answers(cluster.master()));
        return master;
    }

    void startWorkers() throws IOException {
        workers = List.of(cluster.startWorker(RANKS / 2), cluster.startWorker(RANKS / 2));
    }

    List<ProcessHandle> executors() {
        return workers.stream()
                .flatMap(Process::children)
                .filter(ProcessHandle::isAlive)
                .toList();
    }

    List<ProcessHandle> ranks() {
        return executors().stream()
                .flatMap(ProcessHandle::children)
                .filter(ProcessHandle::isAlive)
                .toList();
    }

    Kills kills(Process driver, Path run, int steps) {
        return new Kills(driver, run, steps, this::executors, this::ranks);
    }

    /// @param run its folder
    void awaitStep(Path run, long step, Process driver) throws InterruptedException {
        await(driver, () -> Steps.last(run) >= step);
    }

    void awaitSaid(String part, Process driver) throws InterruptedException {
        await(driver, () -> said().contains(part));
    }

    /// @param process that has to live meanwhile
    void await(Process process, BooleanSupplier condition) throws InterruptedException {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(MILLIS_AT_MOST);
        while (!condition.getAsBoolean()) {
            assertTrue(process.isAlive(), this::said);
            assertTrue(System.nanoTime() < until, this::said);
            Thread.sleep(POLL_MILLIS);
        }
    }

    void awaitNoRanks(Process living) throws InterruptedException {
        await(living, () -> executors().isEmpty() && ranks().isEmpty());
    }

    void assertEnds(Process driver, int code) throws InterruptedException {
        assertTrue(driver.waitFor(MILLIS_AT_MOST, TimeUnit.MILLISECONDS), this::said);
        assertEquals(code, driver.exitValue(), this::said);
    }

    /// @return what the driver said
    String said() {
        return read(err);
    }

    static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    static void signal(ProcessHandle process, String name) throws IOException, InterruptedException {
        List<String> line = List.of("kill", "-" + name, Long.toString(process.pid()));
        assertEquals(0, new ProcessBuilder(line).start().waitFor(), line::toString);
    }
}
