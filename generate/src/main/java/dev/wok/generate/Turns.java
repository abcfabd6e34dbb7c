package dev.wok.generate;

/// How generators that share a model, on threads of their own, take turns with it.
@FunctionalInterface
public interface Turns {
    /// Runs one step of a model, while nobody else runs one, in the thread that asks. A step reads up to
    /// [dev.wok.model.Model#CHUNK] tokens.
    void take(Runnable step);
}
