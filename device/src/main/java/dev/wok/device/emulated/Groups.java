package dev.wok.device.emulated;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/// Asynchronous work of a warp's lanes that is waited for in groups. For [Races] it is an agent of its own, whose time
/// is a number that grows with each group of any lane.
final class Groups {
    final int agent;

    /// Its number in [Races].
    final int who;

    private int now = 1;

    /// By lane: the times at which it started what it has not waited for.
    private final Deque<Integer>[] started;

    /// By lane: the times at which its groups ended that it has not waited for.
    private final Deque<Integer>[] ended;

    private final int[] done = new int[Warp.LANES];

    Groups(Warp warp) {
        agent = warp.block.cluster.newAsynchronousAgent();
        who = warp.block.grid.races.add(warp.block.cluster.id, warp.block.id, agent);
        started = queues();
        ended = queues();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Deque<Integer>[] queues() {
        Deque[] queues = new Deque[Warp.LANES];
        Arrays.setAll(queues, _ -> new ArrayDeque<>(2));
        return queues;
    }

    /// @return the time of what a lane starts now
    int start(int lane) {
        Integer last = started[lane].peekLast();
        if (last == null || last != now) {
            started[lane].add(now);
        }
        return now;
    }

    /// Ends the groups of some lanes.
    void commit(int lanes) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            ended[Integer.numberOfTrailingZeros(rest)].add(now);
        }
        now++;
    }

    /// Ends what lanes have started up to now, without a group.
    ///
    /// @return the time up to which it counts
    int mark() {
        return now++;
    }

    /// A lane waits for all but its newest groups.
    void await(int lane, int open) {
        while (ended[lane].size() > open) {
            finish(lane, ended[lane].removeFirst());
        }
    }

    void finish(int lane, int upTo) {
        done[lane] = Math.max(done[lane], upTo);
        while (!started[lane].isEmpty() && started[lane].getFirst() <= upTo) {
            started[lane].removeFirst();
        }
    }

    /// @return the time up to which a lane has waited
    int done(int lane) {
        return done[lane];
    }

    /// @return whether a lane has not waited for something
    boolean isOpen(int lane) {
        return !started[lane].isEmpty();
    }

    /// @return the time up to which all lanes have waited
    int allDone() {
        int first = now;
        for (Deque<Integer> times : started) {
            first = times.isEmpty() ? first : Math.min(first, times.getFirst());
        }
        return first - 1;
    }
}
