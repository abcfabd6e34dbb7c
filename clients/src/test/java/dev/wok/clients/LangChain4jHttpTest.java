package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.AuthenticationException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.openai.OpenAiTokenUsage;
import dev.langchain4j.model.output.FinishReason;
import dev.wok.serve.Keys;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// LangChain4j's models for OpenAI's API.
class LangChain4jHttpTest {
    private static final String HELLO = "Hello! I am a parrot \uD83E\uDD9C, grüße aus Köln.";
    private static final ToolSpecification WEATHER = ToolSpecification.builder()
            .name("get_weather")
            .description("The weather in a city")
            .parameters(JsonObjectSchema.builder()
                    .addStringProperty("city")
                    .required("city")
                    .build())
            .build();

    private static Parrots parrots;

    @BeforeAll
    static void start() {
        parrots = Parrots.serve();
    }

    @AfterAll
    static void stop() {
        parrots.close();
    }

    private static OpenAiChatModel model(Parrots parrots, String name, String key) {
        return OpenAiChatModel.builder()
                .baseUrl(parrots.url() + "/v1")
                .apiKey(key)
                .modelName(name)
                .temperature(0.0)
                .maxCompletionTokens(200)
                .returnThinking(true)
                .strictJsonSchema(true)
                .maxRetries(0)
                .build();
    }

    private static OpenAiChatModel model(String name) {
        return model(parrots, name, "none");
    }

    private static OpenAiStreamingChatModel streaming(String name, int maxTokens) {
        return OpenAiStreamingChatModel.builder()
                .baseUrl(parrots.url() + "/v1")
                .apiKey("none")
                .modelName(name)
                .temperature(0.0)
                .maxCompletionTokens(maxTokens)
                .returnThinking(true)
                .build();
    }

    /// Gathers what a model says.
    private static class Gathering implements StreamingChatResponseHandler {
        final StringBuffer text = new StringBuffer();
        final StringBuffer thought = new StringBuffer();
        final List<CompleteToolCall> calls = new ArrayList<>();
        final CompletableFuture<ChatResponse> whole = new CompletableFuture<>();

        @Override
        public void onPartialResponse(String piece) {
            text.append(piece);
        }

        @Override
        public void onPartialThinking(PartialThinking piece) {
            thought.append(piece.text());
        }

        @Override
        public void onCompleteToolCall(CompleteToolCall call) {
            calls.add(call);
        }

        @Override
        public void onCompleteResponse(ChatResponse response) {
            whole.complete(response);
        }

        @Override
        public void onError(Throwable error) {
            whole.completeExceptionally(error);
        }

