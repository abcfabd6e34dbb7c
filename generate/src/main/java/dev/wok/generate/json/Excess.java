package dev.wok.generate.json;

/// An automaton would become too large.
final class Excess extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Excess() {
        super("too many states", null, false, false);
    }
}
