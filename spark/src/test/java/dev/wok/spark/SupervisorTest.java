package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Ranks as processes under tasks that are threads of this one: what becomes of a run when one of
/// them ends.
class SupervisorTest {
    private static final int RANKS = 3;
    private static final int STEPS = 12;
    private static final int TRIES = 2;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Desk desk = new Desk(
            new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8));

    private int run(int ranks, int millis, String... wrong) throws InterruptedException {
        Request request = Fake.request("local[" + ranks + "]", ranks, "out", STEPS, millis, wrong);
        try (Supervisor supervisor = new Supervisor(request, Fake.command(folder), desk, TRIES)) {
            return supervisor.run();
        }
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aKilledRankComesBackFromTheLastCheckpoint() throws InterruptedException {
        assertEquals(0, run(RANKS, 5, "die", "2", "8"), this::said);
        assertEquals(
                "the number is %d%n".formatted(FakeRank.expected(RANKS, STEPS)), out.toString(StandardCharsets.UTF_8));
        List<String> lines = said().lines().toList();
        assertEquals(2, lines.size(), this::said);
        assertTrue(
                lines.getFirst()
                        .matches("wok: rank 2 on \\S+ was killed \\(signal 9\\), after step 7;"
                                + " starting all ranks again from the last checkpoint\\."),
                this::said);
        assertEquals("going on after step 5.", lines.getLast());
    }

    @Test
    void whatIsRefusedIsNotTriedAgain() throws InterruptedException {
        assertEquals(2, run(1, 5, "refuse", "0"), this::said);
        assertTrue(said().endsWith("wok: --steps x: expected a number.\n"), this::said);
        assertFalse(said().contains("again"), this::said);
    }

    @Test
    void aRunThatMakesNoStepsIsGivenUp() throws InterruptedException {
        assertEquals(1, run(1, 1, "fail", "0", "3"), this::said);
        assertTrue(said().contains("no space left on device"), this::said);
        assertTrue(
                said().endsWith("That was try 2 without a new step; giving up. The last checkpoint stays.\n"),
                this::said);
    }

    @Test
    void whatIsRefusedAfterStepsIsTriedAgain() throws InterruptedException {
        assertEquals(1, run(1, 1, "full", "0", "8"), this::said);
        String full = "rank 0 on \\S+ ended: the disk is full: checkpoint was not written";
        List<String> lines = said().lines().toList();
        assertEquals(3, lines.size(), this::said);
        assertTrue(
                lines.getFirst()
                        .matches("wok: " + full
                                + ", after step 7; starting all ranks again from the last checkpoint\\."),
                this::said);
        assertEquals("going on after step 5.", lines.get(1));
        assertTrue(
                lines.getLast()
                        .matches("wok: " + full
                                + "\\. That was try 2 without a new step; giving up\\. The last checkpoint stays\\."),
                this::said);
    }

    @Test
    void aRunThatIsAskedToStopSavesFirst() throws Exception {
        Thread asking = Thread.startVirtualThread(() -> {
            while (desk.step() < 1 && !Thread.currentThread().isInterrupted()) {
                Thread.onSpinWait();
            }
            desk.requestStop();
        });
        assertEquals(130, run(1, 100), this::said);
        asking.join();
        String step = said().lines().reduce((_, last) -> last).orElseThrow().replace("stopped after step ", "");
        assertTrue(Files.readString(folder.resolve("out/checkpoint")).startsWith(step + " "), this::said);
    }

    @Test
    void aMasterThatIsNotThereIsNamed() {
        Request request = Fake.request("spark://127.0.0.1:1", RANKS, "out", STEPS, 1);
        try (Supervisor supervisor = new Supervisor(request, Fake.command(folder), desk, TRIES)) {
            assertEquals(
                    "nothing answers at spark://127.0.0.1:1; start a master there, or see whether a firewall is between.",
                    assertThrows(BadInput.class, supervisor::run).getMessage());
        }
    }
}
