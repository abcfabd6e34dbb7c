package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Ranks that train nothing ([FakeRank]) under a master and two workers: whatever is killed, the run
/// ends by itself, with the right number.
@Tag("slow")
class StandInTest extends OnStandalone {
    private Path run;

    @BeforeEach
    void place() {
        run = folder.resolve("out");
    }

    /// A rank that is killed when it has said the number, and not yet ended, says it once more.
    private void assertFinished(Process driver, int steps) throws IOException, InterruptedException {
        assertEnds(driver, 0);
        Set<String> said = Set.copyOf(Files.readAllLines(out));
        assertEquals(Set.of("the number is " + FakeRank.expected(RANKS, steps)), said);
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void fiftyKillsOfRanksAndExecutors() throws IOException, InterruptedException {
        int kills = Integer.getInteger("wok.kills", 50);
        int steps = 30 * kills;
        startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, steps, 50, out, err);
        Map<Kills.Moment, Integer> killed = kills(driver, run, steps).all(kills);
        assertFinished(driver, steps);
        int before = killed.values().stream().mapToInt(Integer::intValue).sum()
                - killed.getOrDefault(Kills.Moment.ENDING, 0);
        assertEquals(kills, before, killed::toString);
    }

    @Test
    void aRunGoesOnWithoutItsMasterAndUnderANewOne() throws IOException, InterruptedException {
        int steps = 400;
        Process master = startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, steps, 50, out, err);
        awaitStep(run, 20, driver);
        master.destroyForcibly().waitFor();
        awaitStep(run, Steps.last(run) + 150, driver);
        assertTrue(said().contains("wok: the master does not answer; the ranks go on."), this::said);
        assertTrue(ranks().getLast().destroyForcibly());
        awaitSaid("wok: waiting for a master at " + cluster.master(), driver);
        startMaster();
        assertFinished(driver, steps);
    }

    @Test
    void theFirstCtrlCSavesAndNothingStays() throws IOException, InterruptedException {
        Process master = startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, 100_000, 50, out, err);
        awaitStep(run, 13, driver);
        signal(driver.toHandle(), "INT");
        assertEnds(driver, 130);
        String saved = Files.readString(run.resolve("checkpoint"));
        assertTrue(said().contains("stopped after step " + saved.substring(0, saved.indexOf(' '))), this::said);
        awaitNoRanks(master);
    }

    @Test
    void aKilledDriverLeavesNoProcesses() throws IOException, InterruptedException {
        Process master = startMaster();
        startWorkers();
        Process driver = cluster.startDriver(folder, RANKS, 100_000, 50, out, err);
        awaitStep(run, 6, driver);
        assertFalse(ranks().isEmpty());
        driver.destroyForcibly().waitFor();
        awaitNoRanks(master);
    }
}
