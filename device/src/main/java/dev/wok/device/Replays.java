package dev.wok.device;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Work that comes again and again with the same addresses and sizes, and only other numbers in
/// memory: a GPU keeps it as a graph and launches that as a whole, which spares the launches one by
/// one; elsewhere it is done anew.
///
/// One thread at a time.
public final class Replays {
    /// Graphs take memory of the driver's.
    private static final int MOST = 64;

    /// Null where nothing is kept.
    private final @Nullable Stream stream;

    private final LinkedHashMap<Object, Kept<?>> kept = new LinkedHashMap<>(16, 0.75f, true);

    /// @param graph null before the work has come a second time
    private record Kept<T>(T result, @Nullable GpuGraph graph) {}

    private Replays(@Nullable Stream stream) {
        this.stream = stream;
    }

    /// @return replays on a stream, none yet
    public static Replays on(Stream stream) {
        return new Replays(stream);
    }

    /// @return replays of work that waits for something, which is done anew each time
    public static Replays never() {
        return new Replays(null);
    }

    /// @return whether work is kept here, so that it pays to make it alike
    public boolean keeps() {
        return stream instanceof GpuStream;
    }

    /// Does some work. The first time it is done as it is, so that what it needs is there; the second time it is kept.
    ///
    /// @param key equal for work that is the same: of everything that decides about its launches
    /// @param work calls the stream, and neither waits nor takes memory when it comes again
    /// @return what the work returned: the same each time
    public <T> T run(Object key, Supplier<T> work) {
        if (!(stream instanceof GpuStream gpu)) {
            return work.get();
        }
        @SuppressWarnings("unchecked")
        Kept<T> before = (Kept<T>) kept.get(key);
        if (before == null) {
            T result = work.get();
            keep(key, new Kept<>(result, null));
            return result;
        }
        if (before.graph != null) {
            before.graph.launch();
            return before.result;
        }
        List<T> result = new ArrayList<>();
        GpuGraph graph = gpu.capture(() -> result.add(work.get()));
        keep(key, new Kept<>(result.getFirst(), graph));
        graph.launch();
        return result.getFirst();
    }

    private void keep(Object key, Kept<?> entry) {
        kept.put(key, entry);
        if (kept.size() > MOST) {
            Map.Entry<Object, Kept<?>> oldest = kept.firstEntry();
            kept.remove(oldest.getKey());
            close(oldest.getValue());
        }
    }

    private static void close(Kept<?> entry) {
        if (entry.graph != null) {
            entry.graph.close();
        }
    }

    /// Forgets all of it: where what decides about launches has changed, and at the end.
    public void forget() {
        kept.values().forEach(Replays::close);
        kept.clear();
    }
}
