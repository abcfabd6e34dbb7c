package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnauthorizedException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.ResponseFormatJsonSchema;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionMessageToolCall;
import com.openai.models.chat.completions.ChatCompletionNamedToolChoice;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.models.Model;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseStreamEvent;
import dev.wok.serve.Keys;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// OpenAI's client for Java.
class OpenAiJavaTest {
    private static final String HELLO = "Hello! I am a parrot \uD83E\uDD9C, grüße aus Köln.";

    private static Parrots parrots;
    private static OpenAIClient client;

    @BeforeAll
    static void start() {
        parrots = Parrots.serve();
        client = client(parrots, "none");
    }

    @AfterAll
    static void stop() {
        client.close();
        parrots.close();
    }

    private static OpenAIClient client(Parrots parrots, String key) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(parrots.url() + "/v1")
                .apiKey(key)
                .maxRetries(0)
                .build();
    }

    private static ChatCompletionCreateParams.Builder ask(String model, String question) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .temperature(0)
                .maxCompletionTokens(200)
                .addUserMessage(question);
    }

    private static FunctionDefinition weather() {
        return FunctionDefinition.builder()
                .name("get_weather")
                .description("The weather in a city")
                .parameters(FunctionParameters.builder()
                        .putAdditionalProperty("type", JsonValue.from("object"))
                        .putAdditionalProperty("properties", JsonValue.from(Map.of("city", Map.of("type", "string"))))
                        .putAdditionalProperty("required", JsonValue.from(List.of("city")))
                        .putAdditionalProperty("additionalProperties", JsonValue.from(false))
                        .build())
                .build();
    }

    private static ResponseFormatJsonSchema person() {
        Map<String, Object> properties = new LinkedHashMap<>();
        properties.put("name", Map.of("type", "string"));
        properties.put("born", Map.of("type", "integer"));
        return ResponseFormatJsonSchema.builder()
                .jsonSchema(ResponseFormatJsonSchema.JsonSchema.builder()
                        .name("person")
                        .strict(true)
                        .schema(ResponseFormatJsonSchema.JsonSchema.Schema.builder()
                                .putAdditionalProperty("type", JsonValue.from("object"))
                                .putAdditionalProperty("properties", JsonValue.from(properties))
                                .putAdditionalProperty("required", JsonValue.from(List.of("name", "born")))
                                .putAdditionalProperty("additionalProperties", JsonValue.from(false))
                                .build())
                        .build())
                .build();
    }

    private static List<ChatCompletionChunk> stream(ChatCompletionCreateParams params) {
        try (StreamResponse<ChatCompletionChunk> response =
                client.chat().completions().createStreaming(params)) {
            return response.stream().toList();
        }
    }

    private static ChatCompletion whole(List<ChatCompletionChunk> chunks) {
        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        chunks.forEach(accumulator::accumulate);
        return accumulator.chatCompletion();
    }

    private static String content(ChatCompletion completion) {
        return completion.choices().getFirst().message().content().orElse("");
    }

    private static ChatCompletionMessageFunctionToolCall.Function call(ChatCompletion completion, int index) {
        return completion
                .choices()
                .getFirst()
                .message()
                .toolCalls()
                .orElseThrow()
                .get(index)
                .asFunction()
                .function();
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void answers(String model) {
        ChatCompletion completion =
                client.chat().completions().create(ask(model, "Hello!").build());
        completion.validate();
        assertEquals(HELLO, content(completion));
        assertEquals(model, completion.model());
        assertEquals(
                ChatCompletion.Choice.FinishReason.STOP,
                completion.choices().getFirst().finishReason());
        var usage = completion.usage().orElseThrow();
        assertEquals(usage.totalTokens(), usage.promptTokens() + usage.completionTokens());
        assertTrue(usage.completionTokens() > 10, usage::toString);
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streams(String model) {
        List<ChatCompletionChunk> chunks = stream(ask(model, "Hello!")
                .streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build());
        chunks.forEach(ChatCompletionChunk::validate);
        assertEquals(HELLO, content(whole(chunks)));
        assertTrue(chunks.size() > 10, () -> "chunks: " + chunks.size());
        assertEquals(1, chunks.stream().map(ChatCompletionChunk::id).distinct().count());
        assertTrue(chunks.getLast().choices().isEmpty());
        assertTrue(chunks.getLast().usage().orElseThrow().completionTokens() > 10);
        assertEquals(
                1,
                chunks.stream()
                        .flatMap(chunk -> chunk.choices().stream())
                        .filter(choice -> choice.finishReason().isPresent())
                        .count());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void callsToolsAndReadsWhatTheyFound(String model) {
        ChatCompletionCreateParams.Builder params =
                ask(model, "What is the weather in Paris?").addFunctionTool(weather());
        ChatCompletion asked = client.chat().completions().create(params.build());
        assertEquals("get_weather", call(asked, 0).name());
        assertEquals("{\"city\": \"Paris\"}", call(asked, 0).arguments());
        assertEquals(
                ChatCompletion.Choice.FinishReason.TOOL_CALLS,
                asked.choices().getFirst().finishReason());
        ChatCompletionMessageToolCall call =
                asked.choices().getFirst().message().toolCalls().orElseThrow().getFirst();
        params.addMessage(asked.choices().getFirst().message())
                .addMessage(ChatCompletionToolMessageParam.builder()
                        .toolCallId(call.asFunction().id())
                        .content("sunny, 21 degrees")
                        .build());
        ChatCompletion answered = client.chat().completions().create(params.build());
        assertEquals("It is sunny in Paris, 21 degrees.", content(answered));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streamsToolCallsByIndex(String model) {
        List<ChatCompletionChunk> chunks = stream(ask(model, "What is the weather in Paris and in Rome?")
                .addFunctionTool(weather())
                .build());
        ChatCompletion completion = whole(chunks);
        assertEquals("{\"city\": \"Paris\"}", call(completion, 0).arguments());
        assertEquals("{\"city\": \"Rome\"}", call(completion, 1).arguments());
        assertEquals(
                ChatCompletion.Choice.FinishReason.TOOL_CALLS,
                completion.choices().getFirst().finishReason());
        List<ChatCompletionChunk.Choice.Delta.ToolCall> deltas = chunks.stream()
                .flatMap(chunk -> chunk.choices().stream())
                .flatMap(choice -> choice.delta().toolCalls().stream().flatMap(List::stream))
                .toList();
        assertEquals(
                List.of("get_weather", "get_weather"),
                deltas.stream()
                        .flatMap(d -> d.function().flatMap(f -> f.name()).stream())
                        .toList());
        assertTrue(deltas.size() > 6, () -> "pieces of arguments: " + deltas.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void obeysToolChoice(String model) {
        ChatCompletion named = client.chat()
                .completions()
                .create(ask(model, "Hello!")
                        .addFunctionTool(weather())
                        .toolChoice(ChatCompletionNamedToolChoice.builder()
                                .function(ChatCompletionNamedToolChoice.Function.builder()
                                        .name("get_weather")
                                        .build())
                                .build())
                        .build());
        assertEquals("get_weather", call(named, 0).name());
        ChatCompletion none = client.chat()
                .completions()
                .create(ask(model, "Hello!")
                        .addFunctionTool(weather())
                        .toolChoice(ChatCompletionToolChoiceOption.Auto.NONE)
                        .build());
        assertEquals(HELLO, content(none));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void holdsAnswersToASchema(String model) {
        ChatCompletion learnt = client.chat()
                .completions()
                .create(ask(model, "Who was Ada? Answer in JSON.")
                        .responseFormat(person())
                        .build());
        assertEquals("{\"name\": \"Ada\", \"born\": 1815}", content(learnt));
        ChatCompletion forced = client.chat()
                .completions()
                .create(ask(model, "Hello!").responseFormat(person()).build());
        assertTrue(content(forced).matches("(?s)\\{\\s*\"name\".*"), () -> content(forced));
    }

    @Test
    void thinksBeforeItAnswers() {
        ChatCompletion completion = client.chat()
                .completions()
                .create(ask("deepseek", "What is 6 times 7?").build());
        assertEquals("It is 42.", content(completion));
        assertEquals(
                "Six sevens are forty-two.",
                completion
                        .choices()
                        .getFirst()
                        .message()
                        ._allProperties()
                        .get("reasoning_content")
                        .asStringOrThrow());
        assertTrue(completion
                        .usage()
                        .orElseThrow()
                        .completionTokensDetails()
                        .orElseThrow()
                        .reasoningTokens()
                        .orElseThrow()
                > 5);
        ChatCompletion thoughtless = client.chat()
                .completions()
                .create(ask("deepseek", "What is 6 times 7?")
                        .putAdditionalBodyProperty("thinking", JsonValue.from(Map.of("type", "disabled")))
                        .build());
        assertEquals("It is 42.", content(thoughtless));
        assertFalse(thoughtless.choices().getFirst().message()._allProperties().containsKey("reasoning_content"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streamsThoughtsBeforeTheAnswer(String model) {
        StringBuilder thought = new StringBuilder();
        StringBuilder answer = new StringBuilder();
        for (ChatCompletionChunk chunk : stream(ask(model, "What is 6 times 7?").build())) {
            for (ChatCompletionChunk.Choice choice : chunk.choices()) {
                JsonValue piece = choice.delta()._allProperties().get("reasoning_content");
                if (piece != null && !piece.isNull()) {
                    assertTrue(answer.isEmpty(), "a thought after the answer began");
                    thought.append(piece.asStringOrThrow());
                }
                choice.delta().content().ifPresent(answer::append);
            }
        }
        assertEquals("Six sevens are forty-two.", thought.toString());
        assertEquals("It is 42.", answer.toString());
    }

    @Test
    void givesLogProbabilities() {
        ChatCompletion completion = client.chat()
                .completions()
                .create(ask("qwen", "Hello!").logprobs(true).topLogprobs(3).build());
        var tokens = completion
                .choices()
                .getFirst()
                .logprobs()
                .orElseThrow()
                .content()
                .orElseThrow();
        byte[] bytes = new byte[1000];
        int length = 0;
        for (var token : tokens) {
            assertTrue(token.logprob() <= 0 && token.logprob() > -1, token::toString);
            assertEquals(3, token.topLogprobs().size());
            assertEquals(token.token(), token.topLogprobs().getFirst().token());
            for (long b : token.bytes().orElseThrow()) {
                bytes[length++] = (byte) b;
            }
        }
        assertEquals(HELLO, new String(bytes, 0, length, StandardCharsets.UTF_8));
    }

    @Test
    void givesSeveralAnswers() {
        ChatCompletionCreateParams params = ask("qwen", "Hello!")
                .n(3)
                .temperature(1)
                .putAdditionalBodyProperty("seed", JsonValue.from(7))
                .build();
        ChatCompletion completion = client.chat().completions().create(params);
        assertEquals(3, completion.choices().size());
        List<String> again = client.chat().completions().create(params).choices().stream()
                .map(choice -> choice.message().content().orElseThrow())
                .toList();
        assertEquals(
                again,
                completion.choices().stream()
                        .map(choice -> choice.message().content().orElseThrow())
                        .toList());
        ChatCompletion streamed = whole(stream(params));
        assertEquals(
                again,
                streamed.choices().stream()
                        .map(choice -> choice.message().content().orElseThrow())
                        .toList());
    }

    @Test
    void stopsWhereItIsTold() {
        ChatCompletion stopped = client.chat()
                .completions()
                .create(ask("qwen", "Hello!").stop("parrot").build());
        assertEquals("Hello! I am a ", content(stopped));
        ChatCompletion cut = client.chat()
                .completions()
                .create(ask("qwen", "Sing!").maxCompletionTokens(7).build());
        assertEquals(
                ChatCompletion.Choice.FinishReason.LENGTH,
                cut.choices().getFirst().finishReason());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void stopsWhereTheClientGoes(String model) {
        dev.wok.api.Model served = model.equals("qwen") ? parrots.qwen() : parrots.deepseek();
        long before = Parrots.tokensWhenIdle(served);
        long seen;
        try (StreamResponse<ChatCompletionChunk> response = client.chat()
                .completions()
                .createStreaming(ask(model, "Sing!").maxCompletionTokens(50_000).build())) {
            Iterator<ChatCompletionChunk> chunks = response.stream().iterator();
            for (int i = 0; i < 10; i++) {
                chunks.next();
            }
            assertEquals(1, served.activity().running());
            seen = served.activity().newTokens();
        }
        long after = Parrots.tokensWhenIdle(served);
        assertTrue(after - before < 10_000, () -> "tokens generated in all: %d".formatted(after - before));
        assertTrue(seen <= after);
    }

    @Test
    void completesAndFillsGaps() {
        var completion = client.completions()
                .create(CompletionCreateParams.builder()
                        .model("qwen")
                        .prompt(" la la la")
                        .maxTokens(4)
                        .temperature(0)
                        .echo(true)
                        .logprobs(2)
                        .build());
        assertTrue(completion.choices().getFirst().text().startsWith(" la la la la"), completion::toString);
        assertEquals(
                completion.choices().getFirst().logprobs().orElseThrow().tokens().orElseThrow().stream()
                        .collect(Collectors.joining()),
                completion.choices().getFirst().text());
        client.completions()
                .create(CompletionCreateParams.builder()
                        .model("deepseek")
                        .prompt("a = ")
                        .suffix(" * 7")
                        .maxTokens(4)
                        .build());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void speaksTheResponsesForm(String model) {
        ResponseCreateParams params = ResponseCreateParams.builder()
                .model(model)
                .input("What is 6 times 7?")
                .temperature(0)
                .maxOutputTokens(100)
                .build();
        Response response = client.responses().create(params);
        assertEquals("It is 42.", text(response));
        List<ResponseStreamEvent> events;
        try (StreamResponse<ResponseStreamEvent> stream = client.responses().createStreaming(params)) {
            events = stream.stream().toList();
        }
        assertTrue(events.getFirst().isCreated());
        assertTrue(events.getLast().isCompleted());
        assertEquals("It is 42.", text(events.getLast().asCompleted().response()));
        assertEquals(
                "It is 42.",
                events.stream()
                        .flatMap(event -> event.outputTextDelta().stream())
                        .map(delta -> delta.delta())
                        .collect(Collectors.joining()));
    }

    private static String text(Response response) {
        return response.output().stream()
                .flatMap(item -> item.message().stream())
                .flatMap(message -> message.content().stream())
                .flatMap(content -> content.outputText().stream())
                .map(text -> text.text())
                .collect(Collectors.joining());
    }

    @Test
    void embeds() {
        var embeddings = client.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("qwen")
                        .inputOfArrayOfStrings(List.of("Hello!", "Köln"))
                        .build());
        assertEquals(2, embeddings.data().size());
        double length = 0;
        for (float value : embeddings.data().get(1).embedding()) {
            length += value * value;
        }
        assertEquals(1, length, 1e-4);
    }

    @Test
    void namesItsModels() {
        List<String> names = new ArrayList<>();
        client.models().list().autoPager().forEach(model -> names.add(model.id()));
        assertEquals(List.of("qwen", "deepseek"), names);
        Model model = client.models().retrieve("deepseek");
        assertEquals("deepseek", model.id());
    }

    @Test
    void refusesWithTheClientsExceptions() {
        NotFoundException unknown = assertThrows(
                NotFoundException.class,
                () -> client.chat().completions().create(ask("gpt-5", "Hello!").build()));
        assertEquals("model_not_found", unknown.code().orElseThrow());
        BadRequestException wrong = assertThrows(
                BadRequestException.class,
                () -> client.chat()
                        .completions()
                        .create(ask("qwen", "Hello!").temperature(7).build()));
        assertEquals("temperature", wrong.param().orElseThrow());
        assertEquals("invalid_request_error", wrong.type().orElseThrow());
    }

    @Test
    void wantsAKeyAndHoldsItToItsLimits(@TempDir Path folder) {
        Path file = folder.resolve("keys");
        String key =
                Keys.add(file, "one", new Keys.Limits(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.of(1)));
        try (Parrots guarded = Parrots.serve(options -> options.withKeys(file))) {
            OpenAIClient stranger = client(guarded, "wok-stranger");
            OpenAIClient known = client(guarded, key);
            assertThrows(UnauthorizedException.class, () -> stranger.models().list());
            try (StreamResponse<ChatCompletionChunk> running = known.chat()
                    .completions()
                    .createStreaming(
                            ask("qwen", "Sing!").maxCompletionTokens(50_000).build())) {
                running.stream().iterator().next();
                RateLimitException busy = assertThrows(
                        RateLimitException.class,
                        () -> known.chat()
                                .completions()
                                .create(ask("qwen", "Hello!").build()));
                assertTrue(Integer.parseInt(busy.headers().values("Retry-After").getFirst()) >= 1);
            }
            Parrots.tokensWhenIdle(guarded.qwen());
            // The model may rest before the key has its place back, which is when a client asks again.
            OpenAIClient patient = known.withOptions(options -> options.maxRetries(3));
            assertEquals(
                    HELLO,
                    content(patient.chat()
                            .completions()
                            .create(ask("qwen", "Hello!").build())));
        }
    }
}