        ChatResponse get() throws Exception {
            return whole.get(30, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void answersAndStreams(String name) throws Exception {
        ChatResponse response = model(name).chat(UserMessage.from("Hello!"));
        assertEquals(HELLO, response.aiMessage().text());
        assertEquals(FinishReason.STOP, response.finishReason());
        Gathering gathering = new Gathering();
        streaming(name, 200).chat("Hello!", gathering);
        assertEquals(HELLO, gathering.get().aiMessage().text());
        assertEquals(HELLO, gathering.text.toString());
        assertEquals(
                response.tokenUsage().outputTokenCount(),
                gathering.get().tokenUsage().outputTokenCount());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void callsToolsAndReadsWhatTheyFound(String name) {
        List<ChatMessage> messages = new ArrayList<>(List.of(UserMessage.from("What is the weather in Paris?")));
        ChatResponse asked = model(name)
                .chat(ChatRequest.builder()
                        .messages(messages)
                        .toolSpecifications(WEATHER)
                        .build());
        ToolExecutionRequest call = asked.aiMessage().toolExecutionRequests().getFirst();
        assertEquals("{\"city\": \"Paris\"}", call.arguments());
        assertEquals(FinishReason.TOOL_EXECUTION, asked.finishReason());
        messages.add(asked.aiMessage());
        messages.add(ToolExecutionResultMessage.from(call, "sunny, 21 degrees"));
        ChatResponse answered = model(name)
                .chat(ChatRequest.builder()
                        .messages(messages)
                        .toolSpecifications(WEATHER)
                        .build());
        assertEquals("It is sunny in Paris, 21 degrees.", answered.aiMessage().text());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streamsToolCalls(String name) throws Exception {
        Gathering gathering = new Gathering();
        streaming(name, 200)
                .chat(
                        ChatRequest.builder()
                                .messages(UserMessage.from("What is the weather in Paris and in Rome?"))
                                .toolSpecifications(WEATHER)
                                .build(),
                        gathering);
        assertEquals(2, gathering.get().aiMessage().toolExecutionRequests().size());
        assertEquals(
                List.of("{\"city\": \"Paris\"}", "{\"city\": \"Rome\"}"),
                gathering.calls.stream()
                        .map(call -> call.toolExecutionRequest().arguments())
                        .toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streamsThoughts(String name) throws Exception {
        Gathering gathering = new Gathering();
        streaming(name, 200).chat("What is 6 times 7?", gathering);
        ChatResponse response = gathering.get();
        assertEquals("Six sevens are forty-two.", response.aiMessage().thinking());
        assertEquals("Six sevens are forty-two.", gathering.thought.toString());
        assertEquals("It is 42.", gathering.text.toString());
        var usage = (OpenAiTokenUsage) response.tokenUsage();
        assertTrue(usage.outputTokensDetails().reasoningTokens() > 5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void holdsAnswersToASchema(String name) {
        ResponseFormat format = ResponseFormat.builder()
                .type(ResponseFormatType.JSON)
                .jsonSchema(JsonSchema.builder()
                        .name("person")
                        .rootElement(JsonObjectSchema.builder()
                                .addStringProperty("name")
                                .addIntegerProperty("born")
                                .required("name", "born")
                                .build())
                        .build())
                .build();
        ChatResponse response = model(name)
                .chat(ChatRequest.builder()
                        .messages(UserMessage.from("Who was Ada? Answer in JSON."))
                        .responseFormat(format)
                        .build());
        assertEquals("{\"name\": \"Ada\", \"born\": 1815}", response.aiMessage().text());
    }

    @Test
    void stopsWhereTheClientCancels() {
        long before = Parrots.tokensWhenIdle(parrots.qwen());
        CompletableFuture<Void> cancelled = new CompletableFuture<>();
        streaming("qwen", 50_000).chat("Sing!", new Gathering() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
                text.append(piece.text());
                if (text.length() > 30) {
                    context.streamingHandle().cancel();
                    cancelled.complete(null);
                }
            }
        });
        cancelled.join();
        long generated = Parrots.tokensWhenIdle(parrots.qwen()) - before;
        assertTrue(generated < 10_000, () -> "tokens generated in all: " + generated);
    }

    @Test
    void embeds() {
        var embeddings = OpenAiEmbeddingModel.builder()
                .baseUrl(parrots.url() + "/v1")
                .apiKey("none")
                .modelName("qwen")
                .build();
        assertEquals(64, embeddings.embed("Hello!").content().dimension());
    }

    @Test
    void refusesWithTheClientsExceptions(@TempDir Path folder) {
        assertThrows(ModelNotFoundException.class, () -> model("gpt-5").chat("Hello!"));
        InvalidRequestException wrong = assertThrows(
                InvalidRequestException.class,
                () -> OpenAiChatModel.builder()
                        .baseUrl(parrots.url() + "/v1")
                        .apiKey("none")
                        .modelName("qwen")
                        .topP(7.0)
                        .maxRetries(0)
                        .build()
                        .chat("Hello!"));
        assertTrue(wrong.getMessage().contains("top_p"), wrong::getMessage);
        Path file = folder.resolve("keys");
        String key =
                Keys.add(file, "one", new Keys.Limits(OptionalInt.of(1), OptionalInt.empty(), OptionalInt.empty()));
        try (Parrots guarded = Parrots.serve(options -> options.withKeys(file))) {
            assertThrows(
                    AuthenticationException.class,
                    () -> model(guarded, "qwen", "wok-stranger").chat("Hello!"));
            assertEquals(HELLO, model(guarded, "qwen", key).chat("Hello!"));
            assertThrows(
                    RateLimitException.class, () -> model(guarded, "qwen", key).chat("Hello!"));
        }
    }
}
