package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What clients of each API read while a reply of thoughts, text and two calls is written.
class StreamFormsTest {
    private static final List<Reply.Part> PARTS = List.of(
            new Reply.Thought("h", List.of()),
            new Reply.Thought("", List.of()),
            new Reply.Thought("m", List.of()),
            new Reply.Text("Hel", List.of()),
            new Reply.Text("lo", List.of()),
            new Reply.CallStart(0, "call_a", "add"),
            new Reply.CallArguments(0, "{\"x\":"),
            new Reply.CallArguments(0, "1}"),
            new Reply.CallStart(1, "call_b", "sub"),
            new Reply.CallArguments(1, "{}"));
    private static final Ended ENDED = new Ended(Reply.FinishReason.TOOL_CALLS, Optional.empty(), 10, 4, 7, 2);

    private static final Stamp STAMP = new Stamp("chatcmpl-1", 9, "m", "fp_1");

    @Test
    void chatCompletions() {
        ChatJson json = new ChatJson(STAMP, Optional.empty());
        List<String> deltas = new ArrayList<>();
        deltas.add(delta(json.first(1)));
        PARTS.forEach(part -> json.more(1, part).ifPresent(chunk -> deltas.add(delta(chunk))));
        assertEquals("""
                {"role":"assistant","content":""}
                {"reasoning_content":"h"}
                {"reasoning_content":"m"}
                {"content":"Hel"}
                {"content":"lo"}
                {"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"add","arguments":""}}]}
                {"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\":"}}]}
                {"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}
                {"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"sub","arguments":""}}]}
                {"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}""".strip(), String.join("\n", deltas));
        assertEquals(
                "{\"index\":1,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}",
                json.last(1, ENDED).get("choices").get(0).toString());
        ObjectNode usage = json.usage(ENDED);
        assertEquals("[]", usage.get("choices").toString());
        assertEquals(
                "{\"prompt_tokens\":10,\"completion_tokens\":7,\"total_tokens\":17,\"prompt_cache_hit_tokens\":4,"
                        + "\"prompt_cache_miss_tokens\":6,\"prompt_tokens_details\":{\"cached_tokens\":4},"
                        + "\"completion_tokens_details\":{\"reasoning_tokens\":2}}",
                usage.get("usage").toString());
    }

    private static String delta(JsonNode chunk) {
        assertEquals("chatcmpl-1", chunk.get("id").stringValue());
        assertEquals("m", chunk.get("model").stringValue());
        assertEquals(9, chunk.get("created").intValue());
        assertEquals("chat.completion.chunk", chunk.get("object").stringValue());
        JsonNode choice = chunk.get("choices").get(0);
        assertEquals(1, choice.get("index").intValue());
        assertTrue(choice.get("finish_reason").isNull());
        return choice.get("delta").toString();
    }

    @Test
    void aWholeChatCompletion() {
        ChatJson json = new ChatJson(STAMP, Optional.empty());
        Gathered all = new Gathered();
        PARTS.forEach(all::add);
        Gathered calls = new Gathered();
        PARTS.subList(8, 9).forEach(part -> calls.add(new Reply.CallStart(0, "c", "sub")));
        JsonNode root = json.whole(List.of(all, calls), List.of(ENDED, ENDED), ENDED);
        assertEquals(
                "{\"role\":\"assistant\",\"content\":\"Hello\",\"reasoning_content\":\"hm\",\"refusal\":null,\"tool_calls\":["
                        + "{\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"x\\\":1}\"}},"
                        + "{\"id\":\"call_b\",\"type\":\"function\",\"function\":{\"name\":\"sub\",\"arguments\":\"{}\"}}]}",
                root.get("choices").get(0).get("message").toString());
        assertTrue(root.get("choices").get(1).get("message").get("content").isNull());
    }

