package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.BadRequestException;
import com.anthropic.errors.NotFoundException;
import com.anthropic.errors.RateLimitException;
import com.anthropic.errors.UnauthorizedException;
import com.anthropic.helpers.MessageAccumulator;
import com.anthropic.models.messages.ContentBlockParam;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCountTokensParams;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.RawMessageStreamEvent;
import com.anthropic.models.messages.StopReason;
import com.anthropic.models.messages.Tool;
import com.anthropic.models.messages.ToolResultBlockParam;
import com.anthropic.models.messages.ToolUseBlock;
import dev.wok.serve.Keys;
import java.nio.file.Path;
import java.util.Iterator;
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

/// Anthropic's client for Java.
class AnthropicJavaTest {
    private static final String HELLO = "Hello! I am a parrot \uD83E\uDD9C, grüße aus Köln.";

    private static Parrots parrots;
    private static AnthropicClient client;

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

    private static AnthropicClient client(Parrots parrots, String key) {
        return AnthropicOkHttpClient.builder()
                .baseUrl(parrots.url())
                .apiKey(key)
                .maxRetries(0)
                .build();
    }

    private static MessageCreateParams.Builder ask(String model, String question) {
        return MessageCreateParams.builder()
                .model(model)
                .maxTokens(200)
                .putAdditionalBodyProperty("temperature", JsonValue.from(0))
                .addUserMessage(question);
    }

    private static Tool weather() {
        return Tool.builder()
                .name("get_weather")
                .description("The weather in a city")
                .inputSchema(Tool.InputSchema.builder()
                        .properties(Tool.InputSchema.Properties.builder()
                                .putAdditionalProperty("city", JsonValue.from(Map.of("type", "string")))
                                .build())
                        .required(List.of("city"))
                        .build())
                .build();
    }

    private static Message stream(MessageCreateParams params) {
        MessageAccumulator accumulator = MessageAccumulator.create();
        try (StreamResponse<RawMessageStreamEvent> response = client.messages().createStreaming(params)) {
            response.stream().forEach(event -> {
                event.validate();
                accumulator.accumulate(event);
            });
        }
        return accumulator.message();
    }

    private static String text(Message message) {
        return message.content().stream()
                .flatMap(block -> block.text().stream())
                .map(text -> text.text())
                .collect(Collectors.joining());
    }

    private static List<ToolUseBlock> calls(Message message) {
        return message.content().stream()
                .flatMap(block -> block.toolUse().stream())
                .toList();
    }

    private static String city(ToolUseBlock call) {
        return String.valueOf(call._input().convert(Map.class).get("city"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void answersAndStreams(String model) {
        Message message = client.messages().create(ask(model, "Hello!").build());
        message.validate();
        assertEquals(HELLO, text(message));
        assertEquals(StopReason.END_TURN, message.stopReason().orElseThrow());
        assertTrue(message.usage().outputTokens() > 10, message::toString);
        Message streamed = stream(ask(model, "Hello!").build());
        assertEquals(HELLO, text(streamed));
        assertEquals(message.usage().outputTokens(), streamed.usage().outputTokens());
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void callsToolsAndReadsWhatTheyFound(String model) {
        MessageCreateParams.Builder params =
                ask(model, "What is the weather in Paris?").addTool(weather());
        Message asked = client.messages().create(params.build());
        assertEquals(StopReason.TOOL_USE, asked.stopReason().orElseThrow());
        ToolUseBlock call = calls(asked).getFirst();
        assertEquals("get_weather", call.name());
        assertEquals("Paris", city(call));
        params.addMessage(asked)
                .addUserMessageOfContentBlockParams(
                        List.of(ContentBlockParam.ofToolResult(ToolResultBlockParam.builder()
                                .toolUseId(call.id())
                                .content("sunny, 21 degrees")
                                .build())));
        assertEquals("It is sunny in Paris, 21 degrees.", text(client.messages().create(params.build())));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen", "deepseek"})
    void streamsToolCalls(String model) {
        Message streamed = stream(ask(model, "What is the weather in Paris and in Rome?")
                .addTool(weather())
                .build());
        assertEquals(
                List.of("Paris", "Rome"),
                calls(streamed).stream().map(AnthropicJavaTest::city).toList());
    }

    @Test
    void thinksBeforeItAnswers() {
        MessageCreateParams params = ask("deepseek", "What is 6 times 7?")
                .maxTokens(2000)
                .enabledThinking(1024)
                .build();
        for (Message message : List.of(client.messages().create(params), stream(params))) {
            assertEquals(
                    "Six sevens are forty-two.",
                    message.content().getFirst().asThinking().thinking());
            assertEquals("It is 42.", text(message));
        }
    }

    @Test
    void countsTokens() {
        long counted = client.messages()
                .countTokens(MessageCountTokensParams.builder()
                        .model("qwen")
                        .addUserMessage("Hello!")
                        .build())
                .inputTokens();
        Message message = client.messages().create(ask("qwen", "Hello!").build());
        long cached = message.usage().cacheReadInputTokens().orElse(0L);
        assertEquals(message.usage().inputTokens() + cached, counted);
    }

    @Test
    void stopsWhereTheClientGoes() {
        long before = Parrots.tokensWhenIdle(parrots.qwen());
        try (StreamResponse<RawMessageStreamEvent> response = client.messages()
                .createStreaming(ask("qwen", "Sing!").maxTokens(50_000).build())) {
            Iterator<RawMessageStreamEvent> events = response.stream().iterator();
            for (int i = 0; i < 10; i++) {
                events.next();
            }
            assertEquals(1, parrots.qwen().activity().running());
        }
        long generated = Parrots.tokensWhenIdle(parrots.qwen()) - before;
        assertTrue(generated < 10_000, () -> "tokens generated in all: " + generated);
    }

    @Test
    void refusesWithTheClientsExceptions(@TempDir Path folder) {
        assertThrows(
                NotFoundException.class,
                () -> client.messages().create(ask("claude", "Hello!").build()));
        BadRequestException wrong = assertThrows(
                BadRequestException.class,
                () -> client.messages()
                        .create(ask("qwen", "Hello!")
                                .putAdditionalBodyProperty("top_p", JsonValue.from(7))
                                .build()));
        assertTrue(wrong.getMessage().contains("top_p"), wrong::getMessage);
        Path file = folder.resolve("keys");
        String key =
                Keys.add(file, "one", new Keys.Limits(OptionalInt.of(1), OptionalInt.empty(), OptionalInt.empty()));
        try (Parrots guarded = Parrots.serve(options -> options.withKeys(file))) {
            AnthropicClient stranger = client(guarded, "wok-stranger");
            assertThrows(
                    UnauthorizedException.class,
                    () -> stranger.messages().create(ask("qwen", "Hello!").build()));
            AnthropicClient known = client(guarded, key);
            assertEquals(
                    HELLO, text(known.messages().create(ask("qwen", "Hello!").build())));
            RateLimitException busy = assertThrows(
                    RateLimitException.class,
                    () -> known.messages().create(ask("qwen", "Hello!").build()));
            assertTrue(Integer.parseInt(busy.headers().values("Retry-After").getFirst()) >= 1);
        }
    }
}
