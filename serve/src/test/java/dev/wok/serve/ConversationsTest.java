package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.parrot.Family;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// What a model that learnt to think and to call tools says, in the forms of each API.
class ConversationsTest {
    private static final String CHAT = "/v1/chat/completions";
    private static final String PARAMETERS =
            "{'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}";
    private static final String CHAT_TOOLS =
            "'tools': [{'type': 'function', 'function': {'name': 'get_weather', 'parameters': %s}}]"
                    .formatted(PARAMETERS);

    private static ParrotModels models;

    @BeforeAll
    static void load() {
        models = new ParrotModels(Family.QWEN);
    }

    @AfterAll
    static void close() {
        models.close();
    }

    private static RecordedCall call(String path, String body) {
        return RecordedCall.answered(models, path, body);
    }

    private static String chat(String question, String more) {
        return "{'temperature': 0, 'messages': [{'role': 'user', 'content': '%s'}], %s}".formatted(question, more);
    }

    private static JsonNode message(String body) {
        return call(CHAT, body).answer().get("choices").get(0).get("message");
    }

    private static String text(JsonNode node) {
        return node.isMissingNode() ? "" : node.stringValue();
    }

    @Test
    void anAnswerEndsByItself() {
        JsonNode root =
                call(CHAT, chat("Hello!", "'thinking': {'type': 'disabled'}")).answer();
        JsonNode choice = root.get("choices").get(0);
        assertEquals(
                "Hello! I am a parrot \ud83e\udd9c, gr\u00fc\u00dfe aus K\u00f6ln.",
                text(choice.get("message").get("content")));
        assertEquals("stop", text(choice.get("finish_reason")));
        assertFalse(choice.get("message").has("reasoning_content"));
        JsonNode cut = call(CHAT, chat("Who are you?", "'stop': [' say', 'zzz'], 'reasoning_effort': 'none'"))
                .answer()
                .get("choices")
                .get(0);
        assertEquals("I am a parrot. I", text(cut.get("message").get("content")));
        assertEquals("stop", text(cut.get("finish_reason")));
    }

    @Test
    void thoughtsComeBeforeTheAnswer() {
        String body = chat("What is 6 times 7?", "'thinking': {'type': 'enabled'}, 'logprobs': true, 'stream': %s");
        JsonNode root = call(CHAT, body.formatted(false)).answer();
        JsonNode choice = root.get("choices").get(0);
        assertEquals("Six sevens are forty-two.", text(choice.get("message").get("reasoning_content")));
        assertEquals("It is 42.", text(choice.get("message").get("content")));
        assertTrue(root.get("usage")
                        .get("completion_tokens_details")
                        .get("reasoning_tokens")
                        .intValue()
                > 3);
        assertEquals("It is 42.", joined(choice.get("logprobs").get("content")));
        assertTrue(joined(choice.get("logprobs").get("reasoning_content")).contains("Six sevens are forty-two."));
        StringBuilder thoughts = new StringBuilder();
        StringBuilder words = new StringBuilder();
        for (JsonNode chunk : call(CHAT, body.formatted(true)).chunks()) {
            JsonNode delta = chunk.get("choices").get(0).get("delta");
            if (delta.has("reasoning_content")) {
                assertEquals("", words.toString());
            }
            thoughts.append(text(delta.path("reasoning_content")));
            words.append(text(delta.path("content")));
        }
        assertEquals("Six sevens are forty-two.", thoughts.toString());
        assertEquals("It is 42.", words.toString());
    }

    private static String joined(JsonNode logprobs) {
        return logprobs.values().stream().map(entry -> text(entry.get("token"))).collect(Collectors.joining());
    }

    @Test
    void toolsAreCalledAndTheirAnswersRead() {
        String body =
                chat("What is the weather in Paris?", CHAT_TOOLS + ", 'thinking': {'type': 'disabled'}, 'stream': %s");
        RecordedCall whole = call(CHAT, body.formatted(false));
        JsonNode choice = whole.answer().get("choices").get(0);
        assertEquals("tool_calls", text(choice.get("finish_reason")));
        assertTrue(choice.get("message").get("content").isNull());
        JsonNode called = choice.get("message").get("tool_calls").get(0);
        assertEquals("get_weather", text(called.get("function").get("name")));
        assertEquals("Paris", text(json(called.get("function").get("arguments")).get("city")));
        List<JsonNode> pieces = new ArrayList<>();
        List<JsonNode> chunks = call(CHAT, body.formatted(true)).chunks();
        chunks.forEach(chunk ->
                chunk.get("choices").get(0).get("delta").path("tool_calls").forEach(pieces::add));
        assertEquals("get_weather", text(pieces.getFirst().get("function").get("name")));
        assertTrue(pieces.stream().skip(1).allMatch(piece -> piece.size() == 2));
        assertEquals(
                called.get("function").get("arguments").stringValue(),
                pieces.stream()
                        .map(piece -> text(piece.get("function").get("arguments")))
                        .collect(Collectors.joining()));
        assertEquals("tool_calls", text(chunks.getLast().get("choices").get(0).get("finish_reason")));
        String back = "{'temperature': 0, 'thinking': {'type': 'disabled'}, %s, 'messages': [{'role': 'user',"
                + " 'content': 'What is the weather in Paris?'}, {'role': 'assistant', 'content': null, 'tool_calls': %s},"
                + " {'role': 'tool', 'tool_call_id': '%s', 'content': 'sunny, 21 degrees'}]}";
        assertEquals(
                "It is sunny in Paris, 21 degrees.",
                text(message(back.formatted(
                                CHAT_TOOLS, choice.get("message").get("tool_calls"), text(called.get("id"))))
                        .get("content")));
    }

