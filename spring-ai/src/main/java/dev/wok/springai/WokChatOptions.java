package dev.wok.springai;

import dev.wok.api.ToolChoice;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.model.tool.DefaultToolCallingChatOptions;
import org.springframework.ai.model.tool.StructuredOutputChatOptions;
import org.springframework.ai.model.tool.ToolCallingChatOptions;
import org.springframework.ai.tool.ToolCallback;

/// How a model of Wok shall answer. What is null is as usual: 1024 tokens at most, temperature 0.8,
/// top-p 0.95, other draws each time.
///
/// ```java
/// WokChatOptions.builder().temperature(0.6).maxTokens(500).seed(1L).thinking(false).build()
/// ```
public final class WokChatOptions extends DefaultToolCallingChatOptions implements StructuredOutputChatOptions {
    private final Own own;

    private WokChatOptions(
            @Nullable List<ToolCallback> toolCallbacks,
            @Nullable Map<String, Object> toolContext,
            @Nullable String model,
            @Nullable Double frequencyPenalty,
            @Nullable Integer maxTokens,
            @Nullable Double presencePenalty,
            @Nullable List<String> stopSequences,
            @Nullable Double temperature,
            @Nullable Integer topK,
            @Nullable Double topP,
            Own own) {
        super(
                toolCallbacks,
                toolContext,
                model,
                frequencyPenalty,
                maxTokens,
                presencePenalty,
                stopSequences,
                temperature,
                topK,
                topP);
        this.own = own;
    }

    /// What models of Wok can do and others may not.
    private record Own(
            @Nullable Double minP,
            @Nullable Double repetitionPenalty,
            @Nullable Long seed,
            @Nullable Boolean thinking,
            @Nullable String reasoningEffort,
            @Nullable Integer maxThinkingTokens,
            @Nullable ToolChoice toolChoice,
            @Nullable Boolean parallelToolCalls,
            @Nullable String outputSchema) {}

    /// @return tokens less likely than this share of the likeliest are dropped, 0 to 1
    public @Nullable Double getMinP() {
        return own.minP;
    }

    /// @return divides the logits of what is in the text already
    public @Nullable Double getRepetitionPenalty() {
        return own.repetitionPenalty;
    }

    /// @return of the draws: the same prompt with the same seed gets the same answer
    public @Nullable Long getSeed() {
        return own.seed;
    }

    /// @return whether the model thinks first, where it can be told
    public @Nullable Boolean getThinking() {
        return own.thinking;
    }

    /// @return how much it thinks, in the words of the model's template
    public @Nullable String getReasoningEffort() {
        return own.reasoningEffort;
    }

    /// @return thoughts end after so many tokens
    public @Nullable Integer getMaxThinkingTokens() {
        return own.maxThinkingTokens;
    }

    /// @return whether tools are called; null for as the model likes
    public @Nullable ToolChoice getToolChoice() {
        return own.toolChoice;
    }

    /// @return whether an answer may have more than one call
    public @Nullable Boolean getParallelToolCalls() {
        return own.parallelToolCalls;
    }

    /// @return a JSON schema that the answer follows
    @Override
    public @Nullable String getOutputSchema() {
        return own.outputSchema;
    }

    @Override
    public Builder mutate() {
        return with(this, builder());
    }

    /// @return a builder, with what options say
    static Builder with(ChatOptions options, Builder builder) {
        set(options.getModel(), builder::model);
        set(options.getFrequencyPenalty(), builder::frequencyPenalty);
        set(options.getMaxTokens(), builder::maxTokens);
        set(options.getPresencePenalty(), builder::presencePenalty);
        set(options.getStopSequences(), builder::stopSequences);
        set(options.getTemperature(), builder::temperature);
        set(options.getTopK(), builder::topK);
        set(options.getTopP(), builder::topP);
        if (options instanceof ToolCallingChatOptions tools) {
            set(tools.getToolCallbacks(), builder::toolCallbacks);
            set(tools.getToolContext(), builder::toolContext);
        }
        if (options instanceof StructuredOutputChatOptions structured) {
            set(structured.getOutputSchema(), builder::outputSchema);
        }
        if (options instanceof WokChatOptions wok) {
            builder.take(wok.own);
        }
        return builder;
    }

