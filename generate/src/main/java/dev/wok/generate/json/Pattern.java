package dev.wok.generate.json;

import java.util.List;

/// A regular expression as it is written.
sealed interface Pattern {
    /// One character of a set.
    record OneOf(CodePoints set) implements Pattern {}

    /// One after the other.
    record Sequence(List<Pattern> parts) implements Pattern {}

    /// One of them.
    record Either(List<Pattern> choices) implements Pattern {}

    /// So many times.
    ///
    /// @param most [#MANY] where it is not bounded
    record Repeated(Pattern part, int least, int most) implements Pattern {
        static final int MANY = Integer.MAX_VALUE;
    }

    /// The beginning of the string.
    record Begin() implements Pattern {}

    /// The end of the string.
    record End() implements Pattern {}
}
