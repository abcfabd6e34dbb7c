package dev.wok.springai;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.springframework.ai.chat.client.ChatClient;
import org.springframework.ai.model.chat.client.autoconfigure.ChatClientAutoConfiguration;
import org.springframework.ai.model.tool.autoconfigure.ToolCallingAutoConfiguration;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.stereotype.Service;
import reactor.core.publisher.Flux;

/// The examples of `docs/how-to/spring-ai.md` stand here word for word, and run.
class HowToTest {
    private final Path folder = Parrot.usual(Family.QWEN);

    @Test
    void everyExampleIsHere() throws Exception {
        String page = Files.readString(Path.of("../docs/how-to/spring-ai.md"));
        String here = Files.readString(Path.of("src/test/java/dev/wok/springai/HowToTest.java"));
        List<String> examples = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
                .matcher(page)
                .results()
                .map(match -> match.group(1))
                .toList();
        assertEquals(2, examples.size());
        examples.forEach(example -> assertTrue(dense(here).contains(dense(example)), example));
    }

    /// A class of a page is no class within another.
    private static String dense(String code) {
        return code.replace("static class", "class").replaceAll("\\s", "");
    }

    @Service
    static class Asking {
        private final ChatClient client;

        Asking(ChatClient.Builder builder) {
            client = builder.build();
        }

        Flux<String> ask(String question) {
            return client.prompt(question).stream().content();
        }
    }

    @Test
    void ask() {
        new ApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(
                        WokAutoConfiguration.class,
                        ToolCallingAutoConfiguration.class,
                        ChatClientAutoConfiguration.class))
                .withBean(Asking.class)
                .withPropertyValues("spring.ai.wok.model=" + folder, "spring.ai.wok.chat.temperature=0")
                .run(context -> assertEquals(
                        "I am a parrot. I say what I have learnt.",
                        String.join(
                                "",
                                Objects.requireNonNull(context.getBean(Asking.class)
                                        .ask("Who are you?")
                                        .collectList()
                                        .block(Duration.ofMinutes(1))))));
    }

    @Test
    void withoutBoot() {
        String answer;
        try (var model = Model.load(folder)) {
            var options = WokChatOptions.builder().temperature(0.0).build();
            answer = WokChatModel.builder(model).options(options).build().call("Who are you?");
        }
        assertEquals("I am a parrot. I say what I have learnt.", answer);
    }
}
