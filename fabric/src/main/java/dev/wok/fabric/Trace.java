package dev.wok.fabric;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;

/// What a rank did in a step.
///
/// @param lanes names of its threads
/// @param entries spans: of a thread in the order in which they were opened, so that what lies within another comes
///     after it
/// @param lost spans for which there was no room
public record Trace(int rank, long step, List<String> lanes, List<Entry> entries, long lost) {
    /// A span.
    ///
    /// @param detail a layer's number, or -1
    /// @param microBatch its number, or -1
    /// @param lane which of the threads opened it
    /// @param begin in nanoseconds, of a clock that all traces of a step share
    /// @param end likewise, not before `begin`
    public record Entry(Timeline.Kind kind, String name, int detail, int microBatch, int lane, long begin, long end) {
        /// @return the same of another thread
        public Entry of(int otherLane) {
            return new Entry(kind, name, detail, microBatch, otherLane, begin, end);
        }

        Entry shifted(long nanos) {
            return new Entry(kind, name, detail, microBatch, lane, begin + nanos, end + nanos);
        }
    }

    /// A time in which a thread did one thing: part of a span in which none within it is open.
    ///
    /// @param entry the innermost span
    public record Segment(Entry entry, long begin, long end) {}

    /// Brings all ranks' traces of a step together, on the clock of rank 0. All ranks call it.
    ///
    /// @return by rank
    /// @throws Departed where a rank sends what is no trace
    public static List<Trace> gather(Fabric fabric, Trace mine) {
        long offset = Clock.toFirst(fabric);
        List<byte[]> all = fabric.allGather(TraceLayout.encode(mine.shifted(offset)));
        List<Trace> traces = new ArrayList<>();
        for (int rank = 0; rank < all.size(); rank++) {
            traces.add(TraceLayout.decode(all.get(rank), rank));
        }
        return traces;
    }

    private Trace shifted(long nanos) {
        return new Trace(
                rank, step, lanes, entries.stream().map(e -> e.shifted(nanos)).toList(), lost);
    }

    /// What the threads did at each time, by their innermost spans: computing and waiting.
    ///
    /// @return by thread, ascending; those of a thread do not overlap
    public List<Segment> segments() {
        List<Segment> segments = new ArrayList<>();
        for (int lane = 0; lane < lanes.size(); lane++) {
            int of = lane;
            Innermost innermost = new Innermost(segments);
            entries.stream()
                    .filter(e -> e.lane == of && e.kind != Timeline.Kind.EXCHANGE)
                    .forEach(innermost::open);
            innermost.closeUntil(Long.MAX_VALUE);
        }
        return segments;
    }

    /// What is on its way between ranks, in as many tracks as it takes for none to overlap in its track.
    public List<List<Entry>> inFlight() {
        List<List<Entry>> tracks = new ArrayList<>();
        entries.stream()
                .filter(e -> e.kind == Timeline.Kind.EXCHANGE)
                .sorted(Comparator.comparingLong(Entry::begin))
                .forEach(e -> tracks.stream()
                        .filter(track -> track.getLast().end <= e.begin)
                        .findFirst()
                        .orElseGet(() -> {
                            tracks.add(new ArrayList<>());
                            return tracks.getLast();
                        })
                        .add(e));
        return tracks;
    }

    /// Walks through a thread's spans and notes which is the innermost.
    private static final class Innermost {
        private final List<Segment> segments;
        private final Deque<Entry> open = new ArrayDeque<>();
        private long until;

        Innermost(List<Segment> segments) {
            this.segments = segments;
        }

        void open(Entry entry) {
            closeUntil(entry.begin);
            note(entry.begin);
            open.push(entry);
            until = entry.begin;
        }

        void closeUntil(long time) {
            while (!open.isEmpty() && open.element().end <= time) {
                note(open.element().end);
                until = Math.max(until, open.pop().end);
            }
        }

        private void note(long end) {
            if (!open.isEmpty() && until < end) {
                segments.add(new Segment(open.element(), until, end));
            }
        }
    }
}
