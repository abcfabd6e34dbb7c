package dev.wok.cli;

import dev.wok.notice.Progress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongSupplier;

/// Progress for people: on a terminal one bar that is redrawn in place and shows the innermost task, elsewhere a log
/// line per task every ten seconds. A task that took long leaves one line that says what was done.
final class Display implements Progress {
    private static final long REDRAW_NANOS = 100_000_000L;
    private static final long LOG_NANOS = 10_000_000_000L;
    private static final double WORTH_A_LINE_SECONDS = 1;
    private static final String CLEAR = "\r\u001b[K";

    private final Console console;
    private final LongSupplier clock;
    private final Deque<Meter> running = new ArrayDeque<>();
    private long shownAt;
    private boolean drawn;

    Display(Console console) {
        this(console, System::nanoTime);
    }

    /// @param clock nanoseconds from any origin
    Display(Console console, LongSupplier clock) {
        this.console = console;
        this.clock = clock;
    }

    @Override
    public synchronized Task start(String name, long total, String unit) {
        Meter meter = new Meter(name, total, unit, clock.getAsLong());
        if (running.isEmpty()) {
            shownAt = clock.getAsLong();
        }
        running.push(meter);
        if (console.redraws()) {
            draw(meter);
        }
        return new Task() {
            @Override
            public void advance(long units) {
                synchronized (Display.this) {
                    meter.advance(units);
                    show(meter);
                }
            }

            @Override
            public void detail(String text) {
                synchronized (Display.this) {
                    meter.detail(text);
                    show(meter);
                }
            }

            @Override
            public void close() {
                end(meter);
            }
        };
    }

    @Override
    public synchronized void say(String line) {
        clear();
        console.err().println(line);
        if (console.redraws() && !running.isEmpty()) {
            draw(running.peek());
        }
    }

    /// Takes the bar off the terminal, so that something else can be printed.
    synchronized void clear() {
        if (drawn) {
            console.err().print(CLEAR);
            console.err().flush();
            drawn = false;
        }
    }

    private void show(Meter meter) {
        long now = clock.getAsLong();
        if (meter != running.peek() || now - shownAt < (console.redraws() ? REDRAW_NANOS : LOG_NANOS)) {
            return;
        }
        shownAt = now;
        if (console.redraws()) {
            draw(meter);
        } else {
            console.err().println(meter.log(now));
        }
    }

    private void draw(Meter meter) {
        console.err().print(CLEAR + meter.bar(clock.getAsLong(), console.width() - 1, console.colours()));
        console.err().flush();
        drawn = true;
    }

    private synchronized void end(Meter meter) {
        if (!running.remove(meter)) {
            return;
        }
        meter.finish();
        clear();
        long now = clock.getAsLong();
        if (meter.seconds(now) >= WORTH_A_LINE_SECONDS) {
            console.err().println(meter.finished(now));
        }
        if (console.redraws() && !running.isEmpty()) {
            draw(running.peek());
        }
    }
}
