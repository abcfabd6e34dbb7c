package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.parrot.Family;
import dev.wok.testkit.Thrown;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/// Every endpoint on a tiny model, without a connection.
class RoutesTest {
    /// Draws that differ, and do not end by themselves.
    private static final String BODY = "{'model': 'parrot', 'max_tokens': 12, 'seed': 5, 'temperature': 2,"
            + " 'ignore_eos': true, 'messages': [{'role': 'user', 'content': 'Hi'}]%s}";

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
        RecordedCall call = RecordedCall.answered(models, path, body);
        assertEquals(call.places, call.closed, "places that were taken are given back");
        return call;
    }

    private static JsonNode answer(String path, String body) {
        RecordedCall call = call(path, body);
        assertEquals(200, call.status);
        return call.answer();
    }

    private static Refusal refused(String path, String body) {
        return assertThrows(Refusal.class, () -> call(path, body));
    }

    private static String chat(String more) {
        return BODY.formatted(more);
    }

    @Test
    void models() {
        assertEquals(
                "{\"object\":\"list\",\"data\":[{\"id\":\"parrot\",\"object\":\"model\",\"created\":1700000000,"
                        + "\"owned_by\":\"wok\"}]}",
                answer("/v1/models", "{}").toString());
        assertEquals("parrot", answer("/models/parrot", "{}").get("id").stringValue());
        assertEquals("model_not_found", refused("/v1/models/other", "{}").code());
    }

    @Test
    void aChatCompletion() {
        RecordedCall call = call("/v1/chat/completions", chat(""));
        JsonNode root = call.answer();
        assertTrue(root.get("id").stringValue().matches("chatcmpl-[0-9a-zA-Z]{24}"));
        assertEquals("chat.completion", root.get("object").stringValue());
        assertEquals("parrot", root.get("model").stringValue());
        JsonNode choice = root.get("choices").get(0);
        assertEquals("assistant", choice.get("message").get("role").stringValue());
        assertTrue(choice.get("logprobs").isNull());
        assertEquals("length", choice.get("finish_reason").stringValue());
        JsonNode usage = root.get("usage");
        assertEquals(12, usage.get("completion_tokens").intValue());
        assertEquals(
                usage.get("total_tokens").intValue(), usage.get("prompt_tokens").intValue() + 12);
        assertEquals(12, call.newTokens);
        assertEquals(usage.get("prompt_tokens").intValue(), call.promptTokens);
    }

    @Test
    void aStreamSaysWhatTheWholeAnswerSays() {
        String whole = answer("/chat/completions", chat(""))
                .get("choices")
                .get(0)
                .get("message")
                .get("content")
                .stringValue();
        RecordedCall call = call("/chat/completions", chat(", 'stream': true"));
        List<JsonNode> chunks = call.chunks();
        assertEquals("data: [DONE]", call.events.getLast());
        assertTrue(call.ended);
        assertEquals(
                "{\"role\":\"assistant\",\"content\":\"\"}",
                chunks.getFirst().get("choices").get(0).get("delta").toString());
        assertEquals(whole, text(chunks, 0));
        assertEquals(1, chunks.stream().filter(RoutesTest::finishes).count());
        assertTrue(finishes(chunks.getLast()));
        assertEquals("{}", chunks.getLast().get("choices").get(0).get("delta").toString());
        assertEquals(1, chunks.stream().map(chunk -> chunk.get("id")).distinct().count());
        assertEquals(
                1, chunks.stream().map(chunk -> chunk.get("created")).distinct().count());
        assertFalse(chunks.stream().anyMatch(chunk -> chunk.has("usage")));
    }

    private static boolean finishes(JsonNode chunk) {
        return !chunk.get("choices").get(0).get("finish_reason").isNull();
    }

    private static String text(List<JsonNode> chunks, int index) {
        return chunks.stream()
                .filter(chunk -> !chunk.get("choices").isEmpty())
                .map(chunk -> chunk.get("choices").get(0))
                .filter(choice -> choice.get("index").intValue() == index)
                .map(choice -> choice.get("delta").path("content").asString(""))
                .collect(Collectors.joining());
    }

    @Test
    void usageComesWhereItIsAskedFor() {
        RecordedCall call =
                call("/v1/chat/completions", chat(", 'stream': true, 'stream_options': {'include_usage': true}"));
        JsonNode last = call.chunks().getLast();
        assertEquals("[]", last.get("choices").toString());
        assertEquals(12, last.get("usage").get("completion_tokens").intValue());
        assertEquals(
                1, call.chunks().stream().filter(chunk -> chunk.has("usage")).count());
    }

    @Test
    void severalChoicesHaveDrawsOfTheirOwnAndAreTheSameStreamed() {
        JsonNode choices = answer("/v1/chat/completions", chat(", 'n': 3")).get("choices");
        List<String> texts = new ArrayList<>();
        choices.forEach(choice -> texts.add(choice.get("message").get("content").stringValue()));
        assertNotEquals(texts.get(0), texts.get(1));
        RecordedCall stream = call("/v1/chat/completions", chat(", 'n': 3, 'stream': true"));
        assertEquals(3, stream.places);
        List<JsonNode> chunks = stream.chunks();
        for (int i = 0; i < 3; i++) {
            assertEquals(texts.get(i), text(chunks, i));
        }
        assertEquals(3, chunks.stream().filter(RoutesTest::finishes).count());
        JsonNode other = answer("/v1/chat/completions", chat("").replace("'seed': 5", "'seed': 6"));
        assertEquals(
                texts.get(1),
                other.get("choices").get(0).get("message").get("content").stringValue());
    }

    @Test
    void logprobsAreOfEachTokenAndItsAlternatives() {
        JsonNode choice = answer("/v1/chat/completions", chat(", 'logprobs': true, 'top_logprobs': 2"))
                .get("choices")
                .get(0);
        JsonNode content = choice.get("logprobs").get("content");
        assertEquals(12, content.size());
        for (JsonNode entry : content) {
            assertEquals(2, entry.get("top_logprobs").size());
            assertTrue(entry.get("logprob").doubleValue() < 0);
            byte[] bytes = new byte[entry.get("bytes").size()];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) entry.get("bytes").get(i).intValue();
            }
            assertEquals(entry.get("token").stringValue(), new String(bytes, StandardCharsets.UTF_8));
        }
        RecordedCall stream =
                call("/v1/chat/completions", chat(", 'logprobs': true, 'top_logprobs': 2, 'stream': true"));
        List<JsonNode> streamed = new ArrayList<>();
        stream.chunks()
                .forEach(chunk -> chunk.get("choices")
                        .get(0)
                        .get("logprobs")
                        .path("content")
                        .forEach(streamed::add));
        assertEquals(List.copyOf(content.values()), streamed);
    }

    @Test
    void aClientThatGoesEndsItsAnswer() {
        RecordedCall call = new RecordedCall(
                models, "/v1/chat/completions", chat(", 'stream': true").replace("12", "60000"));
        call.onEvent = () -> {
            if (call.events.size() == 5) {
                call.leave();
            }
        };
        Refusal refusal = assertThrows(
                Refusal.class, () -> RecordedCall.route("/v1/chat/completions").answer(call));
        assertEquals("cancelled", refusal.code());
        assertEquals(1, call.closed);
        assertTrue(call.newTokens < 1000, call.newTokens + " tokens");
    }

    @Test
    void jsonIsHeldToItsSchema() {
        String schema = "{'type': 'object', 'properties': {'a': {'enum': [1, 2]}}, 'required': ['a'],"
                + " 'additionalProperties': false}";
        String form = ", 'thinking': {'type': 'disabled'}, 'response_format': {'type': 'json_schema', 'json_schema':"
                + " {'name': 'x', 'strict': true, 'schema': %s}}";
        JsonNode choice = answer(
                        "/v1/chat/completions", chat(form.formatted(schema)).replace("12", "60"))
                .get("choices")
                .get(0);
        String json = choice.get("message").get("content").stringValue();
        assertTrue(json.strip().matches("(?s)\\{\\s*\"a\":\\s*[12]\\s*}"), json);
        assertEquals("stop", choice.get("finish_reason").stringValue());
        Refusal refusal =
                refused("/v1/chat/completions", chat(form.formatted("{'type': 'object', 'patternProperties': {}}")));
        assertEquals("response_format", refusal.param());
        assertTrue(refusal.message().contains("patternProperties"), refusal.message());
    }

    @Test
    void whatIsNotHonouredIsRefusedByName() {
        for (String field : List.of(
                "'functions': [{'name': 'f'}]",
                "'modalities': ['text', 'audio']",
                "'prediction': {'type': 'content'}",
                "'best_of': 2",
                "'guided_json': {'type': 'object'}",
                "'web_search_options': {'a': 1}")) {
            Refusal refusal = refused("/v1/chat/completions", chat(", " + field));
            String name = field.substring(1, field.indexOf('\'', 1));
            assertEquals(name, refusal.param());
            assertEquals("unsupported_parameter", refusal.code());
            assertTrue(refusal.message().startsWith(name + " is not supported here; "), refusal.message());
        }
        Refusal image = refused(
                "/v1/chat/completions",
                "{'messages': [{'role': 'user', 'content': [{'type': 'text', 'text': 'a'}, {'type': 'image_url'}]}]}");
        assertEquals("messages[0].content[1].type", image.param());
        assertEquals(
                200,
                call("/v1/chat/completions", chat(", 'best_of': 1, 'functions': [], 'zzz': 1, 'user': 'u'")).status);
    }

    @Test
    void wrongFieldsAreRefusedByName() {
        assertEquals(
                "max_tokens is 12, expected what max_completion_tokens says; leave one of them out.",
                refused("/v1/chat/completions", chat(", 'max_completion_tokens': 5"))
                        .getMessage());
        assertEquals(
                "temperature",
                refused("/v1/chat/completions", chat("").replace("'temperature': 2", "'temperature': 2.5"))
                        .param());
        assertEquals(
                "top_logprobs",
                refused("/v1/chat/completions", chat(", 'top_logprobs': 5")).param());
        assertEquals(
                "tool_choice",
                refused("/v1/chat/completions", chat(", 'tool_choice': 'required'"))
                        .param());
        assertEquals("messages", refused("/v1/chat/completions", "{}").param());
        assertEquals(
                "logit_bias is for \"x\", expected ids of tokens.",
                refused("/v1/chat/completions", chat(", 'logit_bias': {'x': 1}"))
                        .getMessage());
        assertEquals(
                "messages[0].role is \"owl\", expected one of assistant, developer, system, tool, user.",
                refused("/v1/chat/completions", "{'messages': [{'role': 'owl', 'content': ''}]}")
                        .getMessage());
        assertEquals(
                404,
                refused("/v1/chat/completions", "{'model': 'other', 'messages': []}")
                        .status());
    }

    @Test
    void aPromptThatIsTooLongIsRefusedInOpenAisWords() {
        String text = "a b ".repeat(50_000);
        Refusal chat =
                refused("/v1/chat/completions", "{'messages': [{'role': 'user', 'content': '%s'}]}".formatted(text));
        assertEquals("context_length_exceeded", chat.code());
        assertEquals(400, chat.status());
        Refusal plain = refused("/v1/completions", "{'prompt': '%s'}".formatted(text));
        assertEquals("context_length_exceeded", plain.code());
    }

    @Test
    void anAnswerContinuesItsPrefix() {
        String body = "{'max_tokens': 3, 'messages': [{'role': 'user', 'content': 'Hi'},"
                + " {'role': 'assistant', 'content': 'Ye', 'prefix': true}]}";
        assertEquals(200, call("/beta/chat/completions", body).status);
        JsonNode prompt = answer("/apply-template", body);
        assertTrue(prompt.get("prompt").stringValue().endsWith("Ye"), prompt.toString());
        Refusal refusal =
                refused("/beta/chat/completions", "{'messages': [{'role': 'user', 'content': 'Hi', 'prefix': true}]}");
        assertEquals("messages[0].role", refusal.param());
    }

    @Test
    void completions() {
        RecordedCall call = call(
                "/v1/completions",
                "{'prompt': ['ab', 'cd'], 'n': 2, 'max_tokens': 4, 'temperature': 2, 'ignore_eos': true, 'seed': 1}");
        JsonNode root = call.answer();
        assertEquals("text_completion", root.get("object").stringValue());
        assertTrue(root.get("id").stringValue().startsWith("cmpl-"));
        assertEquals(4, root.get("choices").size());
        assertEquals(3, root.get("choices").get(3).get("index").intValue());
        assertEquals(4, call.places);
        assertEquals(16, root.get("usage").get("completion_tokens").intValue());
        JsonNode alone = answer(
                "/beta/completions",
                "{'prompt': 'cd', 'max_tokens': 4, 'temperature': 2, 'ignore_eos': true, 'seed': 2}");
        assertEquals(
                root.get("choices").get(3).get("text"),
                alone.get("choices").get(0).get("text"));
        RecordedCall stream = call(
                "/completions",
                "{'prompt': 'cd', 'max_tokens': 4, 'temperature': 2, 'ignore_eos': true, 'seed': 2, 'stream': true, 'echo': true}");
        String text = stream.chunks().stream()
                .map(chunk -> chunk.get("choices").get(0).get("text").stringValue())
                .collect(Collectors.joining());
        assertEquals("cd" + alone.get("choices").get(0).get("text").stringValue(), text);
        assertEquals("data: [DONE]", stream.events.getLast());
    }

    @Test
    void completionsTakeIds() {
        JsonNode ids = answer("/tokenize", "{'prompt': 'cd'}").get("tokens");
        JsonNode ofText = answer("/v1/completions", "{'prompt': 'cd', 'temperature': 0, 'echo': true}");
        JsonNode ofIds = answer("/v1/completions", "{'prompt': %s, 'temperature': 0}".formatted(ids));
        assertEquals(
                ofText.get("usage").get("completion_tokens"), ofIds.get("usage").get("completion_tokens"));
        Refusal refusal = refused("/v1/completions", "{'prompt': [1, 99999999]}");
        assertEquals("prompt", refusal.param());
        String unfilled =
                Thrown.message(BadInput.class, () -> call("/v1/completions", "{'prompt': 'a', 'suffix': 'b'}"));
        assertTrue(unfilled.contains("filling"), unfilled);
    }

    @Test
    void completionsHaveLogprobsInTheOldForm() {
        JsonNode choice = answer(
                        "/v1/completions",
                        "{'prompt': 'cd', 'max_tokens': 4, 'temperature': 2, 'ignore_eos': true, 'logprobs': 2, 'seed': 2}")
                .get("choices")
                .get(0);
        JsonNode logprobs = choice.get("logprobs");
        assertEquals(4, logprobs.get("tokens").size());
        assertEquals(4, logprobs.get("token_logprobs").size());
        assertEquals(0, logprobs.get("text_offset").get(0).intValue());
        assertTrue(logprobs.get("top_logprobs").get(0).size() >= 2);
        RecordedCall stream = call(
                "/v1/completions",
                "{'prompt': 'cd', 'max_tokens': 4, 'temperature': 2, 'ignore_eos': true, 'logprobs': 2, 'seed': 2, 'stream': true}");
        List<JsonNode> offsets = new ArrayList<>();
        stream.chunks()
                .forEach(chunk -> chunk.get("choices")
                        .get(0)
                        .get("logprobs")
                        .path("text_offset")
                        .forEach(offsets::add));
        assertEquals(List.copyOf(logprobs.get("text_offset").values()), offsets);
    }

    @Test
    void textAndIds() {
        JsonNode tokenized = answer("/tokenize", "{'content': 'h\u00e9!', 'with_pieces': true}");
        int[] ids = new int[tokenized.get("tokens").size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = tokenized.get("tokens").get(i).get("id").intValue();
        }
        assertEquals(ids.length, tokenized.get("count").intValue());
        JsonNode back = answer("/detokenize", "{'tokens': %s}".formatted(Arrays.toString(ids)));
        assertEquals("h\u00e9!", back.get("content").stringValue());
        assertEquals("h\u00e9!", back.get("prompt").stringValue());
        assertEquals("tokens", refused("/detokenize", "{}").param());
        assertEquals("tokens", refused("/detokenize", "{'tokens': [99999999]}").param());
        JsonNode conversation = answer("/tokenize", chat(""));
        assertTrue(conversation.get("count").intValue() > 3);
    }

    @Test
    void aResponse() {
        RecordedCall call = call(
                "/v1/responses",
                "{'input': 'Hi', 'temperature': 2, 'ignore_eos': true, 'max_output_tokens': 6, 'instructions': 'Be brief.'}");
        JsonNode root = call.answer();
        assertEquals("response", root.get("object").stringValue());
        assertEquals("incomplete", root.get("status").stringValue());
        assertEquals(
                "max_output_tokens",
                root.get("incomplete_details").get("reason").stringValue());
        assertEquals(6, root.get("usage").get("output_tokens").intValue());
        assertEquals("message", root.get("output").get(0).get("type").stringValue());
        RecordedCall stream = call(
                "/v1/responses",
                "{'input': 'Hi', 'temperature': 2, 'ignore_eos': true, 'max_output_tokens': 6, 'stream': true}");
        assertTrue(
                stream.events.getFirst().startsWith("event: response.created\ndata: {\"type\":\"response.created\""));
        assertTrue(stream.events.getLast().startsWith("event: response.incomplete\n"));
        List<JsonNode> events = stream.chunks();
        for (int i = 0; i < events.size(); i++) {
            assertEquals(i, events.get(i).get("sequence_number").intValue());
        }
        for (String field : List.of("'previous_response_id': 'r'", "'conversation': 'c'", "'background': true")) {
            Refusal refusal = refused("/v1/responses", "{'input': 'Hi', %s}".formatted(field));
            assertEquals(field.substring(1, field.indexOf('\'', 1)), refusal.param());
        }
    }

    @Test
    void anAnthropicMessage() {
        String body =
                "{'model': 'parrot', 'max_tokens': 6, 'temperature': 2, 'ignore_eos': true, 'system': [{'type': 'text', 'text': 'Be brief.'}],"
                        + " 'messages': [{'role': 'user', 'content': 'Hi'}]%s}";
        JsonNode root = answer("/v1/messages", body.formatted(""));
        assertEquals("message", root.get("type").stringValue());
        assertEquals("max_tokens", root.get("stop_reason").stringValue());
        assertTrue(root.get("stop_sequence").isNull());
        assertEquals(6, root.get("usage").get("output_tokens").intValue());
        assertEquals("text", root.get("content").get(0).get("type").stringValue());
        RecordedCall stream = call("/v1/messages", body.formatted(", 'stream': true"));
        List<String> names = stream.events.stream()
                .map(event -> event.substring("event: ".length(), event.indexOf('\n')))
                .distinct()
                .toList();
        assertEquals(
                List.of(
                        "message_start",
                        "ping",
                        "content_block_start",
                        "content_block_delta",
                        "content_block_stop",
                        "message_delta",
                        "message_stop"),
                names);
        int counted = answer("/v1/messages/count_tokens", body.formatted(""))
                .get("input_tokens")
                .intValue();
        assertEquals(
                counted,
                stream.chunks()
                        .getFirst()
                        .get("message")
                        .get("usage")
                        .get("input_tokens")
                        .intValue());
        String cleared =
                body.formatted(", 'context_management': {'edits': [{'type': 'clear_thinking_20251015', 'keep': %s}]}");
        assertEquals(200, call("/v1/messages", cleared.formatted("'all'")).status);
        Refusal clears = refused("/v1/messages", cleared.formatted("{'type': 'thinking_turns', 'value': 1}"));
        assertEquals("context_management.edits[0].type", clears.param());
        Refusal image = refused(
                "/v1/messages", "{'messages': [{'role': 'user', 'content': [{'type': 'image', 'source': {}}]}]}");
        assertEquals("messages[0].content[0].type", image.param());
        assertEquals(
                "error",
                RecordedCall.route("/v1/messages").error(image).get("type").stringValue());
    }

    @Test
    void embeddings() {
        JsonNode root = answer("/v1/embeddings", "{'input': ['a b', 'c'], 'user': 'u'}");
        assertEquals("list", root.get("object").stringValue());
        assertEquals(1, root.get("data").get(1).get("index").intValue());
        float[] whole = vector(root.get("data").get(0).get("embedding"));
        assertEquals(64, whole.length);
        assertEquals(1, Math.sqrt(square(whole)), 1e-5);
        assertEquals(root.get("usage").get("total_tokens"), root.get("usage").get("prompt_tokens"));
        JsonNode bytes = answer("/embeddings", "{'input': 'a b', 'encoding_format': 'base64'}");
        float[] decoded = new float[whole.length];
        ByteBuffer.wrap(Base64.getDecoder()
                        .decode(bytes.get("data").get(0).get("embedding").stringValue()))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer()
                .get(decoded);
        assertArrayEquals(whole, decoded);
        float[] cut = vector(answer("/v1/embeddings", "{'input': 'a b', 'dimensions': 16}")
                .get("data")
                .get(0)
                .get("embedding"));
        assertEquals(16, cut.length);
        assertEquals(1, Math.sqrt(square(cut)), 1e-5);
        assertEquals(whole[3] / whole[4], cut[3] / cut[4], 1e-3);
        assertEquals("input", refused("/v1/embeddings", "{'input': []}").param());
        assertEquals(
                "input has token 99999, which is not in the vocabulary of 500.",
                refused("/v1/embeddings", "{'input': [[40], [41, 99999]]}").getMessage());
        assertEquals(
                "dimensions",
                refused("/v1/embeddings", "{'input': 'a', 'dimensions': 65}").param());
        assertEquals(
                "encoding_format",
                refused("/v1/embeddings", "{'input': 'a', 'encoding_format': 'x'}")
                        .param());
        Refusal refusal = refused("/v1/embeddings", "{'input': ['a', '%s']}".formatted("a b ".repeat(50_000)));
        assertEquals("context_length_exceeded", refusal.code());
    }

    private static float[] vector(JsonNode numbers) {
        float[] vector = new float[numbers.size()];
        for (int i = 0; i < vector.length; i++) {
            vector[i] = (float) numbers.get(i).doubleValue();
        }
        return vector;
    }

    private static double square(float[] vector) {
        double sum = 0;
        for (float number : vector) {
            sum += (double) number * number;
        }
        return sum;
    }

    @Test
    void anEchoHasThePromptsLogprobs() {
        JsonNode choice = answer("/v1/completions", "{'prompt': 'ab cd', 'max_tokens': 0, 'logprobs': 1, 'echo': true}")
                .get("choices")
                .get(0);
        assertEquals("ab cd", choice.get("text").stringValue());
        JsonNode logprobs = choice.get("logprobs");
        assertTrue(logprobs.get("tokens").size() > 1);
        assertTrue(logprobs.get("token_logprobs").get(0).isNull());
        assertTrue(logprobs.get("top_logprobs").get(0).isNull());
        assertTrue(logprobs.get("token_logprobs").get(1).doubleValue() < 0);
        assertEquals(0, logprobs.get("text_offset").get(0).intValue());
        String text = logprobs.get("tokens").values().stream()
                .map(JsonNode::stringValue)
                .collect(Collectors.joining());
        assertTrue(text.endsWith("ab cd"), text);
        RecordedCall stream = call(
                "/v1/completions",
                "{'prompt': 'ab cd', 'max_tokens': 2, 'temperature': 0, 'logprobs': 1, 'echo': true, 'stream': true}");
        assertTrue(stream.chunks()
                .getFirst()
                .get("choices")
                .get(0)
                .get("text")
                .stringValue()
                .startsWith("ab cd"));
    }
}
