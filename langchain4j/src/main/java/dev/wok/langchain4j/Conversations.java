package dev.wok.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import dev.wok.api.Message;
import dev.wok.api.Reply;
import dev.wok.api.ToolCall;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/// What [WokChatModel] and [WokStreamingChatModel] have in common.
///
/// @param parameters what holds where a request says nothing else
record Conversations(
        Held held, Requests requests, ChatRequestParameters parameters, List<ChatModelListener> listeners) {

    Reply reply(ChatRequest request) {
        return held.model().chat(Requests.messages(request.messages()), requests.options(request.parameters()));
    }

    /// Waits for what is left.
    ChatResponse response(Reply reply) {
        Message message = reply.message();
        int input = reply.answer().promptTokens();
        int output = reply.answer().ids().length;
        return ChatResponse.builder()
                .id("wok-" + UUID.randomUUID())
                .modelName(held.name())
                .aiMessage(said(message))
                .tokenUsage(new TokenUsage(input, output, input + output))
                .finishReason(reason(reply.finishReason()))
                .build();
    }

    private static AiMessage said(Message message) {
        AiMessage.Builder said = AiMessage.builder()
                .toolExecutionRequests(
                        message.toolCalls().stream().map(Conversations::request).toList());
        Optional.of(message.content()).filter(text -> !text.isEmpty()).ifPresent(said::text);
        message.reasoning().ifPresent(said::thinking);
        return said.build();
    }

    private static ToolExecutionRequest request(ToolCall call) {
        return ToolExecutionRequest.builder()
                .id(call.id())
                .name(call.name())
                .arguments(call.arguments())
                .build();
    }

    private static FinishReason reason(Reply.FinishReason reason) {
        return switch (reason) {
            case STOP -> FinishReason.STOP;
            case LENGTH -> FinishReason.LENGTH;
            case TOOL_CALLS -> FinishReason.TOOL_EXECUTION;
            case CANCELLED, DEADLINE -> FinishReason.OTHER;
        };
    }
}
