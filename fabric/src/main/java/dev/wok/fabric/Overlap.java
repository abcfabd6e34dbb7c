package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// How a rank spent a step, and how much of the exchange it hid behind computing. A rank computes while the innermost
/// span of any of its threads is computing; it exchanges while anything is in flight; it waits while a thread waits and
/// none computes.
///
/// @param total nanoseconds from the first span's begin to the last one's end
/// @param compute nanoseconds of computing
/// @param exchange nanoseconds with something in flight
/// @param waiting nanoseconds of waiting
/// @param hidden nanoseconds of both computing and exchanging
public record Overlap(long total, long compute, long exchange, long waiting, long hidden) {
    /// A thread or a transfer begins or ends something.
    private record Change(long time, Timeline.Kind kind, int by) {}

    /// @return the share of the exchange that is hidden: 1 - (exchange without computing) / exchange; NaN where there
    ///     is no exchange
    public double hiddenShare() {
        return exchange == 0 ? Double.NaN : (double) hidden / exchange;
    }

    /// @return how this rank spent its step
    public static Overlap of(Trace trace) {
        List<Change> changes = new ArrayList<>();
        trace.segments().forEach(s -> add(changes, s.entry().kind(), s.begin(), s.end()));
        trace.inFlight().forEach(track -> track.forEach(e -> add(changes, e.kind(), e.begin(), e.end())));
        changes.sort(Comparator.comparingLong(Change::time));
        long[] sums = new long[4];
        int[] now = new int[Timeline.Kind.values().length];
        for (int i = 0; i + 1 < changes.size(); i++) {
            now[changes.get(i).kind.ordinal()] += changes.get(i).by;
            long nanos = changes.get(i + 1).time - changes.get(i).time;
            boolean computes = now[Timeline.Kind.COMPUTE.ordinal()] > 0;
            boolean exchanges = now[Timeline.Kind.EXCHANGE.ordinal()] > 0;
            sums[0] += computes ? nanos : 0;
            sums[1] += exchanges ? nanos : 0;
            sums[2] += now[Timeline.Kind.WAIT.ordinal()] > 0 && !computes ? nanos : 0;
            sums[3] += computes && exchanges ? nanos : 0;
        }
        long total = changes.isEmpty() ? 0 : changes.getLast().time - changes.getFirst().time;
        return new Overlap(total, sums[0], sums[1], sums[2], sums[3]);
    }

    private static void add(List<Change> changes, Timeline.Kind kind, long begin, long end) {
        changes.add(new Change(begin, kind, 1));
        changes.add(new Change(end, kind, -1));
    }
}
