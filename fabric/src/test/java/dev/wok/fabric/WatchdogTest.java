package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertLinesMatch;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.RecordingProgress;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Who is named when everyone waits.
@Timeout(30)
final class WatchdogTest {
    private static final Duration PATIENCE = Duration.ofMillis(150);

    private final RecordingProgress progress = new RecordingProgress();

    @Test
    void theRankThatComputesForeverIsNamedByAllWhoWait() throws Exception {
        List<Fabric> ranks = threads(Duration.ofMinutes(5));
        CountDownLatch endless = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
            ranks.get(2).doing("an endless step");
            Future<?> hangs = threads.submit(() -> {
                endless.await();
                ranks.get(2).receive(Arena.ofAuto().allocate(1), 1);
                return null;
            });
            Future<?> first = threads.submit(() -> {
                ranks.get(0).doing("step 3");
                ranks.get(0).receive(Arena.ofAuto().allocate(1), 1);
            });
            Future<?> second = threads.submit(() -> {
                ranks.get(1).doing("step 3");
                ranks.get(1).receive(Arena.ofAuto().allocate(1), 2);
                ranks.get(1).send(Arena.ofAuto().allocate(1), 0);
                ranks.get(1).send(Arena.ofAuto().allocate(1), 2);
            });
            while (progress.lines().size() < 2) {
                Thread.sleep(5);
            }
            endless.countDown();
            ranks.get(2).send(Arena.ofAuto().allocate(1), 1);
            hangs.get();
            first.get();
            second.get();
        }
        List<String> lines = progress.lines().stream().sorted().toList();
        String seconds = "[0-9.]+ s";
        assertEquals(2, lines.size());
        assertLinesMatch(
                List.of(
                        "rank 0 \\(step 3\\) has waited %1$s in receive for rank 1( \\(step 3\\), which has waited %1$s in receive for rank 2)?, which has been in (an endless step|step 3) for %1$s\\."
                                .formatted(seconds)),
                List.of(lines.get(0)));
        assertLinesMatch(
                List.of(
                        "rank 1 \\(step 3\\) has waited %1$s in receive for rank 2, which has been in an endless step for %1$s\\."
                                .formatted(seconds)),
                List.of(lines.get(1)));
    }

    @Test
    void aWaitEndsAtTheLimitAndTheOthersLearnWhy() throws Exception {
        List<Fabric> ranks = threads(Duration.ofMillis(400));
        ranks.get(1).doing("step 3");
        ranks.get(2).doing("an endless step");
        Departed first = assertThrowsExactly(
                Departed.class, () -> ranks.get(1).receive(Arena.ofAuto().allocate(1), 0));
        assertLinesMatch(
                List.of("rank 1 \\(step 3\\) has waited [0-9.]+ s in receive for rank 0, "
                        + "which has been in its beginning for [0-9.]+ s\\."),
                List.of(String.valueOf(first.getMessage())));
        assertEquals(0, first.rank());
        assertTrue(first.hung());
        ranks.get(1).close();
        Departed second = assertThrowsExactly(
                Departed.class, () -> ranks.get(2).receive(Arena.ofAuto().allocate(1), 1));
        assertEquals("rank 1 has left the group, because " + first.getMessage(), second.getMessage());
        assertEquals(0, second.rank());
        assertFalse(second.hung());
    }

    @Test
    void aRankThatIsSilentIsToBlameWhateverItSaidLast() {
        Board board = new Board(3);
        Watchdog watchdog = new Watchdog(1, board, PATIENCE, PATIENCE, progress);
        long now = System.nanoTime();
        long later = now + second(60);
        status(board, 0, 2, now - second(6), later);
        status(board, 2, 0, now - second(6), later);
        assertStory("rank 2 \\(step 5\\), which has waited %1$s in dispatch for rank 0 \\(step 5\\)", watchdog);
        status(board, 2, 0, now - second(6), now - second(5));
        assertEquals(2, watchdog.culprit(0));
        assertEquals(2, watchdog.culprit(2));
        assertStory(
                "rank 2, which has been in step 5, waiting in dispatch for %1$s; last sign of life %1$s ago", watchdog);
    }

    @Test
    void inACircleTheRankThatIsSilentIsToBlame() {
        Board board = new Board(4);
        Watchdog watchdog = new Watchdog(1, board, PATIENCE, PATIENCE, progress);
        long now = System.nanoTime();
        status(board, 2, 3, now - second(6), now + second(60));
        status(board, 3, 1, now - second(6), now + second(60));
        assertEquals(3, watchdog.culprit(2));
        status(board, 0, -1, now - second(6), now - second(5));
        assertEquals(0, watchdog.culprit(2));
        assertStory(
                "rank 2 \\(step 5\\), which has waited %1$s in dispatch for rank 3 \\(step 5\\), which has waited"
                        + " %1$s in dispatch for rank 0, which has been in .+ for %1$s; last sign of life %1$s ago",
                watchdog);
    }

    private static void assertStory(String end, Watchdog watchdog) {
        String expected = "rank 1 \\(its beginning\\) has waited 5.0 s in combine for " + end + "\\.";
        assertLinesMatch(List.of(expected.formatted("[0-9.]+ s")), List.of(watchdog.story("combine", 2, second(5))));
    }

    private static void status(Board board, int rank, int waitsFor, long since, long seen) {
        board.status(rank, new Board.Status("step 5", "dispatch", waitsFor, since, seen));
    }

    private static long second(int count) {
        return Duration.ofSeconds(count).toNanos();
    }

    private List<Fabric> threads(Duration limit) {
        return Fabric.threads(Shape.oneMachine(3), PATIENCE, limit, progress);
    }
}
