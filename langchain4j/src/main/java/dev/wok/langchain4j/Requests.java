package dev.wok.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Tool;
import dev.wok.api.ToolCall;
import dev.wok.api.ToolChoice;
import dev.wok.generate.Constraint;
import dev.wok.generate.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// LangChain4j's requests as Wok takes them.
///
/// @param modelName the only model that a request may ask for
record Requests(String modelName) {

    /// @throws UnsupportedFeatureException where another model is asked for
    void requireSupported(ChatRequestParameters parameters) {
        String asked = parameters.modelName();
        if (asked != null && !asked.equals(modelName)) {
            throw new UnsupportedFeatureException(
                    "modelName '%s' is not supported: this model is '%s', leave modelName out or build another."
                            .formatted(asked, modelName));
        }
    }

    /// @throws UnsupportedFeatureException where a message has more than text
    static List<Message> messages(List<ChatMessage> messages) {
        List<Message> given = new ArrayList<>();
        int results = 0;
        for (ChatMessage message : messages) {
            given.add(message(message, results));
            results = message instanceof ToolExecutionResultMessage ? results + 1 : 0;
        }
        return given;
    }

    private static Message message(ChatMessage message, int resultsBefore) {
        return switch (message) {
            case SystemMessage system -> Message.system(system.text());
            case UserMessage user -> {
                Message said = Message.user(text(user.contents()));
                yield Optional.ofNullable(user.name()).map(said::withName).orElse(said);
            }
            case AiMessage ai -> {
                Message said = Message.assistant(Optional.ofNullable(ai.text()).orElse(""))
                        .withToolCalls(calls(ai.toolExecutionRequests()));
                yield Optional.ofNullable(ai.thinking())
                        .map(said::withReasoning)
                        .orElse(said);
            }
            case ToolExecutionResultMessage result -> {
                Message said = Message.tool(
                        Optional.ofNullable(result.id()).orElseGet(() -> callId(resultsBefore)),
                        text(result.contents()));
                yield Optional.ofNullable(result.toolName()).map(said::withName).orElse(said);
            }
            default ->
                throw new UnsupportedFeatureException(
                        "a message of type %s is not supported; give system, user, ai and".formatted(message.type())
                                + " tool execution result messages.");
        };
    }

    private static String text(List<Content> contents) {
        return contents.stream()
                .map(content -> switch (content) {
                    case TextContent text -> text.text();
                    default ->
                        throw new UnsupportedFeatureException(
                                "content of type %s is not supported, the model reads text only."
                                        .formatted(content.type().name().toLowerCase(Locale.ROOT)));
                })
                .collect(Collectors.joining("\n"));
    }

    private static List<ToolCall> calls(List<ToolExecutionRequest> requests) {
        return IntStream.range(0, requests.size())
                .mapToObj(index -> {
                    ToolExecutionRequest request = requests.get(index);
                    return new ToolCall(
                            Optional.ofNullable(request.id()).orElseGet(() -> callId(index)),
                            request.name(),
                            Optional.ofNullable(request.arguments())
                                    .filter(text -> !text.isBlank())
                                    .orElse("{}"));
                })
                .toList();
    }

    /// What a call is named whose id got lost, as with models that give none.
    private static String callId(int index) {
        return "call_" + index;
    }

    /// @throws UnsupportedFeatureException where something is asked for that Wok does not do
    /// @throws dev.wok.notice.BadInput where a value is out of its range
    ChatOptions options(ChatRequestParameters parameters) {
        requireSupported(parameters);
        ChatOptions options = ChatOptions.defaults()
                .withAnswer(answer(parameters))
                .withTools(parameters.toolSpecifications().stream()
                        .map(Requests::tool)
                        .toList())
                .withToolChoice(choice(parameters));
        return parameters instanceof WokChatRequestParameters own ? own.applied(options) : options;
    }

    private static Answer.Options answer(ChatRequestParameters parameters) {
        Answer.Options options = Answer.Options.defaults()
                .withSampling(sampling(parameters))
                .withStops(parameters.stopSequences().toArray(String[]::new));
        if (parameters.maxOutputTokens() != null) {
            options = options.withMaxTokens(parameters.maxOutputTokens());
        }
        Optional<Constraint> constraint =
                Optional.ofNullable(parameters.responseFormat()).flatMap(Requests::constraint);
        return constraint.isPresent() ? options.withConstraint(constraint.get()) : options;
    }

    private static Sampling sampling(ChatRequestParameters parameters) {
        Sampling sampling =
                Sampling.usual().withSeed(ThreadLocalRandom.current().nextLong());
        if (parameters.temperature() != null) {
            sampling = sampling.withTemperature(parameters.temperature());
        }
        if (parameters.topP() != null) {
            sampling = sampling.withTopP(parameters.topP());
        }
        if (parameters.topK() != null) {
            sampling = sampling.withTopK(parameters.topK());
        }
        if (parameters.frequencyPenalty() != null) {
            sampling = sampling.withFrequencyPenalty(parameters.frequencyPenalty());
        }
        if (parameters.presencePenalty() != null) {
            sampling = sampling.withPresencePenalty(parameters.presencePenalty());
        }
        return sampling;
    }

    private static Optional<Constraint> constraint(ResponseFormat format) {
        if (format.type() == ResponseFormatType.TEXT) {
            return Optional.empty();
        }
        return Optional.of(Constraint.schema(
                format.jsonSchema() == null
                        ? Schemas.ANY_OBJECT
                        : Schemas.json(format.jsonSchema().rootElement())));
    }

    private static Tool tool(ToolSpecification tool) {
        return new Tool(
                tool.name(),
                Optional.ofNullable(tool.description()).orElse(""),
                tool.parameters() == null ? Schemas.NOTHING : Schemas.json(tool.parameters()));
    }

    private static ToolChoice choice(ChatRequestParameters parameters) {
        return switch (parameters.toolChoice()) {
            case null -> new ToolChoice.Auto();
            case AUTO -> new ToolChoice.Auto();
            case REQUIRED -> new ToolChoice.Required();
            case NONE -> new ToolChoice.None();
        };
    }
}
