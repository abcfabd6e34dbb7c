package dev.wok.bench;

import dev.wok.device.Workers;
import java.util.concurrent.atomic.AtomicInteger;

/// The cost of handing work to all threads and waiting for them, beside a value that two threads hand each other.
final class DispatchRow {
    static final String NAME = "dispatch";

    private static final int CALLS = 20_000;
    private static final int ROUND_TRIPS = 20_000;

    private DispatchRow() {}

    /// @return microseconds; less is better
    static Row measure(Workers workers, Setup setup, double seconds) {
        int threads = workers.count();
        AtomicInteger begun = new AtomicInteger();
        // No thread leaves before all have come, so that none does the work of another.
        Workers.Body meet = (_, _) -> {
            int all = (begun.getAndIncrement() / threads + 1) * threads;
            while (begun.get() < all) {
                Thread.onSpinWait();
            }
        };
        Limit limit = new Limit("a value handed from one thread to another and back", DispatchRow::roundTrip);
        Repeats repeats = Repeats.beside(
                limit,
                () -> {
                    begun.set(0);
                    for (int i = 0; i < CALLS; i++) {
                        workers.run(threads, meet);
                    }
                },
                seconds);
        return Row.of(NAME, repeats.nanos() / CALLS * 1e-3, "µs", limit.text(), repeats.limit(), setup);
    }

    /// @return microseconds
    static double roundTrip() {
        AtomicInteger ball = new AtomicInteger();
        Thread other = Thread.ofPlatform().daemon().start(() -> {
            for (int i = 0; i < ROUND_TRIPS; i++) {
                await(ball, 2 * i + 1);
                ball.set(2 * i + 2);
            }
        });
        ball.set(1);
        await(ball, 2);
        long begin = System.nanoTime();
        for (int i = 1; i < ROUND_TRIPS; i++) {
            ball.set(2 * i + 1);
            await(ball, 2 * i + 2);
        }
        double nanos = System.nanoTime() - begin;
        try {
            other.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return nanos / (ROUND_TRIPS - 1) * 1e-3;
    }

    private static void await(AtomicInteger ball, int value) {
        while (ball.get() != value) {
            Thread.onSpinWait();
        }
    }
}
