package dev.wok.device;

import java.util.concurrent.TimeUnit;

/// Waiting for threads that use what would be freed next, whoever interrupts. An interrupt is kept.
public final class Threads {
    private Threads() {}

    /// Waits until a thread has ended.
    public static void join(Thread thread) {
        join(thread, Long.MAX_VALUE);
    }

    /// Waits until a thread has ended, but no longer than this.
    public static void join(Thread thread, long nanos) {
        long began = System.nanoTime();
        boolean interrupted = false;
        long left = nanos;
        while (thread.isAlive() && left > 0) {
            try {
                TimeUnit.NANOSECONDS.timedJoin(thread, Math.max(left, TimeUnit.MILLISECONDS.toNanos(1)));
            } catch (InterruptedException e) {
                interrupted = true;
            }
            left = nanos - (System.nanoTime() - began);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
