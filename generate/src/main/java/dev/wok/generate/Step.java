package dev.wok.generate;

import java.util.List;

/// What is read at once.
///
/// @param fillings of pages with what is known, to be done in this order before
/// @param readings of different sequences
record Step(List<PagePool.Filling> fillings, List<Reading> readings) {
    /// @param from the first token
    /// @param ids of the tokens; the last may be a draft
    record Reading(Sequence sequence, int from, int... ids) {
        int count() {
            return ids.length;
        }

        /// @return of how many of the last tokens logits are wanted
        int logits() {
            return Math.max(picks(), sequence.unsettled(from, from + ids.length));
        }

        /// @return how many tokens can be picked then: none where the text goes on, two where the last is a draft
        int picks() {
            return Math.max(0, from + ids.length + 1 - sequence.length());
        }

        /// @return how many of its tokens are the text's: all, but for a draft that is not what was picked
        int kept() {
            int last = from + ids.length - 1;
            boolean wrong = last >= sequence.length() || sequence.text()[last] != ids[ids.length - 1];
            return ids.length - (wrong ? 1 : 0);
        }
    }

    Step {
        fillings = List.copyOf(fillings);
        readings = List.copyOf(readings);
    }

    /// @return sequences that read a token that they picked
    int answering() {
        return (int)
                readings.stream().filter(reading -> reading.sequence.answers()).count();
    }

    /// @return tokens that nobody has picked yet
    int drafts() {
        return (int) readings.stream().filter(reading -> reading.picks() > 1).count();
    }

    /// @return tokens of prompts
    int promptTokens() {
        return tokens() - answering() - drafts();
    }

    /// @return tokens in all
    int tokens() {
        return readings.stream().mapToInt(Reading::count).sum();
    }
}
