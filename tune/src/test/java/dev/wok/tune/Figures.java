package dev.wok.tune;

import java.util.Map;

/// Figures of a step or an evaluation, by name.
final class Figures {
    private Figures() {}

    static double figure(Map<String, ?> figures, String name) {
        if (figures.get(name) instanceof Number number) {
            return number.doubleValue();
        }
        throw new AssertionError("there is no figure %s in %s".formatted(name, figures));
    }
}
