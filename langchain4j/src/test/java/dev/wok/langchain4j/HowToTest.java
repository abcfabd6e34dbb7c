package dev.wok.langchain4j;

import static dev.langchain4j.model.chat.request.ResponseFormatType.JSON;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.LambdaStreamingResponseHandler;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.wok.api.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The examples of `docs/how-to/langchain4j.md` stand here word for word, and run.
class HowToTest {
    private final Path folder = Lines.folder();

    @Test
    void everyExampleIsHere() throws Exception {
        String page = Files.readString(Path.of("../docs/how-to/langchain4j.md"));
        String here = Files.readString(Path.of("src/test/java/dev/wok/langchain4j/HowToTest.java"));
        List<String> examples = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
                .matcher(page)
                .results()
                .map(match -> match.group(1))
                .toList();
        assertEquals(4, examples.size());
        examples.forEach(example -> assertTrue(dense(here).contains(dense(example)), example));
    }

    private static String dense(String code) {
        return code.replaceAll("\\s", "");
    }

    @Test
    void ask() {
        String answer;
        try (var model = WokChatModel.builder().path(folder).build()) {
            answer = model.chat("What is the capital of Germany?");
        }
        assertTrue(answer.contains("Berlin"), answer);
    }

    @Test
    void readWhileItIsWritten() throws Exception {
        StringBuilder out = new StringBuilder();
        try (var model = Model.load(folder)) {
            var streaming = WokStreamingChatModel.builder().model(model).build();
            LambdaStreamingResponseHandler.onPartialResponseBlocking(streaming, "Say 'Hello World'", out::append);
        }
        assertEquals("Hello World", out.toString());
    }

    @Test
    void sayHow() {
        String answer;
        var greedy = WokChatRequestParameters.builder()
                .temperature(0.0)
                .thinking(false)
                .build();
        try (var model = WokChatModel.builder()
                .path(folder)
                .defaultRequestParameters(greedy)
                .build()) {
            var request = ChatRequest.builder().messages(UserMessage.from("What is the capital of Germany?"));
            var city = JsonObjectSchema.builder()
                    .addStringProperty("city")
                    .required("city")
                    .build();
            request.responseFormat(ResponseFormat.builder()
                    .type(JSON)
                    .jsonSchema(JsonSchema.builder()
                            .name("answer")
                            .rootElement(city)
                            .build())
                    .build());
            answer = model.chat(request.build()).aiMessage().text();
        }
        assertEquals("{\"city\":\"Berlin\"}", dense(answer));
    }

    @Test
    void embedAndCount() {
        float[] vector;
        int tokens;
        try (var model = Model.load(folder)) {
            vector = WokEmbeddingModel.builder()
                    .model(model)
                    .build()
                    .embed("a text")
                    .content()
                    .vector();
            tokens = new WokTokenCountEstimator(model).estimateTokenCountInText("a text");
        }
        assertEquals(64, vector.length);
        assertTrue(tokens > 1 && tokens < 7, tokens + " tokens");
    }
}
