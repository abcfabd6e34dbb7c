package dev.wok.serve;

import dev.wok.api.Reply;
import dev.wok.generate.Token;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What a reply says as items of a response, and the events that tell of them while they grow.
final class ResponseItems {
    private static final String COMPLETED = "completed";

    private final Consumer<ObjectNode> events;
    private final Optional<TokenTexts> tokens;
    private final ArrayNode output = JsonNodeFactory.instance.arrayNode();
    private @Nullable Item open;

    /// What an item is.
    private enum Kind {
        THOUGHTS("reasoning", "rs_", "reasoning_text"),
        WORDS("message", "msg_", "output_text"),
        CALL("function_call", "fc_", "function_call_arguments");

        private final String type;
        private final String prefix;

        /// Of its part, or of events about it.
        private final String content;

        Kind(String type, String prefix, String content) {
            this.type = type;
            this.prefix = prefix;
            this.content = content;
        }
    }

    /// An item that grows.
    private record Item(Kind kind, String id, ObjectNode head, StringBuilder text, List<Token> tokens) {
        Item(Kind kind, ObjectNode head) {
            this(kind, RequestIds.fresh(kind.prefix), head, new StringBuilder(), new ArrayList<>());
        }
    }

    /// @param events hears of each; without `sequence_number`
    /// @param tokens for log-probabilities, where they are asked for
    ResponseItems(Consumer<ObjectNode> events, Optional<TokenTexts> tokens) {
        this.events = events;
        this.tokens = tokens;
    }

    void add(Reply.Part part) {
        switch (part) {
            case Reply.Thought thought -> {
                if (!thought.text().isEmpty()) {
                    grow(inside(Kind.THOUGHTS), thought.text(), List.of());
                }
            }
            case Reply.Text text -> {
                if (!text.text().isEmpty()
                        || (tokens.isPresent() && !text.tokens().isEmpty())) {
                    grow(inside(Kind.WORDS), text.text(), text.tokens());
                }
            }
            case Reply.CallStart call ->
                begin(
                        Kind.CALL,
                        JsonNodeFactory.instance
                                .objectNode()
                                .put("call_id", call.id())
                                .put("name", call.name()));
            case Reply.CallArguments more -> grow(inside(Kind.CALL), more.json(), List.of());
        }
    }

    /// Ends the last item.
    ///
    /// @param whole whether the reply said all
    /// @return all items
    ArrayNode finish(boolean whole) {
        if (open == null && output.isEmpty()) {
            begin(Kind.WORDS, JsonNodeFactory.instance.objectNode());
        }
        end(whole ? COMPLETED : "incomplete");
        return output;
    }

    private Item inside(Kind kind) {
        Item item = open;
        return item != null && item.kind == kind ? item : begin(kind, JsonNodeFactory.instance.objectNode());
    }

    private Item begin(Kind kind, ObjectNode head) {
        end(COMPLETED);
        Item item = new Item(kind, head);
        open = item;
        ObjectNode added = event("response.output_item.added");
        added.set("item", json(item, "in_progress", false));
        events.accept(added);
        if (kind != Kind.CALL) {
            ObjectNode part = event("response.content_part.added", item).put("content_index", 0);
            part.set("part", part(item));
            events.accept(part);
        }
        return item;
    }

    private void grow(Item item, String text, List<Token> of) {
        item.text.append(text);
        item.tokens.addAll(of);
        ObjectNode delta = event("response.%s.delta".formatted(item.kind.content), item);
        if (item.kind != Kind.CALL) {
            delta.put("content_index", 0);
        }
        delta.put("delta", text);
        if (item.kind == Kind.WORDS) {
            delta.set("logprobs", logprobs(of));
        }
        events.accept(delta);
    }

    private void end(String status) {
        Item item = open;
        if (item == null) {
            return;
        }
        ObjectNode done = event("response.%s.done".formatted(item.kind.content), item);
        if (item.kind == Kind.CALL) {
            done.put("name", item.head.path("name").asString()).put("arguments", item.text.toString());
            events.accept(done);
        } else {
            done.put("content_index", 0).put("text", item.text.toString());
            if (item.kind == Kind.WORDS) {
                done.set("logprobs", logprobs(item.tokens));
            }
            events.accept(done);
            ObjectNode part = event("response.content_part.done", item).put("content_index", 0);
            part.set("part", part(item));
            events.accept(part);
        }
        ObjectNode whole = event("response.output_item.done");
        ObjectNode json = json(item, status, true);
        whole.set("item", json);
        events.accept(whole);
        output.add(json);
        open = null;
    }

    private ObjectNode event(String type, Item item) {
        return event(type).put("item_id", item.id);
    }

    private ObjectNode event(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type).put("output_index", output.size());
    }

    private ObjectNode json(Item item, String status, boolean withContent) {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("id", item.id)
                .put("type", item.kind.type)
                .put("status", status);
        switch (item.kind) {
            case THOUGHTS -> json.putArray("summary");
            case WORDS -> json.put("role", "assistant");
            case CALL -> json.setAll(item.head).put("arguments", item.text.toString());
        }
        if (item.kind != Kind.CALL) {
            ArrayNode content = json.putArray("content");
            if (withContent) {
                content.add(part(item));
            }
        }
        return json;
    }

    private ObjectNode part(Item item) {
        ObjectNode part = JsonNodeFactory.instance
                .objectNode()
                .put("type", item.kind.content)
                .put("text", item.text.toString());
        if (item.kind == Kind.WORDS) {
            part.putArray("annotations");
            part.set("logprobs", logprobs(item.tokens));
        }
        return part;
    }

    private ArrayNode logprobs(List<Token> of) {
        return tokens.map(texts -> texts.logprobs(of)).orElseGet(JsonNodeFactory.instance::arrayNode);
    }
}
