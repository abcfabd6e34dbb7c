package dev.wok.train;

import dev.wok.device.Threads;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Shape;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.stream.IntStream;

/// Ranks that are threads of this process.
///
/// @param size how many, the leader included
/// @param patience how long one waits for another before it names it
/// @param limit how long one waits before it gives up
record RankThreads(int size, Duration patience, Duration limit) implements Ranks {
    private record Failure(int rank, Throwable reason) {}

    @Override
    public <T> T lead(Progress progress, Function<Fabric, T> leading) {
        List<Fabric> places = Fabric.threads(Shape.oneMachine(size), patience, limit, progress);
        Queue<Failure> failures = new ConcurrentLinkedQueue<>();
        List<Thread> followers = IntStream.range(1, size)
                .mapToObj(rank -> Thread.ofPlatform()
                        .daemon()
                        .name("rank " + rank)
                        .start(() -> follow(places.get(rank), progress, failures)))
                .toList();
        try {
            try (Fabric fabric = places.getFirst()) {
                return leading.apply(fabric);
            } finally {
                // One that hangs is left behind, as it is named.
                followers.forEach(follower -> Threads.join(follower, limit.toNanos()));
            }
        } catch (Departed e) {
            throw first(failures, e);
        }
    }

    private static void follow(Fabric place, Progress progress, Queue<Failure> failures) {
        try (Fabric fabric = place) {
            boolean _ = Follower.run(fabric, progress);
        } catch (RuntimeException | Error e) {
            failures.add(new Failure(place.rank(), e));
        }
    }

    /// @return why the group broke: the first reason that is not another rank's
    private static RuntimeException first(Queue<Failure> failures, Departed seen) {
        for (Failure failure : failures) {
            if (failure.reason instanceof BadInput refused) {
                return new BadInput("rank %d: %s".formatted(failure.rank, refused.getMessage()), refused);
            }
            if (!(failure.reason instanceof Departed)) {
                Departed root =
                        new Departed(failure.rank, "rank %d failed: %s.".formatted(failure.rank, failure.reason));
                root.initCause(failure.reason);
                return root;
            }
        }
        return seen;
    }
}
