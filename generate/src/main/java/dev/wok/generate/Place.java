package dev.wok.generate;

import dev.wok.generate.json.Matcher;
import org.jspecify.annotations.Nullable;

/// Where a text may be in a [Graph].
sealed interface Place {
    /// @param at how many bytes are there
    record InText(Graph.Text part, int at) implements Place {}

    record BeforeOne(Graph.One part) implements Place {}

    record InValue(Graph.Value part, Matcher matcher) implements Place {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof InValue(Graph.Value otherPart, Matcher otherMatcher)
                    && part.equals(otherPart)
                    && matcher.isWhere(otherMatcher);
        }

        @Override
        public int hashCode() {
            return part.hashCode();
        }
    }

    /// @param state of the part's triggers
    /// @param tokens how many are there, where there is a limit
    /// @param missing bytes of the last character, where there is a limit
    record InFree(Graph.Free part, int state, int tokens, int missing) implements Place {
        /// Tokens after the limit within which a character ends.
        private static final int PATIENCE = 3;

        /// @return whether more of it may come, and not its triggers only
        boolean goesOn() {
            return tokens < part.most() || missing > 0 && tokens - PATIENCE < part.most();
        }
    }

    record Ended() implements Place {}
}
