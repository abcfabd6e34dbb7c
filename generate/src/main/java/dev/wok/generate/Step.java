package dev.wok.generate;

import java.util.List;

/// What is read at once.
///
/// @param copies of known tokens, to be made in this order before
/// @param readings of different sequences
record Step(List<PagePool.Copy> copies, List<Reading> readings) {
    /// @param from the first token
    /// @param count how many
    record Reading(Sequence sequence, int from, int count) {
        /// @return whether the whole text is known then, and a token is picked
        boolean isLast() {
            return from + count == sequence.length();
        }
    }

    Step {
        copies = List.copyOf(copies);
        readings = List.copyOf(readings);
    }

    /// @return sequences that read a token that they picked
    int answering() {
        return (int)
                readings.stream().filter(reading -> reading.sequence.answers()).count();
    }

    /// @return tokens in all
    int tokens() {
        return readings.stream().mapToInt(Reading::count).sum();
    }
}