    private static JsonNode json(JsonNode text) {
        return JsonMapper.shared().readTree(text.stringValue());
    }

    @Test
    void anthropicClientsSeeBlocks() {
        String thinking = "{'temperature': 0, 'max_tokens': 200, 'thinking': {'type': 'enabled', 'budget_tokens': 100},"
                + " 'messages': [{'role': 'user', 'content': 'What is 6 times 7?'}]}";
        JsonNode content = call("/v1/messages", thinking).answer().get("content");
        assertEquals("Six sevens are forty-two.", text(content.get(0).get("thinking")));
        assertEquals("It is 42.", text(content.get(1).get("text")));
        String tools = "'tools': [{'name': 'get_weather', 'input_schema': %s}]".formatted(PARAMETERS);
        String ask =
                "{'temperature': 0, 'max_tokens': 200, %s, 'messages': [{'role': 'user', 'content': [{'type': 'text',"
                        + " 'text': 'What is the weather in Paris?'}]}%s]}";
        JsonNode called = call("/v1/messages", ask.formatted(tools, "")).answer();
        assertEquals("tool_use", text(called.get("stop_reason")));
        assertEquals(
                "{\"city\":\"Paris\"}",
                called.get("content").get(0).get("input").toString());
        String more = ", {'role': 'assistant', 'content': %s}, {'role': 'user', 'content': [{'type': 'tool_result',"
                + " 'tool_use_id': '%s', 'content': [{'type': 'text', 'text': 'sunny, 21 degrees'}]}]}";
        JsonNode answer = call(
                        "/v1/messages",
                        ask.formatted(
                                tools,
                                more.formatted(
                                        called.get("content"),
                                        text(called.get("content").get(0).get("id")))))
                .answer();
        assertEquals(
                "It is sunny in Paris, 21 degrees.",
                text(answer.get("content").get(0).get("text")));
        assertEquals("end_turn", text(answer.get("stop_reason")));
        JsonNode cut = call(
                        "/v1/messages",
                        "{'temperature': 0, 'max_tokens': 200, 'stop_sequences': [' say'], 'messages': [{'role': 'user',"
                                + " 'content': 'Who are you?'}]}")
                .answer();
        assertEquals("stop_sequence", text(cut.get("stop_reason")));
        assertEquals(" say", text(cut.get("stop_sequence")));
    }

    @Test
    void responsesAreOfItems() {
        String tools = "'tools': [{'type': 'function', 'name': 'get_weather', 'parameters': %s}]".formatted(PARAMETERS);
        String ask = "{'temperature': 0, 'reasoning': {'effort': 'none'}, %s, 'input': [{'role': 'user', 'content':"
                + " [{'type': 'input_text', 'text': 'What is the weather in Paris?'}]}%s]}";
        JsonNode called = call("/v1/responses", ask.formatted(tools, "")).answer();
        assertEquals("completed", text(called.get("status")));
        JsonNode item = called.get("output").get(0);
        assertEquals("function_call", text(item.get("type")));
        assertEquals("Paris", text(json(item.get("arguments")).get("city")));
        String more = ", %s, {'type': 'function_call_output', 'call_id': '%s', 'output': 'sunny, 21 degrees'}";
        JsonNode answer = call("/v1/responses", ask.formatted(tools, more.formatted(item, text(item.get("call_id")))))
                .answer();
        assertEquals(
                "It is sunny in Paris, 21 degrees.",
                text(answer.get("output").get(0).get("content").get(0).get("text")));
        JsonNode thought = call(
                        "/v1/responses",
                        "{'temperature': 0, 'reasoning': {'effort': 'high'}, 'input': 'What is 6 times 7?'}")
                .answer()
                .get("output");
        assertEquals(
                "Six sevens are forty-two.",
                text(thought.get(0).get("content").get(0).get("text")));
        assertEquals("It is 42.", text(thought.get(1).get("content").get(0).get("text")));
    }
}
