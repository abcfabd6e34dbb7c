package dev.wok.bench;

import java.util.function.DoubleSupplier;

/// What a figure is held against, measured anew beside each repeat of it.
final class Limit {
    private final String text;
    private final DoubleSupplier once;
    private double best;

    /// @param text for people
    /// @param once measures it, in the unit of the figure
    Limit(String text, DoubleSupplier once) {
        this.text = text;
        this.once = once;
    }

    String text() {
        return text;
    }

    double measure() {
        double value = once.getAsDouble();
        best = Math.max(best, value);
        return value;
    }

    /// @return the most that was measured so far, at least once
    double best() {
        return best > 0 ? best : measure();
    }
}
