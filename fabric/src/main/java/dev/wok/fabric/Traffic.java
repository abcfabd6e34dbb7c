package dev.wok.fabric;

import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// All that travels between this rank and the others. Operations begin in the same order on all ranks; their messages
/// follow each other between each two ranks, so the oldest operation never waits for a younger one.
final class Traffic {
    private final Group group;
    private final Timeline timeline;
    private final @Nullable Lane[] lanes;
    /* Fair: a thread that waits takes it again at once, and another that has something to send must not starve. */
    private final ReentrantLock lock = new ReentrantLock(true);
    private @Nullable Departed failure;
    private long moves;

    Traffic(Group group, Timeline timeline) {
        this.group = group;
        this.timeline = timeline;
        this.lanes = Arrays.stream(group.links())
                .map(link -> link == null ? null : new Lane(link, peer(link.peer())))
                .toArray(Lane[]::new);
    }

    Timeline timeline() {
        return timeline;
    }

    int rank() {
        return group.rank();
    }

    int size() {
        return group.size();
    }

    Shape shape() {
        return group.shape();
    }

    Peer peer(int other) {
        return group.watchdog().peer(other);
    }

    Lane lane(int peer) {
        Lane lane = lanes[peer];
        if (lane == null) {
            throw new IllegalArgumentException("rank %d has no link to itself".formatted(peer));
        }
        return lane;
    }

    /// Begins an operation: sends as much as there is room for.
    ///
    /// @param messages adds the operation's, in the order that the other side expects
    void begin(Runnable messages) {
        try (Timeline.Span _ = timeline.span(Timeline.Kind.WAIT, "send", -1)) {
            guarded(() -> {
                messages.run();
                while (push()) {}
                return true;
            });
        }
    }

    /// Does something alone. Once a rank has departed, nothing more is done.
    <T> T guarded(Supplier<T> what) {
        lock.lock();
        try {
            if (failure != null) {
                throw new Departed(failure.rank(), String.valueOf(failure.getMessage()));
            }
            return what.get();
        } catch (Departed e) {
            failure = e;
            throw e;
        } finally {
            lock.unlock();
        }
    }

    /// Moves what can be moved, unless another thread does.
    ///
    /// @return whether anything was moved here
    boolean progress() {
        if (lock.tryLock()) {
            try {
                return guarded(this::move);
            } finally {
                lock.unlock();
            }
        }
        return false;
    }

    void await(Operation operation) {
        int from = guarded(() -> advance(operation));
        while (from >= 0) {
            try (Waiting waiting = group.waiting(operation.toString(), from)) {
                long before = moves;
                int now = from;
                while (now == from && moves == before) {
                    waiting.turn();
                    now = guarded(() -> advance(operation));
                }
                from = now;
            }
        }
    }

    /// Moves what can be moved, and does what can be done here, until nothing can.
    ///
    /// @return a rank that the operation waits for, or -1 where it is done
    private int advance(Operation operation) {
        boolean moved = true;
        while (moved) {
            moved = (operation.travels() && move()) || operation.work();
        }
        return operation.travels() ? awaited(operation) : -1;
    }

    private boolean push() {
        boolean moved = false;
        for (@Nullable Lane lane : lanes) {
            moved |= lane != null && lane.push();
        }
        return moved;
    }

    private boolean move() {
        boolean moved = false;
        for (@Nullable Lane lane : lanes) {
            if (lane != null) {
                lane.progress();
                moved |= lane.push();
                moved |= lane.pull();
            }
        }
        moves += moved ? 1 : 0;
        return moved;
    }

    private int awaited(Operation operation) {
        int peer = 0;
        Lane lane = lanes[peer];
        while (lane == null || !lane.awaits(operation)) {
            lane = lanes[++peer];
        }
        return peer;
    }
}
