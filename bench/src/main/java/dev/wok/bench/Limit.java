package dev.wok.bench;

import java.util.function.DoubleSupplier;

/// What a figure is held against, measured anew beside each repeat of it.
///
/// @param text for people
/// @param once measures it, in the unit of the figure
record Limit(String text, DoubleSupplier once) {
    double measure() {
        return once.getAsDouble();
    }
}