    @Test
    void anthropic() {
        List<String> events = new ArrayList<>();
        AnthropicBlocks blocks = new AnthropicBlocks(event -> events.add(event.toString()));
        PARTS.forEach(blocks::add);
        String content = blocks.finish().toString();
        assertEquals("""
                {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
                {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}
                {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}
                {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"none"}}
                {"type":"content_block_stop","index":0}
                {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
                {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}
                {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}
                {"type":"content_block_stop","index":1}
                {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_a","name":"add","input":{}}}
                {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"x\\":"}}
                {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}
                {"type":"content_block_stop","index":2}
                {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_b","name":"sub","input":{}}}
                {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}
                {"type":"content_block_stop","index":3}""".strip(), String.join("\n", events));
        assertEquals(
                "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"none\"},{\"type\":\"text\",\"text\":\"Hello\"},"
                        + "{\"type\":\"tool_use\",\"id\":\"call_a\",\"name\":\"add\",\"input\":{\"x\":1}},"
                        + "{\"type\":\"tool_use\",\"id\":\"call_b\",\"name\":\"sub\",\"input\":{}}]",
                content);
    }

    @Test
    void responses() {
        List<ObjectNode> events = new ArrayList<>();
        Consumer<ObjectNode> hear = events::add;
        ResponseItems items = new ResponseItems(hear, Optional.empty());
        PARTS.forEach(items::add);
        JsonNode output = items.finish(true);
        assertEquals(
                """
                0 output_item.added
                0 content_part.added
                0 reasoning_text.delta h
                0 reasoning_text.delta m
                0 reasoning_text.done
                0 content_part.done
                0 output_item.done
                1 output_item.added
                1 content_part.added
                1 output_text.delta Hel
                1 output_text.delta lo
                1 output_text.done
                1 content_part.done
                1 output_item.done
                2 output_item.added
                2 function_call_arguments.delta {"x":
                2 function_call_arguments.delta 1}
                2 function_call_arguments.done
                2 output_item.done
                3 output_item.added
                3 function_call_arguments.delta {}
                3 function_call_arguments.done
                3 output_item.done""".strip(),
                String.join("\n", events.stream().map(StreamFormsTest::told).toList()));
        String id = output.get(1).get("id").stringValue();
        events.stream()
                .filter(event -> event.get("output_index").intValue() == 1 && event.has("item_id"))
                .forEach(event -> assertEquals(id, event.get("item_id").stringValue()));
        assertEquals(
                "[{\"type\":\"output_text\",\"text\":\"Hello\",\"annotations\":[],\"logprobs\":[]}]",
                output.get(1).get("content").toString());
        assertEquals("reasoning", output.get(0).get("type").stringValue());
        assertEquals("call_a", output.get(2).get("call_id").stringValue());
        assertEquals("{\"x\":1}", output.get(2).get("arguments").stringValue());
        assertEquals("completed", output.get(3).get("status").stringValue());
    }

    private static String told(ObjectNode event) {
        String type = event.get("type").stringValue();
        return event.get("output_index").intValue()
                + " " + type.substring("response.".length())
                + (event.has("delta") ? " " + event.get("delta").stringValue() : "");
    }

    @Test
    void aResponseThatIsCutSaysSo() {
        ResponseItems items = new ResponseItems(_ -> {}, Optional.empty());
        items.add(new Reply.Text("Hel", List.of()));
        assertEquals("incomplete", items.finish(false).get(0).get("status").stringValue());
        ResponseItems silent = new ResponseItems(_ -> {}, Optional.empty());
        assertEquals("message", silent.finish(true).get(0).get("type").stringValue());
    }

    @Test
    void anAnswerThatIsEndedFromOutsideIsRefusedOrCut() {
        Ended late = new Ended(Reply.FinishReason.DEADLINE, Optional.empty(), 10, 0, 3, 0);
        assertEquals("length", late.orRefuse().openAiReason());
        Ended never = new Ended(Reply.FinishReason.DEADLINE, Optional.empty(), 10, 0, 0, 0);
        assertEquals("timeout", assertThrows(Refusal.class, never::orRefuse).code());
        Ended cancelled = new Ended(Reply.FinishReason.CANCELLED, Optional.empty(), 10, 0, 3, 0);
        Refusal refusal = assertThrows(Refusal.class, cancelled::orRefuse);
        assertEquals("the server ended the answer; ask again later.", refusal.message());
        assertEquals(503, refusal.status());
    }
}
