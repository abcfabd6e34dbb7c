package dev.wok.fabric;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// A wait for another rank, by one thread: it spins, then yields, then sleeps in between, and lets the watchdog look.
/// Where ranks are more than processors it yields at once: who spins takes a processor from whom it
/// waits for.
///
/// ```java
/// try (Waiting waiting = group.waiting("dispatch", from)) {
///     while ((frame = link.receive()) == null) {
///         link.progress();
///         waiting.turn();
///     }
/// }
/// ```
final class Waiting implements AutoCloseable {
    /// About 100 µs.
    private static final int SPINS = 5_000;

    /// Spinning and yielding end about here: who waits longer can bear what it costs to be woken.
    private static final long AWAKE = TimeUnit.MILLISECONDS.toNanos(2);
    private static final long SLEEP = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(20);

    private final Watchdog watchdog;
    private final String operation;
    private final int from;
    private final int spins;
    private int turns;
    private long began;
    private long looked;
    private boolean named;

    /// @param spins whether each rank has a processor to itself
    Waiting(Watchdog watchdog, boolean spins, String operation, int from) {
        this.watchdog = watchdog;
        this.operation = operation;
        this.from = from;
        this.spins = spins ? SPINS : 0;
    }

    /// A turn in which nothing came.
    ///
    /// @throws Departed where it is of no use to wait on
    void turn() {
        if (turns < spins) {
            turns++;
            Thread.onSpinWait();
            return;
        }
        long now = System.nanoTime();
        if (turns == spins) {
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
            throw board.hung(watchdog.rank(), watchdog.culprit(from), watchdog.story(operation, from, waited));
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
