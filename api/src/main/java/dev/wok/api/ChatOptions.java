package dev.wok.api;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// How a model shall answer in a conversation: [#defaults], changed by the `with` methods.
///
/// @param answer length, sampling, stops, what the answer must be; a constraint there is for what is
///     said, after thoughts
/// @param tools that may be called
/// @param toolChoice whether they are
/// @param parallelToolCalls whether an answer may have more than one call
/// @param thinking whether the model thinks first, where its template can be told; empty for what is
///     usual there
/// @param reasoningEffort how much, in the template's words; empty for what is usual there
/// @param maxThoughtTokens thoughts end after so many; empty for no limit but the answer's
/// @param templateVariables further variables of the chat template
/// @param continuesLast whether the last message, an assistant's, is the beginning of the answer, which
///     then goes on after its thoughts, if it has any, and its content
public record ChatOptions(
        Answer.Options answer,
        List<Tool> tools,
        ToolChoice toolChoice,
        boolean parallelToolCalls,
        Optional<Boolean> thinking,
        Optional<String> reasoningEffort,
        OptionalInt maxThoughtTokens,
        Map<String, Object> templateVariables,
        boolean continuesLast) {
    public ChatOptions {
        tools = List.copyOf(tools);
        templateVariables = Map.copyOf(templateVariables);
    }

    /// @return [Answer.Options#defaults], no tools, all else as is usual for the model
    public static ChatOptions defaults() {
        return new ChatOptions(
                Answer.Options.defaults(),
                List.of(),
                new ToolChoice.Auto(),
                true,
                Optional.empty(),
                Optional.empty(),
                OptionalInt.empty(),
                Map.of(),
                false);
    }

    /// @return these with another length, sampling, and so on
    public ChatOptions withAnswer(Answer.Options value) {
        return new ChatOptions(
                value,
                tools,
                toolChoice,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with tools
    public ChatOptions withTools(List<Tool> value) {
        return new ChatOptions(
                answer,
                value,
                toolChoice,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with calls or without
    public ChatOptions withToolChoice(ToolChoice value) {
        return new ChatOptions(
                answer,
                tools,
                value,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with one call at most, or more
    public ChatOptions withParallelToolCalls(boolean value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                value,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with thoughts or without
    public ChatOptions withThinking(boolean value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                parallelToolCalls,
                Optional.of(value),
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with so much thinking
    public ChatOptions withReasoningEffort(String value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                parallelToolCalls,
                thinking,
                Optional.of(value),
                maxThoughtTokens,
                templateVariables,
                continuesLast);
    }

    /// @return these with thoughts of so many tokens at most
    public ChatOptions withMaxThoughtTokens(int value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                OptionalInt.of(value),
                templateVariables,
                continuesLast);
    }

    /// @return these with further variables of the chat template
    public ChatOptions withTemplateVariables(Map<String, Object> value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                value,
                continuesLast);
    }

    /// @return these for an answer that goes on where the last message, an assistant's, ends
    public ChatOptions withContinuesLast(boolean value) {
        return new ChatOptions(
                answer,
                tools,
                toolChoice,
                parallelToolCalls,
                thinking,
                reasoningEffort,
                maxThoughtTokens,
                templateVariables,
                value);
    }
}
