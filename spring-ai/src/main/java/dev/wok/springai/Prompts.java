package dev.wok.springai;

import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Tool;
import dev.wok.api.ToolCall;
import dev.wok.generate.Constraint;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.content.MediaContent;
import org.springframework.ai.tool.ToolCallback;
import org.springframework.ai.tool.definition.ToolDefinition;

/// Spring AI's prompts as Wok takes them.
final class Prompts {
    /// Where an assistant's message keeps what it thought.
    static final String THINKING = "thinking";

    private Prompts() {}

    /// @throws BadInput where a message has more than text
    static List<Message> messages(List<org.springframework.ai.chat.messages.Message> messages) {
        return messages.stream().flatMap(Prompts::messages).toList();
    }

    private static Stream<Message> messages(org.springframework.ai.chat.messages.Message message) {
        if (message instanceof MediaContent content && !content.getMedia().isEmpty()) {
            throw new BadInput("a message has media of type %s, the model reads text only; leave them out."
                    .formatted(content.getMedia().iterator().next().getMimeType()));
        }
        return switch (message) {
            case SystemMessage system -> Stream.of(Message.system(text(system)));
            case UserMessage user -> Stream.of(Message.user(text(user)));
            case AssistantMessage assistant -> {
                Message said = Message.assistant(text(assistant))
                        .withToolCalls(assistant.getToolCalls().stream()
                                .map(call -> new ToolCall(call.id(), call.name(), call.arguments()))
                                .toList());
                yield Stream.of(
                        assistant.getMetadata().get(THINKING) instanceof String thought
                                ? said.withReasoning(thought)
                                : said);
            }
            case ToolResponseMessage tools ->
                tools.getResponses().stream()
                        .map(response -> Message.tool(response.id(), response.responseData())
                                .withName(response.name()));
            default ->
                throw new BadInput("a message is a %s, expected a system, user, assistant or tool response message."
                        .formatted(message.getClass().getName()));
        };
    }

    private static String text(org.springframework.ai.chat.messages.Message message) {
        return Objects.requireNonNullElse(message.getText(), "");
    }

    /// @throws BadInput where a value is out of its range
    static ChatOptions options(WokChatOptions given) {
        ChatOptions options = ChatOptions.defaults().withAnswer(answer(given)).withTools(tools(given));
        options = set(options, given.getThinking(), ChatOptions::withThinking);
        options = set(options, given.getReasoningEffort(), ChatOptions::withReasoningEffort);
        options = set(options, given.getMaxThinkingTokens(), ChatOptions::withMaxThoughtTokens);
        options = set(options, given.getParallelToolCalls(), ChatOptions::withParallelToolCalls);
        return set(options, given.getToolChoice(), ChatOptions::withToolChoice);
    }

    private static Answer.Options answer(WokChatOptions given) {
        Answer.Options options = Answer.Options.defaults().withSampling(sampling(given));
        options = set(options, given.getMaxTokens(), Answer.Options::withMaxTokens);
        options = set(options, given.getStopSequences(), (all, stops) -> all.withStops(stops.toArray(String[]::new)));
        return set(options, given.getOutputSchema(), (all, schema) -> all.withConstraint(Constraint.schema(schema)));
    }

    private static Sampling sampling(WokChatOptions given) {
        Sampling sampling = Sampling.usual();
        sampling = set(sampling, given.getTemperature(), Sampling::withTemperature);
        sampling = set(sampling, given.getTopK(), Sampling::withTopK);
        sampling = set(sampling, given.getTopP(), Sampling::withTopP);
        sampling = set(sampling, given.getMinP(), Sampling::withMinP);
        sampling = set(sampling, given.getRepetitionPenalty(), Sampling::withRepetitionPenalty);
        sampling = set(sampling, given.getFrequencyPenalty(), Sampling::withFrequencyPenalty);
        sampling = set(sampling, given.getPresencePenalty(), Sampling::withPresencePenalty);
        return sampling.withSeed(Optional.ofNullable(given.getSeed())
                .orElseGet(() -> ThreadLocalRandom.current().nextLong()));
    }

    private static <A, B> A set(A all, @Nullable B value, BiFunction<A, B, A> with) {
        return value == null ? all : with.apply(all, value);
    }

    private static List<Tool> tools(WokChatOptions given) {
        List<ToolCallback> callbacks = Objects.requireNonNullElse(given.getToolCallbacks(), List.of());
        return callbacks.stream()
                .map(ToolCallback::getToolDefinition)
                .map(Prompts::tool)
                .toList();
    }

    private static Tool tool(ToolDefinition tool) {
        return new Tool(tool.name(), tool.description(), tool.inputSchema());
    }
}
