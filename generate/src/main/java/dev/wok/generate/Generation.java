package dev.wok.generate;

/// What a generation gave.
///
/// @param ids the new tokens, the one that stopped it left out
/// @param finishReason why it ended
/// @param promptTokens tokens of the prompt that were read
/// @param prefillSeconds reading the prompt
/// @param decodeSteps how often the model ran after that: the first token comes with the prompt
/// @param decodeSeconds from the first token picked to the last
public record Generation(
        int[] ids,
        FinishReason finishReason,
        int promptTokens,
        double prefillSeconds,
        int decodeSteps,
        double decodeSeconds) {

    /// Why a generation ended.
    public enum FinishReason {
        /// A stop token was picked, or the listener asked for it.
        STOP,
        /// As many tokens as were asked for, or as the model's context holds.
        LENGTH
    }

    /// @return tokens of the prompt per second
    public double prefillTokensPerSecond() {
        return prefillSeconds > 0 ? promptTokens / prefillSeconds : 0;
    }

    /// @return tokens per second after the first
    public double decodeTokensPerSecond() {
        return decodeSeconds > 0 ? decodeSteps / decodeSeconds : 0;
    }
}
