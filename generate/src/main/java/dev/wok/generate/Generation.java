package dev.wok.generate;

import java.util.List;

/// What a generation gave.
///
/// @param tokens the new tokens, the one that stopped it left out
/// @param finishReason why it ended
/// @param promptTokens tokens of the prompt that were read
/// @param prefillSeconds reading the prompt
/// @param decodeSteps how often the model ran after that: the first token comes with the prompt
/// @param decodeSeconds spent on tokens after the prompt was read, turns waited for included
/// @param drafts what speculative decoding did
public record Generation(
        List<Token> tokens,
        FinishReason finishReason,
        int promptTokens,
        double prefillSeconds,
        int decodeSteps,
        double decodeSeconds,
        Drafts drafts) {

    /// Tokens that were guessed and read before they were picked.
    ///
    /// @param read how many
    /// @param accepted of those, how many were what was picked: each saved a step
    public record Drafts(long read, long accepted) {
        /// None.
        public static final Drafts NONE = new Drafts(0, 0);

        /// @return the share that was accepted, 0 where there were none
        public double acceptance() {
            return read > 0 ? accepted / (double) read : 0;
        }
    }

    /// Why a generation ended.
    public enum FinishReason {
        /// A stop token was picked, or whoever listens had enough.
        STOP,
        /// As many tokens as were asked for, or as the model's context holds.
        LENGTH,
        /// It was cancelled.
        CANCELLED,
        /// Its time was over.
        DEADLINE
    }

    public Generation {
        tokens = List.copyOf(tokens);
    }

    /// @return the new tokens' ids
    public int[] ids() {
        return tokens.stream().mapToInt(Token::id).toArray();
    }

    /// @return tokens of the prompt per second
    public double prefillTokensPerSecond() {
        return prefillSeconds > 0 ? promptTokens / prefillSeconds : 0;
    }

    /// @return tokens per second after the first
    public double decodeTokensPerSecond() {
        return decodeSeconds > 0 ? (decodeSteps + drafts.accepted) / decodeSeconds : 0;
    }
}
