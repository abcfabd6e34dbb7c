package dev.wok.springai;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.wok.api.Model;
import dev.wok.api.ToolCall;
import dev.wok.api.ToolChoice;
import dev.wok.notice.BadInput;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.ai.chat.client.AdvisorParams;
import org.springframework.ai.chat.client.ChatClient;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.model.Generation;
import org.springframework.ai.chat.model.MessageAggregator;
import org.springframework.ai.chat.observation.ChatModelObservationContext;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.content.Media;
import org.springframework.ai.tool.annotation.Tool;
import org.springframework.util.MimeTypeUtils;
import reactor.test.StepVerifier;

class WokChatModelTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = Model.load(Parrot.usual(Family.QWEN), Model.Options.defaults().withThreads(1));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static WokChatModel chat() {
        return builder().build();
    }

    private static WokChatModel.Builder builder() {
        return WokChatModel.builder(model)
                .name("polly")
                .options(WokChatOptions.builder().temperature(0.0).build());
    }

    private static Generation result(@Nullable ChatResponse response) {
        return Objects.requireNonNull(Objects.requireNonNull(response).getResult());
    }

    /// A tool that knows the weather, and who asked.
    static final class Weather {
        final List<String> asked = new CopyOnWriteArrayList<>();

        @Tool(name = "get_weather", description = "The weather in a city")
        String weather(String city) {
            asked.add(city);
            return "sunny, 21 degrees";
        }
    }

    @Test
    void callsSayAllThatIsKnown() {
        ChatResponse response = chat().call(new Prompt("What is 6 times 7?"));
        AssistantMessage message = result(response).getOutput();
        assertEquals("It is 42.", message.getText());
        assertEquals("Six sevens are forty-two.", message.getMetadata().get("thinking"));
        assertEquals("STOP", result(response).getMetadata().getFinishReason());
        assertEquals("polly", response.getMetadata().getModel());
        assertTrue(response.getMetadata().getId().startsWith("wok-"));
        assertTrue(response.getMetadata().getUsage().getPromptTokens() > 5);
        assertTrue(response.getMetadata().getUsage().getCompletionTokens() > 5);

        ChatOptions quick = WokChatOptions.builder()
                .temperature(0.0)
                .thinking(false)
                .maxTokens(1)
                .build();
        ChatResponse cut = chat().call(new Prompt("What is 6 times 7?", quick));
        assertEquals("LENGTH", result(cut).getMetadata().getFinishReason());
        assertFalse(result(cut).getOutput().getMetadata().containsKey("thinking"));
    }

    @Test
    void streamsComeInPiecesThatMakeTheWhole() {
        List<ChatResponse> whole = new ArrayList<>();
        List<ChatResponse> parts = new MessageAggregator()
                .aggregate(chat().stream(new Prompt("What is 6 times 7?")), whole::add)
                .collectList()
                .block(Duration.ofMinutes(1));
        assertTrue(Objects.requireNonNull(parts).size() > 4, () -> parts.size() + " parts");
        AssistantMessage message = result(whole.getFirst()).getOutput();
        assertEquals("It is 42.", message.getText());
        assertEquals("Six sevens are forty-two.", message.getMetadata().get("thinking"));
        assertEquals("STOP", result(whole.getFirst()).getMetadata().getFinishReason());
        assertEquals("polly", whole.getFirst().getMetadata().getModel());
        assertTrue(whole.getFirst().getMetadata().getUsage().getCompletionTokens() > 5);
        assertEquals(
                1,
                parts.stream()
                        .map(part -> part.getMetadata().getId())
                        .distinct()
                        .count());
    }

    /// Nothing is read of an answer that nobody asked for, and who cancels ends it.
    @Test
    void aStreamFollowsDemandAndEndsWhereItIsCancelled() {
        ChatOptions endless =
                WokChatOptions.builder().temperature(0.0).maxTokens(5000).build();
        StepVerifier.create(chat().stream(new Prompt("Sing!", endless)), 2)
                .expectNextCount(2)
                .expectNoEvent(Duration.ofMillis(50))
                .thenRequest(1)
                .expectNextCount(1)
                .thenCancel()
                .verify(Duration.ofMinutes(1));
        while (model.activity().running() > 0) {
            Thread.onSpinWait();
        }
        assertTrue(model.activity().newTokens() < 4000);
    }

    @Test
    void aClientCallsTools() {
        Weather weather = new Weather();
        ChatClient client = ChatClient.create(chat());
        assertEquals(
                "It is sunny in Paris, 21 degrees.",
                client.prompt("What is the weather in Paris?")
                        .tools(weather)
                        .call()
                        .content());
        assertEquals(
                "It is sunny in Paris, 21 degrees.",
                String.join(
                        "",
                        Objects.requireNonNull(client.prompt("What is the weather in Paris?").tools(weather).stream()
                                .content()
                                .collectList()
                                .block(Duration.ofMinutes(1)))));
        assertEquals(List.of("Paris", "Paris"), weather.asked);
    }

    /// Spring AI sorts what is not ordered.
    @JsonPropertyOrder({"name", "born"})
    record Person(String name, int born) {}

    @Test
    void aClientGetsWhatASchemaSays() {
        assertEquals(
                new Person("Ada", 1815),
                ChatClient.create(chat())
                        .prompt("Who was Ada? Answer in JSON.")
                        .advisors(AdvisorParams.ENABLE_NATIVE_STRUCTURED_OUTPUT)
                        .call()
                        .entity(Person.class));
    }

    @Test
    void messagesKeepAllThatTheySay() {
        List<Message> given = List.of(
                new SystemMessage("Be brief."),
                new UserMessage("The time? 🕰"),
                AssistantMessage.builder()
                        .content(null)
                        .properties(Map.of("thinking", "I must look."))
                        .toolCalls(List.of(
                                new AssistantMessage.ToolCall("call_1", "function", "time", "{\"zone\":\"UTC\"}"),
                                new AssistantMessage.ToolCall("call_2", "function", "date", "{}")))
                        .build(),
                ToolResponseMessage.builder()
                        .responses(List.of(
                                new ToolResponseMessage.ToolResponse("call_1", "time", "noon"),
                                new ToolResponseMessage.ToolResponse("call_2", "date", "today")))
                        .build());
        assertEquals(
                List.of(
                        dev.wok.api.Message.system("Be brief."),
                        dev.wok.api.Message.user("The time? 🕰"),
                        dev.wok.api.Message.assistant("")
                                .withReasoning("I must look.")
                                .withToolCalls(List.of(
                                        new ToolCall("call_1", "time", "{\"zone\":\"UTC\"}"),
                                        new ToolCall("call_2", "date", "{}"))),
                        dev.wok.api.Message.tool("call_1", "noon").withName("time"),
                        dev.wok.api.Message.tool("call_2", "today").withName("date")),
                Prompts.messages(given));
    }

    @Test
    void allOptionsArrive() {
        WokChatOptions given = WokChatOptions.builder()
                .temperature(0.5)
                .topP(0.75)
                .topK(7)
                .frequencyPenalty(0.25)
                .presencePenalty(-0.25)
                .maxTokens(9)
                .stopSequences(List.of("\n\n", "END"))
                .seed(11L)
                .minP(0.125)
                .repetitionPenalty(1.5)
                .thinking(false)
                .reasoningEffort("high")
                .maxThinkingTokens(3)
                .parallelToolCalls(false)
                .toolChoice(new ToolChoice.Named("time"))
                .outputSchema("{\"type\":\"object\"}")
                .build();
        dev.wok.api.ChatOptions options = Prompts.options(given);
        assertEquals(
                "Sampling[temperature=0.5, topK=7, topP=0.75, minP=0.125, repetitionPenalty=1.5, frequencyPenalty=0.25, "
                        + "presencePenalty=-0.25, logitBias={}, seed=11]",
                options.answer().sampling().toString());
        assertEquals(9, options.answer().maxTokens());
        assertEquals(List.of("\n\n", "END"), options.answer().stops());
        assertTrue(options.answer().constraint().isPresent());
        assertEquals(Optional.of(false), options.thinking());
        assertEquals(Optional.of("high"), options.reasoningEffort());
        assertEquals(OptionalInt.of(3), options.maxThoughtTokens());
        assertFalse(options.parallelToolCalls());
        assertEquals(new ToolChoice.Named("time"), options.toolChoice());

        assertEquals(given, given.mutate().build());
        assertEquals(given.hashCode(), given.mutate().build().hashCode());
        assertEquals(given, WokChatOptions.builder().combineWith(given.mutate()).build());
        assertEquals(given, given.mutate().clone().build());
        assertEquals(
                given.mutate().seed(12L).build(),
                given.mutate().combineWith(WokChatOptions.builder().seed(12L)).build());
    }

    @Test
    void optionsOfAnotherKindSayWhatTheyCan() {
        ChatOptions plain = ChatOptions.builder().maxTokens(1).build();
        ChatResponse cut = chat().call(new Prompt("Who are you?", plain));
        assertEquals("LENGTH", result(cut).getMetadata().getFinishReason());
        assertEquals(1, cut.getMetadata().getUsage().getCompletionTokens());
        assertTrue("I am a parrot."
                .startsWith(Objects.requireNonNull(result(cut).getOutput().getText())));
    }

    @Test
    void whatTheModelCannotDoIsRefused() {
        Prompt other = new Prompt("Hello!", ChatOptions.builder().model("gpt").build());
        String message = "model 'gpt' is asked for, this one is 'polly'; leave it out or ask another ChatModel.";
        assertEquals(
                message, assertThrows(BadInput.class, () -> chat().call(other)).getMessage());
        StepVerifier.create(chat().stream(other))
                .expectErrorSatisfies(error -> {
                    assertInstanceOf(BadInput.class, error);
                    assertEquals(message, error.getMessage());
                })
                .verify(Duration.ofMinutes(1));

        Prompt picture = new Prompt(UserMessage.builder()
                .text("Look")
                .media(new Media(MimeTypeUtils.IMAGE_PNG, URI.create("https://example.org/a.png")))
                .build());
        assertEquals(
                "a message has media of type image/png, the model reads text only; leave them out.",
                assertThrows(BadInput.class, () -> chat().call(picture)).getMessage());
    }

    @Test
    void observersAreToldOfCallsAndStreams() {
        List<String> told = new CopyOnWriteArrayList<>();
        ObservationRegistry registry = ObservationRegistry.create();
        registry.observationConfig().observationHandler(new ObservationHandler<ChatModelObservationContext>() {
            @Override
            public boolean supportsContext(Observation.Context context) {
                return context instanceof ChatModelObservationContext;
            }

            @Override
            public void onStop(ChatModelObservationContext context) {
                told.add(context.getOperationMetadata().provider() + " "
                        + Objects.requireNonNull(context.getRequest().getOptions())
                                .getModel() + " "
                        + result(context.getResponse()).getOutput().getText());
            }
        });
        WokChatModel observed = builder().observationRegistry(registry).build();
        observed.call("Who are you?");
        observed.stream(new Prompt("Who are you?")).blockLast(Duration.ofMinutes(1));
        while (told.size() < 2) {
            Thread.onSpinWait();
        }
        String line = "wok polly I am a parrot. I say what I have learnt.";
        assertEquals(List.of(line, line), told);
    }
}
