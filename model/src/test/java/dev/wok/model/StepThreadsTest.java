package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

class StepThreadsTest {
    private static final int STEPS = 4000;

    /// @param nanos of a step on so many threads
    /// @return how many of the steps each number of threads took
    private static int[] counts(StepThreads threads, int all, IntToLongFunction nanos) {
        int[] steps = new int[all + 1];
        for (int i = 0; i < STEPS; i++) {
            steps[threads.used()]++;
            threads.took(nanos.applyAsLong(threads.used()));
        }
        return steps;
    }

    @Test
    void staysWithAllWhereThoseAreFastest() {
        int[] steps = counts(new StepThreads(8), 8, n -> 8_000_000 / n);
        assertTrue(steps[8] > 0.9 * STEPS, Arrays.toString(steps));
    }

    @Test
    void findsFewerThatAreFaster() {
        for (int best : new int[] {1, 3, 6}) {
            int[] steps = counts(new StepThreads(6), 6, n -> 1_000_000 + 500_000L * Math.abs(n - best));
            assertTrue(steps[best] > 0.85 * STEPS, best + ": " + Arrays.toString(steps));
        }
    }

    @Test
    void doesNotTryFewerForLongSteps() {
        assertEquals(STEPS, counts(new StepThreads(4), 4, _ -> 20_000_000)[4]);
    }

    /// What made one thread faster may end, and steps become longer as a text does.
    @Test
    void goesBackToAll() {
        StepThreads threads = new StepThreads(4);
        counts(threads, 4, n -> 1_000_000L * n);
        int[] steps = counts(threads, 4, n -> 4_000_000 / n);
        assertTrue(steps[4] > 0.8 * STEPS, Arrays.toString(steps));
        counts(threads, 4, n -> 1_000_000L * n);
        steps = counts(threads, 4, n -> 80_000_000 / n);
        assertTrue(steps[4] > 0.8 * STEPS, Arrays.toString(steps));
    }

    @Test
    void leavesTheDeviceWithAllThreads() {
        try (HostDevice device = Device.host(2)) {
            StepThreads threads = new StepThreads(device.workers().count());
            for (int i = 0; i < 100; i++) {
                threads.run(device, () -> 1);
                CountDownLatch both = new CountDownLatch(2);
                device.workers().run(2, (_, _) -> {
                    both.countDown();
                    assertTrue(meets(both), "only one of two threads ran");
                });
            }
            assertThrows(
                    IllegalStateException.class,
                    () -> threads.run(device, () -> {
                        throw new IllegalStateException();
                    }));
        }
    }

    private static boolean meets(CountDownLatch others) {
        try {
            return others.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void choosesWhereThereIsAChoice() {
        try (HostDevice one = Device.host(1)) {
            assertEquals(List.of(), StepThreads.of(one, 2));
        }
        assertEquals(List.of(), StepThreads.of(Device.dry(), 2));
    }
}
