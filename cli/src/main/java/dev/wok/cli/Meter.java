package dev.wok.cli;

import dev.wok.notice.TaskEvent;
import java.util.StringJoiner;

/// One task under way: how far it is, how fast, how long it will take. Guarded by the display that made it.
final class Meter {
    private static final int BAR = 24;
    private static final String GREEN = "\u001b[32m";
    private static final String PLAIN = "\u001b[0m";

    private final String name;
    private final long total;
    private final String unit;
    private final long begun;
    private final TaskEvent event;
    private long done;
    private String detail = "";

    /// @param total units in all, negative where unknown
    /// @param begun the display's clock, nanoseconds
    Meter(String name, long total, String unit, long begun) {
        this.name = name;
        this.total = total;
        this.unit = unit;
        this.begun = begun;
        event = TaskEvent.begin(name, unit);
    }

    void advance(long units) {
        done += units;
        event.advance(units);
    }

    void detail(String text) {
        detail = text;
    }

    void finish() {
        event.finish();
    }

    double seconds(long now) {
        return (now - begun) / 1e9;
    }

    /// @return one line without line end, no wider than `width`
    String bar(long now, int width, boolean colours) {
        int filled = total > 0 ? (int) (BAR * Math.min(done, total) / total) : 0;
        String head = name + "  ";
        String text = facts(now);
        boolean wide = total > 0 && head.length() + BAR + 2 + text.length() <= width;
        if (!wide) {
            return cut(head + text, width);
        }
        String bar = "█".repeat(filled);
        return head + (colours ? GREEN + bar + PLAIN : bar) + "░".repeat(BAR - filled) + "  " + text;
    }

    /// @return one line for a log
    String log(long now) {
        return "%s: %s".formatted(name, facts(now));
    }

    /// @return one line that says what was done
    String finished(long now) {
        StringJoiner line = new StringJoiner(", ", name + ": ", "");
        line.add("%s in %s".formatted(Amounts.of(done, unit), Amounts.duration(seconds(now))));
        if (done > 0 && seconds(now) > 0) {
            line.add(rate(now));
        }
        if (!detail.isEmpty()) {
            line.add(detail);
        }
        return line.toString();
    }

    private String facts(long now) {
        StringJoiner line = new StringJoiner("  ");
        line.add(total > 0 ? "%3d %%".formatted(100 * Math.min(done, total) / total) : Amounts.of(done, unit));
        if (done > 0 && seconds(now) > 0) {
            line.add(rate(now));
            if (total > done) {
                line.add(Amounts.duration(seconds(now) * (total - done) / done) + " left");
            }
        }
        if (!detail.isEmpty()) {
            line.add(detail);
        }
        return line.toString();
    }

    private String rate(long now) {
        return Amounts.of(done / seconds(now), unit) + "/s";
    }

    private static String cut(String line, int width) {
        return line.length() <= width ? line : line.substring(0, Math.max(width, 0));
    }
}
