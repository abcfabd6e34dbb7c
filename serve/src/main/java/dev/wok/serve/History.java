package dev.wok.serve;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/// Tokens a second over the last minutes. For any number of threads.
final class History {
    /// Between two points.
    static final int SECONDS = 2;

    private static final int POINTS = 150;
    private static final double NANOS = 1e9;

    /// Tokens since the models were loaded.
    ///
    /// @param in of prompts
    /// @param cached of those, how many were known
    /// @param out that were generated
    record Tokens(long in, long cached, long out) {
        static final Tokens NONE = new Tokens(0, 0, 0);

        Tokens plus(Tokens other) {
            return new Tokens(in + other.in, cached + other.cached, out + other.out);
        }
    }

    private record Point(double in, double cached, double out) {}

    private final Deque<Point> points = new ArrayDeque<>();
    private Tokens last = Tokens.NONE;
    private long at;

    /// @param now nanoseconds from any origin
    History(long now) {
        at = now;
    }

    /// Adds a point.
    ///
    /// @param tokens so far
    synchronized void add(Tokens tokens, long now) {
        double seconds = Math.max(1, now - at) / NANOS;
        points.addLast(new Point(
                (tokens.in - last.in) / seconds,
                (tokens.cached - last.cached) / seconds,
                (tokens.out - last.out) / seconds));
        if (points.size() > POINTS) {
            points.removeFirst();
        }
        last = tokens;
        at = now;
    }

    /// Writes the points, the oldest first.
    void write(ObjectNode out) {
        List<Point> all;
        synchronized (this) {
            all = new ArrayList<>(points);
        }
        out.put("seconds", SECONDS);
        var in = out.putArray("in");
        var cached = out.putArray("cached");
        var generated = out.putArray("out");
        for (Point point : all) {
            in.add(rounded(point.in));
            cached.add(rounded(point.cached));
            generated.add(rounded(point.out));
        }
    }

    private static double rounded(double value) {
        return Math.round(value * 10) / 10.0;
    }
}
