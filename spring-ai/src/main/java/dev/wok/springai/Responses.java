package dev.wok.springai;

import dev.wok.api.Message;
import dev.wok.api.Reply;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.metadata.ChatGenerationMetadata;
import org.springframework.ai.chat.metadata.ChatResponseMetadata;
import org.springframework.ai.chat.metadata.DefaultUsage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.model.Generation;
import reactor.core.publisher.Flux;
import reactor.core.publisher.SynchronousSink;

/// A reply as Spring AI's responses.
final class Responses {
    private final String id = "wok-" + UUID.randomUUID();
    private final String model;
    private final Reply reply;

    Responses(String model, Reply reply) {
        this.model = model;
        this.reply = reply;
    }

    /// Waits for what is left.
    ///
    /// @return all of it
    ChatResponse whole() {
        return ended(reply.message().content());
    }

    /// @param end is told the whole response
    /// @return pieces of text and thoughts, each computed when it is asked for; the last has the calls,
    ///     all thoughts and the figures
    Flux<ChatResponse> parts(Consumer<ChatResponse> end) {
        Iterator<Reply.Part> parts = reply.iterator();
        return Flux.<ChatResponse>generate(sink -> next(parts, sink, end)).doOnCancel(reply::cancel);
    }

    private void next(Iterator<Reply.Part> parts, SynchronousSink<ChatResponse> sink, Consumer<ChatResponse> end) {
        while (parts.hasNext()) {
            switch (parts.next()) {
                case Reply.Text text
                when !text.text().isEmpty() -> {
                    sink.next(part(AssistantMessage.builder().content(text.text()), ChatGenerationMetadata.NULL));
                    return;
                }
                case Reply.Thought thought
                when !thought.text().isEmpty() -> {
                    sink.next(part(
                            AssistantMessage.builder().content("").properties(Map.of(Prompts.THINKING, thought.text())),
                            ChatGenerationMetadata.builder()
                                    .metadata(Prompts.THINKING, thought.text())
                                    .build()));
                    return;
                }
                case Reply.Text _, Reply.Thought _, Reply.CallStart _, Reply.CallArguments _ -> {}
            }
        }
        end.accept(whole());
        sink.next(ended(""));
        sink.complete();
    }

    private ChatResponse part(AssistantMessage.Builder<?> message, ChatGenerationMetadata metadata) {
        return new ChatResponse(
                List.of(new Generation(message.build(), metadata)),
                ChatResponseMetadata.builder().id(id).model(model).build());
    }

    private ChatResponse ended(String content) {
        Message message = reply.message();
        AssistantMessage said = AssistantMessage.builder()
                .content(content)
                .properties(message.reasoning()
                        .<Map<String, Object>>map(thought -> Map.of(Prompts.THINKING, thought))
                        .orElse(Map.of()))
                .toolCalls(message.toolCalls().stream()
                        .map(call ->
                                new AssistantMessage.ToolCall(call.id(), "function", call.name(), call.arguments()))
                        .toList())
                .build();
        ChatGenerationMetadata.Builder metadata = ChatGenerationMetadata.builder()
                .finishReason(reply.finishReason().name());
        message.reasoning().ifPresent(thought -> metadata.metadata(Prompts.THINKING, thought));
        return new ChatResponse(
                List.of(new Generation(said, metadata.build())),
                ChatResponseMetadata.builder()
                        .id(id)
                        .model(model)
                        .usage(new DefaultUsage(
                                reply.answer().promptTokens(), reply.answer().ids().length))
                        .build());
    }
}
