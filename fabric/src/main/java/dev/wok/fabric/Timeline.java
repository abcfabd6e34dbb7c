package dev.wok.fabric;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a rank does when: spans of computing, exchanging and waiting, recorded while somebody asks for them. Recording
/// costs tens of nanoseconds a span and no more than 2 MB a thread; at other times a span costs nothing.
///
/// Spans of [Kind#COMPUTE] and [Kind#WAIT] belong to the thread that opens them, are closed by it and nest. Those of
/// [Kind#EXCHANGE] say that something is on its way: they may overlap, and any thread may close them.
///
/// Any number of threads may record at once. [#record] and [#take] are for a time when no span is open elsewhere.
public final class Timeline {
    /// The name of a span that lies around a micro-batch's, whose detail is the micro-batch's number.
    public static final String MICRO_BATCH = "micro-batch";

    /// Spans of a thread: what a step of 60 layers and 16 micro-batches needs.
    static final int CAPACITY = 1 << 16;

    private static final int MOST_LANES = 64;
    private static final int LONGEST_NAME = 100;
    private static final long OPEN = Long.MIN_VALUE;
    private static final Span NONE = () -> {};
    private static final Timeline OFF = new Timeline();

    /// What a span was spent on.
    public enum Kind {
        COMPUTE,
        EXCHANGE,
        WAIT
    }

    /// A span that has begun.
    @FunctionalInterface
    public interface Span extends AutoCloseable {
        @Override
        void close();
    }

    private final ThreadLocal<@Nullable Lane> own = new ThreadLocal<>();
    private volatile @Nullable Recording recording;

    /// One that records nothing until it is told to.
    public Timeline() {}

    /// @return one for those who never record
    public static Timeline off() {
        return OFF;
    }

    /// Begins to record; forgets what was recorded and not taken.
    public void record() {
        if (this == OFF) {
            throw new IllegalStateException("a timeline that is off records nothing");
        }
        recording = new Recording();
    }

    /// Ends the recording. Spans that are still open are left out.
    ///
    /// @param rank whose this is
    /// @param step what was recorded
    public Trace take(int rank, long step) {
        Recording taken = recording;
        recording = null;
        return taken == null ? new Trace(rank, step, List.of(), List.of(), 0) : taken.trace(rank, step);
    }

    /// Begins a span that ends when it is closed.
    ///
    /// @param name what is done, as `dispatch` or `attention`
    /// @param detail a layer's number; -1 for none, or that of the span around this one
    public Span span(Kind kind, String name, int detail) {
        Recording current = recording;
        return current == null ? NONE : open(current, kind, name, detail);
    }

    private Span open(Recording current, Kind kind, String name, int detail) {
        Lane lane = own.get();
        if (lane == null || lane.recording != current) {
            if (!current.hasRoom()) {
                return NONE;
            }
            lane = lane == null ? new Lane() : lane;
            own.set(lane);
            current.enter(lane);
        }
        return lane.open(kind, name, detail);
    }

    /// From [#record] to [#take].
    private static final class Recording {
        private final List<Lane> lanes = new ArrayList<>();
        private long lost;

        /// @return whether another thread may record; a span is lost where it may not
        synchronized boolean hasRoom() {
            lost += lanes.size() < MOST_LANES ? 0 : 1;
            return lanes.size() < MOST_LANES;
        }

        synchronized void enter(Lane lane) {
            lane.begin(this);
            lanes.add(lane);
        }

        synchronized Trace trace(int rank, long step) {
            List<Trace.Entry> entries = new ArrayList<>();
            long missing = lost;
            for (int i = 0; i < lanes.size(); i++) {
                lanes.get(i).addTo(entries, i);
                missing += lanes.get(i).lost;
            }
            return new Trace(rank, step, lanes.stream().map(lane -> lane.name).toList(), entries, missing);
        }
    }

    /// A thread's spans, in the order in which they were opened.
    private static final class Lane {
        private final Kind[] kinds = new Kind[CAPACITY];
        private final String[] names = new String[CAPACITY];
        private final int[] details = new int[CAPACITY];
        private final int[] parents = new int[CAPACITY];
        private final long[] begins = new long[CAPACITY];
        private final long[] ends = new long[CAPACITY];
        private volatile @Nullable Recording recording;
        private String name = "";
        private int count;
        private int innermost;
        private long lost;

        void begin(Recording of) {
            Thread thread = Thread.currentThread();
            String called = thread.getName().isBlank() ? "thread " + thread.threadId() : thread.getName();
            name = called.substring(0, Math.min(called.length(), LONGEST_NAME));
            count = 0;
            innermost = -1;
            lost = 0;
            recording = of;
        }

        Span open(Kind kind, String what, int detail) {
            int index = count;
            if (index == CAPACITY) {
                lost++;
                return NONE;
            }
            count = index + 1;
            kinds[index] = kind;
            names[index] = what;
            details[index] = detail < 0 ? layerAround() : detail;
            parents[index] = innermost;
            ends[index] = OPEN;
            if (kind != Kind.EXCHANGE) {
                innermost = index;
            }
            Recording of = recording;
            begins[index] = System.nanoTime();
            return () -> close(of, index);
        }

        private int layerAround() {
            return innermost < 0 || names[innermost].equals(MICRO_BATCH) ? -1 : details[innermost];
        }

        private void close(@Nullable Recording of, int index) {
            long now = System.nanoTime();
            if (recording != of || ends[index] != OPEN) {
                return;
            }
            if (kinds[index] != Kind.EXCHANGE) {
                if (innermost != index) {
                    throw new IllegalStateException(
                            "the span %s is closed while %s is open within it, or by another thread"
                                    .formatted(names[index], innermost < 0 ? "none" : names[innermost]));
                }
                innermost = parents[index];
            }
            ends[index] = now;
        }

        void addTo(List<Trace.Entry> entries, int lane) {
            for (int i = 0; i < count; i++) {
                if (ends[i] != OPEN) {
                    entries.add(
                            new Trace.Entry(kinds[i], names[i], details[i], microBatch(i), lane, begins[i], ends[i]));
                }
            }
        }

        private int microBatch(int index) {
            int around = index;
            while (around >= 0 && !names[around].equals(MICRO_BATCH)) {
                around = parents[around];
            }
            return around < 0 ? -1 : details[around];
        }
    }
}
