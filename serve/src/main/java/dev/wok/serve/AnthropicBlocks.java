package dev.wok.serve;

import dev.wok.api.Reply;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What a reply says as blocks of Anthropic's form, and the events that tell of them while they grow.
final class AnthropicBlocks {
    /// Thoughts go as they are; there is nothing that a signature would prove.
    private static final String SIGNATURE = "none";

    private final Consumer<ObjectNode> events;
    private final ArrayNode content = JsonNodeFactory.instance.arrayNode();
    private final StringBuilder grown = new StringBuilder();
    private @Nullable ObjectNode open;

    /// @param events hears of each
    AnthropicBlocks(Consumer<ObjectNode> events) {
        this.events = events;
    }

    void add(Reply.Part part) {
        switch (part) {
            case Reply.Thought thought -> {
                if (!thought.text().isEmpty()) {
                    inside("thinking");
                    grow("thinking_delta", "thinking", thought.text());
                }
            }
            case Reply.Text text -> {
                if (!text.text().isEmpty()) {
                    inside("text");
                    grow("text_delta", "text", text.text());
                }
            }
            case Reply.CallStart call -> {
                ObjectNode block = block("tool_use").put("id", call.id()).put("name", call.name());
                block.putObject("input");
                begin(block);
            }
            case Reply.CallArguments more -> grow("input_json_delta", "partial_json", more.json());
        }
    }

    /// Ends the last block.
    ///
    /// @return all blocks
    ArrayNode finish() {
        end();
        return content;
    }

    private void inside(String type) {
        if (open != null && open.path("type").asString().equals(type)) {
            return;
        }
        ObjectNode block = block(type).put(type, "");
        begin(type.equals("thinking") ? block.put("signature", "") : block);
    }

    private static ObjectNode block(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    private void begin(ObjectNode block) {
        end();
        open = block;
        ObjectNode event = event("content_block_start");
        event.set("content_block", block.deepCopy());
        events.accept(event);
    }

    private void grow(String type, String field, String text) {
        grown.append(text);
        delta(block(type).put(field, text));
    }

    private void delta(ObjectNode delta) {
        ObjectNode event = event("content_block_delta");
        event.set("delta", delta);
        events.accept(event);
    }

    private void end() {
        ObjectNode block = open;
        if (block == null) {
            return;
        }
        String text = grown.toString();
        switch (block.path("type").asString()) {
            case "thinking" -> {
                delta(block("signature_delta").put("signature", SIGNATURE));
                block.put("thinking", text).put("signature", SIGNATURE);
            }
            case "text" -> block.put("text", text);
            default -> block.set("input", input(text));
        }
        events.accept(event("content_block_stop"));
        content.add(block);
        grown.setLength(0);
        open = null;
    }

    /// An answer may end amid a call's arguments, which then are nothing.
    private static JsonNode input(String json) {
        try {
            return JsonMapper.shared().readTree(json) instanceof ObjectNode object
                    ? object
                    : JsonNodeFactory.instance.objectNode();
        } catch (JacksonException _) {
            return JsonNodeFactory.instance.objectNode();
        }
    }

    private ObjectNode event(String type) {
        return block(type).put("index", content.size());
    }
}