    static <T> void set(@Nullable T value, Consumer<T> setter) {
        if (value != null) {
            setter.accept(value);
        }
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other || (other instanceof WokChatOptions that && super.equals(that) && own.equals(that.own));
    }

    @Override
    public int hashCode() {
        return Objects.hash(super.hashCode(), own);
    }

    /// @return to build some
    public static Builder builder() {
        return new Builder();
    }

    /// Builds [WokChatOptions].
    public static final class Builder extends DefaultToolCallingChatOptions.Builder<Builder>
            implements StructuredOutputChatOptions.Builder<Builder> {
        private @Nullable Double minP;
        private @Nullable Double repetitionPenalty;
        private @Nullable Long seed;
        private @Nullable Boolean thinking;
        private @Nullable String reasoningEffort;
        private @Nullable Integer maxThinkingTokens;
        private @Nullable ToolChoice toolChoice;
        private @Nullable Boolean parallelToolCalls;
        private @Nullable String outputSchema;

        private Builder() {}

        /// @see WokChatOptions#getMinP
        public Builder minP(@Nullable Double value) {
            minP = value;
            return this;
        }

        /// @see WokChatOptions#getRepetitionPenalty
        public Builder repetitionPenalty(@Nullable Double value) {
            repetitionPenalty = value;
            return this;
        }

        /// @see WokChatOptions#getSeed
        public Builder seed(@Nullable Long value) {
            seed = value;
            return this;
        }

        /// @see WokChatOptions#getThinking
        public Builder thinking(@Nullable Boolean value) {
            thinking = value;
            return this;
        }

        /// @see WokChatOptions#getReasoningEffort
        public Builder reasoningEffort(@Nullable String value) {
            reasoningEffort = value;
            return this;
        }

        /// @see WokChatOptions#getMaxThinkingTokens
        public Builder maxThinkingTokens(@Nullable Integer value) {
            maxThinkingTokens = value;
            return this;
        }

        /// @see WokChatOptions#getToolChoice
        public Builder toolChoice(@Nullable ToolChoice value) {
            toolChoice = value;
            return this;
        }

        /// @see WokChatOptions#getParallelToolCalls
        public Builder parallelToolCalls(@Nullable Boolean value) {
            parallelToolCalls = value;
            return this;
        }

        /// @see WokChatOptions#getOutputSchema
        @Override
        public Builder outputSchema(@Nullable String value) {
            outputSchema = value;
            return this;
        }

        private Own own() {
            return new Own(
                    minP,
                    repetitionPenalty,
                    seed,
                    thinking,
                    reasoningEffort,
                    maxThinkingTokens,
                    toolChoice,
                    parallelToolCalls,
                    outputSchema);
        }

        private void take(Own own) {
            set(own.minP, this::minP);
            set(own.repetitionPenalty, this::repetitionPenalty);
            set(own.seed, this::seed);
            set(own.thinking, this::thinking);
            set(own.reasoningEffort, this::reasoningEffort);
            set(own.maxThinkingTokens, this::maxThinkingTokens);
            set(own.toolChoice, this::toolChoice);
            set(own.parallelToolCalls, this::parallelToolCalls);
            set(own.outputSchema, this::outputSchema);
        }

        @Override
        public Builder combineWith(ChatOptions.Builder<?> other) {
            super.combineWith(other);
            if (other instanceof Builder that) {
                take(that.own());
            }
            return this;
        }

        @Override
        public WokChatOptions build() {
            return new WokChatOptions(
                    toolCallbacks,
                    toolContext,
                    model,
                    frequencyPenalty,
                    maxTokens,
                    presencePenalty,
                    stopSequences,
                    temperature,
                    topK,
                    topP,
                    own());
        }
    }
}
