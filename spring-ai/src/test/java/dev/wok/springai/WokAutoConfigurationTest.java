package dev.wok.springai;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.io.InputStream;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.ai.chat.client.ChatClient;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.embedding.EmbeddingModel;
import org.springframework.ai.model.chat.client.autoconfigure.ChatClientAutoConfiguration;
import org.springframework.ai.model.tool.autoconfigure.ToolCallingAutoConfiguration;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class WokAutoConfigurationTest {
    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(
                    WokAutoConfiguration.class, ToolCallingAutoConfiguration.class, ChatClientAutoConfiguration.class));

    private ApplicationContextRunner withParrot(String... properties) {
        return runner.withPropertyValues("spring.ai.wok.model=" + Parrot.usual(Family.QWEN), "spring.ai.wok.threads=1")
                .withPropertyValues(properties);
    }

    @Test
    void isFoundByBoot() {
        assertTrue(ImportCandidates.load(
                        org.springframework.boot.autoconfigure.AutoConfiguration.class,
                        getClass().getClassLoader())
                .getCandidates()
                .contains(WokAutoConfiguration.class.getName()));
    }

    @Test
    void withoutAModelThereIsNothing() {
        runner.run(context -> {
            assertTrue(context.getBeansOfType(ChatModel.class).isEmpty());
            assertTrue(context.getBeansOfType(EmbeddingModel.class).isEmpty());
            assertTrue(context.getBeansOfType(Model.class).isEmpty());
        });
    }

    @Test
    void aModelAnswersAndIsClosedWithTheApplication() {
        Model[] model = new Model[1];
        withParrot("spring.ai.wok.chat.temperature=0", "spring.ai.wok.name=polly")
                .run(context -> {
                    model[0] = context.getBean(Model.class);
                    assertEquals(
                            "I am a parrot. I say what I have learnt.",
                            context.getBean(ChatModel.class).call("Who are you?"));
                    ChatClient client =
                            context.getBean(ChatClient.Builder.class).build();
                    assertEquals(
                            "polly",
                            Objects.requireNonNull(
                                            client.prompt("Who are you?").call().chatResponse())
                                    .getMetadata()
                                    .getModel());
                    assertEquals(
                            model[0].config().hiddenSize(),
                            context.getBean(EmbeddingModel.class).dimensions());
                });
        assertThrows(IllegalStateException.class, () -> model[0].generate("a"));
    }

    @Test
    void propertiesBecomeOptions() {
        withParrot(
                        "spring.ai.wok.chat.max-tokens=9",
                        "spring.ai.wok.chat.temperature=0.5",
                        "spring.ai.wok.chat.top-k=7",
                        "spring.ai.wok.chat.top-p=0.75",
                        "spring.ai.wok.chat.min-p=0.125",
                        "spring.ai.wok.chat.frequency-penalty=0.25",
                        "spring.ai.wok.chat.presence-penalty=-0.25",
                        "spring.ai.wok.chat.repetition-penalty=1.5",
                        "spring.ai.wok.chat.stop-sequences=END,FIN",
                        "spring.ai.wok.chat.seed=11",
                        "spring.ai.wok.chat.thinking=false",
                        "spring.ai.wok.chat.reasoning-effort=high",
                        "spring.ai.wok.chat.max-thinking-tokens=3")
                .run(context -> assertEquals(
                        WokChatOptions.builder()
                                .model(Objects.requireNonNull(
                                                Parrot.usual(Family.QWEN).getFileName())
                                        .toString())
                                .maxTokens(9)
                                .temperature(0.5)
                                .topK(7)
                                .topP(0.75)
                                .minP(0.125)
                                .frequencyPenalty(0.25)
                                .presencePenalty(-0.25)
                                .repetitionPenalty(1.5)
                                .stopSequences(List.of("END", "FIN"))
                                .seed(11L)
                                .thinking(false)
                                .reasoningEffort("high")
                                .maxThinkingTokens(3)
                                .build(),
                        context.getBean(WokChatModel.class).getOptions()));
    }

    @Test
    void anotherProviderMayBeChosen() {
        withParrot("spring.ai.model.chat=openai", "spring.ai.model.embedding=wok")
                .run(context -> {
                    assertTrue(context.getBeansOfType(ChatModel.class).isEmpty());
                    assertFalse(context.getBeansOfType(EmbeddingModel.class).isEmpty());
                });
        withParrot("spring.ai.model.chat=wok", "spring.ai.model.embedding=none").run(context -> {
            assertFalse(context.getBeansOfType(ChatModel.class).isEmpty());
            assertTrue(context.getBeansOfType(EmbeddingModel.class).isEmpty());
        });
    }

    @Test
    void whatCannotBeLoadedSaysWhy() {
        withParrot("spring.ai.wok.weights=int3")
                .run(context -> assertEquals(
                        "spring.ai.wok.weights int3: expected f32, bf16, int8, fp8, int4.",
                        cause(context.getStartupFailure())));
        withParrot("spring.ai.wok.device=tpu")
                .run(context -> assertTrue(
                        cause(context.getStartupFailure()).startsWith("spring.ai.wok.device tpu: expected cpu, cuda"),
                        () -> cause(context.getStartupFailure())));
    }

    private static String cause(@Nullable Throwable failure) {
        assertNotNull(failure, "it started");
        return Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
                .filter(BadInput.class::isInstance)
                .map(Throwable::getMessage)
                .findFirst()
                .orElseThrow();
    }

    /// What editors complete is what there is.
    @Test
    void theDescriptionForEditorsIsComplete() throws Exception {
        Map<String, String> described = new LinkedHashMap<>();
        try (InputStream in = getClass().getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
            for (JsonNode property : JsonMapper.builder().build().readTree(in).get("properties")) {
                described.put(
                        property.get("name").asString(), property.get("type").asString());
                assertTrue(property.get("description").asString().endsWith("."));
            }
        }
        Map<String, String> known = new LinkedHashMap<>();
        add("spring.ai.wok.", WokProperties.class, known);
        assertEquals(known, described);
    }

    private static void add(String prefix, Class<?> type, Map<String, String> known) {
        for (RecordComponent component : type.getRecordComponents()) {
            String name =
                    prefix + component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(java.util.Locale.ROOT);
            if (component.getType().isRecord()) {
                add(name + ".", component.getType(), known);
            } else {
                known.put(name, component.getGenericType().getTypeName());
            }
        }
    }
}
