package dev.wok.testkit;

import dev.wok.notice.Progress;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/// Remembers what it was told.
public final class RecordingProgress implements Progress {
    /// One task that was started.
    public static final class Recorded implements Task {
        private final String name;
        private final long total;
        private final String unit;
        private final AtomicLong done = new AtomicLong();
        private final List<String> details = new CopyOnWriteArrayList<>();
        private volatile boolean closed;

        private Recorded(String name, long total, String unit) {
            this.name = name;
            this.total = total;
            this.unit = unit;
        }

        public String name() {
            return name;
        }

        public long total() {
            return total;
        }

        public String unit() {
            return unit;
        }

        /// @return the units that were reported so far
        public long done() {
            return done.get();
        }

        public List<String> details() {
            return List.copyOf(details);
        }

        public boolean isClosed() {
            return closed;
        }

        @Override
        public void advance(long units) {
            if (closed) {
                throw new IllegalStateException("task '%s' advances after its end".formatted(name));
            }
            done.addAndGet(units);
        }

        @Override
        public void detail(String text) {
            details.add(text);
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final List<Recorded> tasks = new CopyOnWriteArrayList<>();
    private final List<String> lines = new CopyOnWriteArrayList<>();

    @Override
    public Task start(String name, long total, String unit) {
        Recorded task = new Recorded(name, total, unit);
        tasks.add(task);
        return task;
    }

    @Override
    public void say(String line) {
        lines.add(line);
    }

    /// @return the tasks in the order of their start
    public List<Recorded> tasks() {
        return List.copyOf(tasks);
    }

    /// @return the lines in their order
    public List<String> lines() {
        return List.copyOf(lines);
    }
}
