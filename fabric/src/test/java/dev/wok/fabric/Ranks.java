package dev.wok.fabric;

import dev.wok.notice.Progress;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Ranks as threads, for tests: with small rings, so that they are full at times. When one fails, all end.
final class Ranks {
    static final RingLayout SMALL = new RingLayout(1 << 19);

    private static final Duration LIMIT = Duration.ofSeconds(30);

    private Ranks() {}

    /// Puts something between a rank and a link of it.
    @FunctionalInterface
    interface Wrap {
        Link link(int rank, Link link);
    }

    /// @param wrap what stands between each rank and its links
    static List<Fabric> of(Shape shape, Wrap wrap) {
        Board board = new Board(shape.size());
        @Nullable Link[][] links = new @Nullable Link[shape.size()][shape.size()];
        for (int lower = 0; lower < shape.size(); lower++) {
            for (int upper = lower + 1; upper < shape.size(); upper++) {
                RingLink[] pair = RingLink.pair(SMALL, lower, upper, board);
                links[lower][upper] = wrap.link(lower, pair[0]);
                links[upper][lower] = wrap.link(upper, pair[1]);
            }
        }
        return IntStream.range(0, shape.size())
                .mapToObj(rank -> new Fabric(new Group(rank, shape, links[rank], watchdog(rank, board))))
                .toList();
    }

    static Watchdog watchdog(int rank, Board board) {
        return new Watchdog(rank, board, LIMIT, LIMIT, Progress.silent());
    }

    static void run(Shape shape, Consumer<Fabric> each) {
        run(of(shape, (_, link) -> link), each);
    }

    static void run(List<Fabric> fabrics, Consumer<Fabric> each) {
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        List<Thread> threads = fabrics.stream()
                .map(fabric -> Thread.ofPlatform().name("rank-" + fabric.rank()).start(() -> {
                    try (fabric) {
                        each.accept(fabric);
                    } catch (Throwable e) {
                        failures.add(e);
                    }
                }))
                .toList();
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        switch (failures.peek()) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new AssertionError(e);
        }
    }
}
