package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkersTest {
    private static final long PATIENCE_NANOS = 20_000_000_000L;

    /// Every task once, by a worker that does nothing else meanwhile, its writes visible afterwards.
    @Test
    void runsEveryTaskOnce() {
        Property.of("Workers.run")
                .size("threads", 1, 5)
                .size("tasks", 0, 300)
                .cases(60)
                .check(c -> {
                    try (Workers workers = new Workers(c.size("threads"))) {
                        assertEquals(c.size("threads"), workers.count());
                        for (int round = 0; round < 20; round++) {
                            int tasks = round % 2 == 0
                                    ? c.size("tasks")
                                    : c.rng("tasks").below(round, 8);
                            int[] ran = new int[tasks];
                            AtomicIntegerArray busy = new AtomicIntegerArray(c.size("threads"));
                            workers.run(tasks, (task, worker) -> {
                                assertEquals(
                                        1, busy.incrementAndGet(worker), "a worker's number is used twice at once");
                                ran[task]++;
                                busy.decrementAndGet(worker);
                            });
                            int[] once = new int[tasks];
                            Arrays.fill(once, 1);
                            assertArrayEquals(once, ran);
                        }
                    }
                });
    }

    /// However often the number changes, every task runs once and by a thread that may.
    @Test
    void usesFewerThreads() {
        Rng rng = Seeds.rng("fewer");
        try (Workers workers = new Workers(4)) {
            for (int round = 0; round < 20_000; round++) {
                int threads = 1 + rng.below(2L * round, 4);
                AtomicInteger ran = new AtomicInteger();
                int tasks = rng.below(2L * round + 1, 9);
                workers.use(threads);
                workers.run(tasks, (_, worker) -> {
                    assertTrue(worker < threads, "a thread beyond the number took a task");
                    ran.getAndIncrement();
                });
                assertEquals(tasks, ran.get());
            }
            assertEquals(4, workers.count());
            assertThrows(IllegalArgumentException.class, () -> workers.use(0));
            assertThrows(IllegalArgumentException.class, () -> workers.use(5));
        }
    }

    /// Bodies of a call never run after it has returned: each checks that its own call is the current one.
    @Test
    void noTaskOutlivesItsCall() {
        AtomicInteger current = new AtomicInteger();
        AtomicInteger late = new AtomicInteger();
        try (Workers workers = new Workers(3)) {
            for (int call = 1; call < 50_000; call++) {
                int mine = call;
                current.set(mine);
                workers.run(2 + call % 3, (_, _) -> {
                    if (current.get() != mine) {
                        late.incrementAndGet();
                    }
                });
            }
        }
        assertEquals(0, late.get());
    }

    /// As many tasks as threads, each waiting for all others to begin: every helper must wake up, whether it still
    /// spins, is about to park, or sleeps.
    @Test
    void noWakeUpIsLost() {
        Rng rng = Seeds.rng("wake-ups");
        try (Workers workers = new Workers(3)) {
            for (int call = 0; call < 4_000; call++) {
                AtomicInteger begun = new AtomicInteger();
                int number = call;
                workers.run(workers.count(), (_, _) -> {
                    begun.incrementAndGet();
                    long start = System.nanoTime();
                    while (begun.get() < workers.count()) {
                        Thread.yield();
                        if (System.nanoTime() - start > PATIENCE_NANOS) {
                            throw new AssertionError(
                                    "call %d: %d of %d threads came".formatted(number, begun.get(), workers.count()));
                        }
                    }
                });
                switch (rng.below(call, 4)) {
                    case 0 -> LockSupport.parkNanos(rng.below(call + 1, 2_000_000));
                    case 1 -> LockSupport.parkNanos(rng.below(call + 1, 200_000));
                    default -> {}
                }
            }
        }
    }

    @Test
    void theFirstThrowableComesOutAndThePoolLivesOn() {
        try (Workers workers = new Workers(3)) {
            for (Throwable thrown : new Throwable[] {new IllegalArgumentException("no"), new StackOverflowError()}) {
                for (int tasks : new int[] {1, 50}) {
                    Throwable caught = assertThrows(
                            thrown.getClass(),
                            () -> workers.run(tasks, (task, _) -> {
                                if (task == tasks / 2) {
                                    sneak(thrown);
                                }
                            }));
                    assertSame(thrown, caught);
                }
            }
            AtomicInteger ran = new AtomicInteger();
            workers.run(10, (_, _) -> ran.incrementAndGet());
            assertEquals(10, ran.get());
        }
    }

    private static void sneak(Throwable thrown) {
        switch (thrown) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new AssertionError(thrown);
        }
    }

    /// On the caller's thread and on every helper's alike.
    @Test
    void aTaskMayNotStartTasks() {
        try (Workers workers = new Workers(3)) {
            Set<Integer> refused = ConcurrentHashMap.newKeySet();
            workers.run(workers.count(), (_, worker) -> {
                assertEquals(
                        "a task may not start further tasks",
                        Thrown.message(IllegalStateException.class, () -> workers.run(2, (_, _) -> {})));
                refused.add(worker);
                long start = System.nanoTime();
                while (refused.size() < workers.count() && System.nanoTime() - start < PATIENCE_NANOS) {
                    Thread.onSpinWait();
                }
            });
            assertEquals(Set.of(0, 1, 2), refused);
        }
    }

    @Test
    void callersTakeTurns() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            AtomicInteger inside = new AtomicInteger();
            AtomicInteger most = new AtomicInteger();
            AtomicInteger ran = new AtomicInteger();
            Thread[] callers = new Thread[3];
            for (int i = 0; i < callers.length; i++) {
                callers[i] = Thread.ofPlatform().start(() -> {
                    for (int call = 0; call < 500; call++) {
                        workers.run(4, (_, _) -> {
                            most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            ran.incrementAndGet();
                            inside.decrementAndGet();
                        });
                    }
                });
            }
            for (Thread caller : callers) {
                caller.join();
            }
            assertEquals(3 * 500 * 4, ran.get());
            assertTrue(most.get() <= 2, "at most the pool's threads at once");
        }
    }

    @Test
    void closingEndsTheThreads() throws InterruptedException {
        for (int pause : new int[] {0, 50}) {
            Set<Thread> before = Thread.getAllStackTraces().keySet();
            Workers workers = new Workers(4);
            workers.run(8, (_, _) -> {});
            Thread.sleep(pause);
            Thread[] started = Thread.getAllStackTraces().keySet().stream()
                    .filter(t -> !before.contains(t) && t.getName().startsWith("wok-worker-"))
                    .toArray(Thread[]::new);
            assertEquals(3, started.length);
            workers.close();
            for (Thread thread : started) {
                thread.join(10_000);
                assertFalse(thread.isAlive(), thread + " still runs");
            }
            assertEquals(
                    "the worker threads have ended",
                    Thrown.message(IllegalStateException.class, () -> workers.run(2, (_, _) -> {})));
        }
    }

    @Test
    void refusesNoThreads() {
        assertEquals(
                "threads: 0, expected at least 1",
                Thrown.message(IllegalArgumentException.class, () -> new Workers(0)));
    }
}
