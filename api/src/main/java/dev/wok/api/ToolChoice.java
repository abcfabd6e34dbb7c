package dev.wok.api;

/// Whether a model calls tools.
public sealed interface ToolChoice {
    /// As the model likes.
    record Auto() implements ToolChoice {}

    /// Not at all.
    record None() implements ToolChoice {}

    /// One call at least.
    record Required() implements ToolChoice {}

    /// That tool.
    ///
    /// @param tool its name
    record Named(String tool) implements ToolChoice {}
}
