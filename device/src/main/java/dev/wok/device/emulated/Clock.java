package dev.wok.device.emulated;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// What a warp knows to be over: for each agent (a warp, or an asynchronous unit) the last of its times that happened
/// before now. A vector clock (L. Lamport, 1978; F. Mattern, 1989), with the agents of other clusters apart, since a
/// warp rarely hears of them.
///
/// Agents have even numbers. The odd number behind each stands for the part of it that the asynchronous proxy sees too.
final class Clock {
    private int[] own;
    private Map<Integer, int[]> others = Map.of();

    Clock() {
        this(new int[8]);
    }

    private Clock(int[] own) {
        this.own = own;
    }

    Clock copy() {
        Clock copy = new Clock(own.clone());
        copy.others = others.isEmpty() ? others : new HashMap<>(others);
        return copy;
    }

    int get(int agent) {
        return agent < own.length ? own[agent] : 0;
    }

    void set(int agent, int time) {
        own = room(own, agent + 1);
        own[agent] = time;
    }

    /// @param cluster of the agent
    /// @param here the cluster whose agents are this clock's own
    boolean knows(int cluster, int here, int agent, int time) {
        if (cluster == here) {
            return get(agent) >= time;
        }
        int[] times = others.get(cluster);
        return times != null && agent < times.length && times[agent] >= time;
    }

    /// From now on the asynchronous proxy sees all that is known.
    void fence() {
        fence(own);
        if (others.isEmpty()) {
            return;
        }
        others.replaceAll((_, times) -> fence(times.clone()));
    }

    private static int[] fence(int[] times) {
        for (int i = 0; i + 1 < times.length; i += 2) {
            times[i + 1] = times[i];
        }
        return times;
    }

    /// Takes over what another clock of the same cluster knows.
    void join(Clock other) {
        own = max(own, other.own);
        other.others.forEach(this::joinOther);
    }

    /// Takes over what a clock of another cluster knows.
    ///
    /// @param cluster the other's
    /// @param here this clock's
    void join(Clock other, int cluster, int here) {
        if (cluster == here) {
            join(other);
            return;
        }
        joinOther(cluster, other.own);
        other.others.forEach((from, times) -> {
            if (from == here) {
                own = max(own, times);
            } else {
                joinOther(from, times);
            }
        });
    }

    private void joinOther(int cluster, int[] times) {
        if (others.isEmpty()) {
            others = new HashMap<>();
        }
        others.merge(cluster, times, (old, added) -> knowsAll(old, added) ? old : max(old.clone(), added));
    }

    private static boolean knowsAll(int[] times, int[] others) {
        for (int i = 0; i < others.length; i++) {
            if (others[i] > (i < times.length ? times[i] : 0)) {
                return false;
            }
        }
        return true;
    }

    private static int[] max(int[] into, int[] times) {
        // Just as long as the other: two that grew by more whenever they met would grow without end.
        int[] result = into.length >= times.length ? into : Arrays.copyOf(into, times.length);
        for (int i = 0; i < times.length; i++) {
            result[i] = Math.max(result[i], times[i]);
        }
        return result;
    }

    private static int[] room(int[] times, int length) {
        int rounded = length + (length & 1);
        return times.length >= length ? times : Arrays.copyOf(times, Math.max(rounded, 2 * times.length));
    }
}
