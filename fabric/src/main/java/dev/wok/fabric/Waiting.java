package dev.wok.fabric;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// A wait for another rank, by one thread: it spins, then yields, then sleeps in between, and lets the watchdog look.
///
/// ```java
/// try (Waiting waiting = watchdog.waiting("dispatch", from)) {
///     while ((frame = link.receive()) == null) {
///         link.progress();
///         waiting.turn();
///     }
/// }
/// ```
final class Waiting implements AutoCloseable {
    private static final int SPINS = Runtime.getRuntime().availableProcessors() > 1 ? 5_000 : 0;
    /// Spinning and yielding end about here: who waits longer can bear what it costs to be woken.
    private static final long AWAKE = TimeUnit.MILLISECONDS.toNanos(2);
    private static final long SLEEP = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(20);

    private final Watchdog watchdog;
    private final String operation;
    private final int from;
    private int turns;
    private long began;
    private long looked;
    private boolean named;

    Waiting(Watchdog watchdog, String operation, int from) {
        this.watchdog = watchdog;
        this.operation = operation;
        this.from = from;
    }

    /// A turn in which nothing came.
    ///
    /// @throws Departed where it is of no use to wait on
    void turn() {
        if (turns < SPINS) {
            turns++;
            Thread.onSpinWait();
            return;
        }
        long now = System.nanoTime();
        if (turns == SPINS) {
            turns++;
            began = now;
            looked = now;
        }
        if (now - began < AWAKE) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(SLEEP);
        }
        if (now - looked >= LOOK) {
            looked = now;
            look(now - began);
        }
    }

    private void look(long waited) {
        Board board = watchdog.board();
        board.status(watchdog.rank(), board.status(watchdog.rank()).waiting(operation, from, began));
        watchdog.checkAlive();
        if (waited >= watchdog.limit().toNanos()) {
            throw board.failure(watchdog.rank(), watchdog.culprit(from), watchdog.story(operation, from, waited));
        }
        if (!named && waited >= watchdog.patience().toNanos()) {
            named = true;
            watchdog.progress().say(watchdog.story(operation, from, waited));
        }
    }

    /// The wait is over.
    @Override
    public void close() {
        if (looked != began) {
            Board board = watchdog.board();
            board.status(watchdog.rank(), board.status(watchdog.rank()).moving());
        }
    }
}
