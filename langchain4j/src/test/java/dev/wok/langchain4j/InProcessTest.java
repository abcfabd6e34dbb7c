package dev.wok.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Model;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What LangChain4j's own tests do not ask.
class InProcessTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = Lines.model();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static WokChatModel chat() {
        return WokChatModel.builder()
                .model(model)
                .defaultRequestParameters(Lines.greedy())
                .build();
    }

    private static WokStreamingChatModel streaming() {
        return WokStreamingChatModel.builder()
                .model(model)
                .defaultRequestParameters(Lines.greedy())
                .build();
    }

    /// Collects what an answer says.
    private static class Heard implements StreamingChatResponseHandler {
        final StringBuilder text = new StringBuilder();
        final StringBuilder thoughts = new StringBuilder();
        final CompletableFuture<ChatResponse> response = new CompletableFuture<>();

        @Override
        public void onPartialResponse(String piece) {
            text.append(piece);
        }

        @Override
        public void onPartialThinking(PartialThinking piece) {
            assertTrue(text.isEmpty());
            thoughts.append(piece.text());
        }

        @Override
        public void onCompleteResponse(ChatResponse whole) {
            response.complete(whole);
        }

        @Override
        public void onError(Throwable error) {
            response.completeExceptionally(error);
        }

        ChatResponse whole() throws Exception {
            return response.get(1, TimeUnit.MINUTES);
        }
    }

    @Test
    void thoughtsAreNoPartOfTheAnswer() throws Exception {
        ChatResponse response = chat().chat(UserMessage.from("What is 6 times 7?"));
        assertEquals("It is 42.", response.aiMessage().text());
        assertEquals("Six sevens are forty-two.", response.aiMessage().thinking());
        assertEquals("wok", response.modelName());
        assertEquals(FinishReason.STOP, response.finishReason());

        Heard heard = new Heard();
        streaming().chat("What is 6 times 7?", heard);
        assertEquals(response.aiMessage(), heard.whole().aiMessage());
        assertEquals("It is 42.", heard.text.toString());
        assertEquals("Six sevens are forty-two.", heard.thoughts.toString());

        ChatRequest quick = ChatRequest.builder()
                .messages(UserMessage.from("What is 6 times 7?"))
                .parameters(WokChatRequestParameters.builder().thinking(false).build())
                .build();
        AiMessage answer = chat().chat(quick).aiMessage();
        assertEquals("It is 42.", answer.text());
        assertNull(answer.thinking());
    }

    @Test
    void whoCancelsHearsNoMoreAndTheModelRests() throws Exception {
        AtomicInteger pieces = new AtomicInteger();
        CompletableFuture<Void> cancelled = new CompletableFuture<>();
        Heard heard = new Heard() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
                assertFalse(context.streamingHandle().isCancelled());
                if (pieces.incrementAndGet() == 3) {
                    context.streamingHandle().cancel();
                    context.streamingHandle().cancel();
                    assertTrue(context.streamingHandle().isCancelled());
                    cancelled.complete(null);
                }
            }
        };
        ChatRequest endless = ChatRequest.builder()
                .messages(UserMessage.from("Tell me a long story about animals"))
                .parameters(
                        ChatRequestParameters.builder().maxOutputTokens(5000).build())
                .build();
        streaming().chat(endless, heard);
        cancelled.get(1, TimeUnit.MINUTES);
        while (model.activity().running() > 0) {
            Thread.onSpinWait();
        }
        assertEquals(3, pieces.get());
        assertThrows(TimeoutException.class, () -> heard.response.get(50, TimeUnit.MILLISECONDS));
    }

    @Test
    void refusalsAreInvalidRequests() {
        WokChatModel model = chat();
        ChatRequest wrong = ChatRequest.builder()
                .messages(UserMessage.from("Hello"))
                .parameters(ChatRequestParameters.builder().topP(1.5).build())
                .build();
        String message = "top-p is 1.5, expected above 0, at most 1.";
        assertEquals(
                message,
                assertThrows(InvalidRequestException.class, () -> model.chat(wrong))
                        .getMessage());
        Heard heard = new Heard();
        streaming().chat(wrong, heard);
        Throwable error = assertThrows(ExecutionException.class, heard::whole).getCause();
        assertInstanceOf(InvalidRequestException.class, error);
        assertEquals(message, error.getMessage());
    }

    @Test
    void whatWasLoadedIsClosedAndWhatWasGivenIsNot(@TempDir Path empty) {
        WokChatModel given = chat();
        given.close();
        assertEquals("Hello World", chat().chat("Say 'Hello World'"));

        WokChatModel.Builder builder = WokChatModel.builder().path(Lines.folder());
        WokChatModel loaded = builder.defaultRequestParameters(Lines.greedy()).build();
        assertEquals("Hello World", loaded.chat("Say 'Hello World'"));
        assertEquals(
                Lines.folder().getFileName().toString(),
                loaded.chat(UserMessage.from("Say 'Hello World'")).modelName());
        loaded.close();
        assertThrows(IllegalStateException.class, () -> loaded.chat("Say 'Hello World'"));

        assertThrows(
                InvalidRequestException.class,
                () -> WokChatModel.builder().path(empty).build());
        assertEquals(
                "neither a model nor a path is given, expected either: call model(...) for one that is loaded, or path(...)"
                        + " for one that is not",
                assertThrows(IllegalStateException.class, WokChatModel.builder()::build)
                        .getMessage());
        assertThrows(IllegalStateException.class, builder.model(model)::build);
    }

    @Test
    void capabilities() {
        assertEquals(Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA), chat().supportedCapabilities());
        assertEquals(Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA), streaming().supportedCapabilities());
    }

    @Test
    void tokensAreCountedAsTheModelReadsThem() {
        WokTokenCountEstimator estimator = new WokTokenCountEstimator(model);
        int text = model.tokenizer().orElseThrow().encode("Grüße 🦜").length;
        assertEquals(text, estimator.estimateTokenCountInText("Grüße 🦜"));

        List<Message> messages = List.of(Message.user("Grüße 🦜"), Message.assistant("Hallo"), Message.user("Und?"));
        int prompt = model.tokenizer().orElseThrow().encode(model.prompt(messages, ChatOptions.defaults())).length;
        int estimate = estimator.estimateTokenCountInMessages(
                List.of(UserMessage.from("Grüße 🦜"), AiMessage.from("Hallo"), UserMessage.from("Und?")));
        assertTrue(estimate >= prompt && estimate < 2 * prompt, estimate + " for " + prompt);
    }
}
