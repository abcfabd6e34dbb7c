package dev.wok.langchain4j;

import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.generate.Sampling;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What a request may ask of a model of Wok beside what it may ask of all models.
///
/// ```java
/// WokChatRequestParameters.builder().temperature(0.6).seed(1L).thinking(false).build()
/// ```
public final class WokChatRequestParameters extends DefaultChatRequestParameters {
    /// Parameters that say nothing.
    public static final WokChatRequestParameters EMPTY = builder().build();

    private final @Nullable Long seed;
    private final @Nullable Double minP;
    private final @Nullable Double repetitionPenalty;
    private final @Nullable Boolean thinking;
    private final @Nullable String reasoningEffort;
    private final @Nullable Integer maxThinkingTokens;
    private final @Nullable Boolean parallelToolCalls;

    private WokChatRequestParameters(Builder builder) {
        super(builder);
        seed = builder.seed;
        minP = builder.minP;
        repetitionPenalty = builder.repetitionPenalty;
        thinking = builder.thinking;
        reasoningEffort = builder.reasoningEffort;
        maxThinkingTokens = builder.maxThinkingTokens;
        parallelToolCalls = builder.parallelToolCalls;
    }

    /// @return of the draws: the same request with the same seed gets the same answer; null for another
    ///     each time
    public @Nullable Long seed() {
        return seed;
    }

    /// @return tokens less likely than this share of the likeliest are dropped, 0 to 1; null for 0
    public @Nullable Double minP() {
        return minP;
    }

    /// @return divides the logits of what is in the text already; null for 1
    public @Nullable Double repetitionPenalty() {
        return repetitionPenalty;
    }

    /// @return whether the model thinks first, where it can be told; null for what is usual there
    public @Nullable Boolean thinking() {
        return thinking;
    }

    /// @return how much it thinks, in the words of the model's template; null for what is usual there
    public @Nullable String reasoningEffort() {
        return reasoningEffort;
    }

    /// @return thoughts end after so many tokens; null for no limit but the answer's
    public @Nullable Integer maxThinkingTokens() {
        return maxThinkingTokens;
    }

    /// @return whether an answer may have more than one call; null for true
    public @Nullable Boolean parallelToolCalls() {
        return parallelToolCalls;
    }

    ChatOptions applied(ChatOptions options) {
        Answer.Options answer = options.answer();
        Sampling sampling = answer.sampling();
        sampling = seed == null ? sampling : sampling.withSeed(seed);
        sampling = minP == null ? sampling : sampling.withMinP(minP);
        sampling = repetitionPenalty == null ? sampling : sampling.withRepetitionPenalty(repetitionPenalty);
        ChatOptions applied = options.withAnswer(answer.withSampling(sampling));
        applied = thinking == null ? applied : applied.withThinking(thinking);
        applied = reasoningEffort == null ? applied : applied.withReasoningEffort(reasoningEffort);
        applied = maxThinkingTokens == null ? applied : applied.withMaxThoughtTokens(maxThinkingTokens);
        return parallelToolCalls == null ? applied : applied.withParallelToolCalls(parallelToolCalls);
    }

    @Override
    public WokChatRequestParameters overrideWith(ChatRequestParameters that) {
        return builder().overrideWith(this).overrideWith(that).build();
    }

    @Override
    public WokChatRequestParameters defaultedBy(ChatRequestParameters that) {
        return builder().overrideWith(that).overrideWith(this).build();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other
                || (other instanceof WokChatRequestParameters that && super.equals(that) && own().equals(that.own()));
    }

    @Override
    public int hashCode() {
        return Objects.hash(super.hashCode(), own());
    }

    @Override
    public String toString() {
        return super.toString() + own();
    }

    private record Own(
            @Nullable Long seed,
            @Nullable Double minP,
            @Nullable Double repetitionPenalty,
            @Nullable Boolean thinking,
            @Nullable String reasoningEffort,
            @Nullable Integer maxThinkingTokens,
            @Nullable Boolean parallelToolCalls) {}

    private Own own() {
        return new Own(seed, minP, repetitionPenalty, thinking, reasoningEffort, maxThinkingTokens, parallelToolCalls);
    }

    /// @return to build some
    public static Builder builder() {
        return new Builder();
    }

    /// Builds [WokChatRequestParameters].
    public static final class Builder extends DefaultChatRequestParameters.Builder<Builder> {
        private @Nullable Long seed;
        private @Nullable Double minP;
        private @Nullable Double repetitionPenalty;
        private @Nullable Boolean thinking;
        private @Nullable String reasoningEffort;
        private @Nullable Integer maxThinkingTokens;
        private @Nullable Boolean parallelToolCalls;

        private Builder() {}

        @Override
        public Builder overrideWith(ChatRequestParameters that) {
            Builder result = super.overrideWith(that);
            if (that instanceof WokChatRequestParameters own) {
                seed = or(own.seed, seed);
                minP = or(own.minP, minP);
                repetitionPenalty = or(own.repetitionPenalty, repetitionPenalty);
                thinking = or(own.thinking, thinking);
                reasoningEffort = or(own.reasoningEffort, reasoningEffort);
                maxThinkingTokens = or(own.maxThinkingTokens, maxThinkingTokens);
                parallelToolCalls = or(own.parallelToolCalls, parallelToolCalls);
            }
            return result;
        }

        private static <T> @Nullable T or(@Nullable T value, @Nullable T other) {
            return value == null ? other : value;
        }

        /// @see WokChatRequestParameters#seed
        public Builder seed(@Nullable Long value) {
            seed = value;
            return this;
        }

        /// @see WokChatRequestParameters#minP
        public Builder minP(@Nullable Double value) {
            minP = value;
            return this;
        }

        /// @see WokChatRequestParameters#repetitionPenalty
        public Builder repetitionPenalty(@Nullable Double value) {
            repetitionPenalty = value;
            return this;
        }

        /// @see WokChatRequestParameters#thinking
        public Builder thinking(@Nullable Boolean value) {
            thinking = value;
            return this;
        }

        /// @see WokChatRequestParameters#reasoningEffort
        public Builder reasoningEffort(@Nullable String value) {
            reasoningEffort = value;
            return this;
        }

        /// @see WokChatRequestParameters#maxThinkingTokens
        public Builder maxThinkingTokens(@Nullable Integer value) {
            maxThinkingTokens = value;
            return this;
        }

        /// @see WokChatRequestParameters#parallelToolCalls
        public Builder parallelToolCalls(@Nullable Boolean value) {
            parallelToolCalls = value;
            return this;
        }

        @Override
        public WokChatRequestParameters build() {
            return new WokChatRequestParameters(this);
        }
    }
}
