package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;

class ChatTemplateTest {
    private static final TypeReference<List<Map<String, Object>>> MESSAGES = new TypeReference<>() {};

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void rendersEveryFixture(String name) {
        Tokenizer tokenizer = Fixtures.tokenizer(name);
        ChatTemplate template = tokenizer.chatTemplate().orElseThrow();
        JsonNode chats = Fixtures.expected(name).path("chats");
        assertTrue(chats.size() >= 8);
        for (JsonNode chat : chats.values()) {
            String text = template.render(
                    Fixtures.JSON.convertValue(chat.path("messages"), MESSAGES),
                    List.of(),
                    chat.path("add_generation_prompt").asBoolean());
            assertEquals(chat.path("text").asString(), text);
            assertArrayEquals(Fixtures.ids(chat.path("ids")), tokenizer.encode(text));
        }
    }
}
