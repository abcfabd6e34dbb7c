package dev.wok.serve;

import java.util.List;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/messages`, Anthropic's form of a chat.
final class AnthropicMessages implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        boolean stream = fields.flag("stream", false);
        ChatRequest request = AnthropicRequest.read(fields, call.models().named(fields));
        ObjectNode head = head(request.model());
        try (Call.Places places = call.places(1)) {
            List<Voice> voices = request.voices(call.deadline());
            try (Chorus chorus = new Chorus(call, places, voices, 1)) {
                if (stream) {
                    stream(call.events(), chorus, head, voices.getFirst().promptTokens());
                } else {
                    whole(call, chorus, head);
                }
            }
        }
    }

    private static ObjectNode head(Models.Named model) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", RequestIds.fresh("msg_"))
                .put("type", "message")
                .put("role", "assistant")
                .put("model", model.name());
    }

    private static void whole(Call call, Chorus chorus, ObjectNode head) {
        AnthropicBlocks blocks = new AnthropicBlocks(_ -> {});
        Ended ended = chorus.hear((_, part) -> blocks.add(part));
        head.set("content", blocks.finish());
        head.setAll(stop(ended));
        head.set("usage", usage(ended));
        call.send(200, head);
    }

    private static void stream(Call.Events events, Chorus chorus, ObjectNode head, int promptTokens) {
        Consumer<ObjectNode> send = event -> events.send(event.path("type").asString(), event);
        head.putArray("content");
        head.putNull("stop_reason").putNull("stop_sequence");
        ObjectNode usage = head.putObject("usage").put("input_tokens", promptTokens);
        usage.put("output_tokens", 0);
        ObjectNode start = event("message_start");
        start.set("message", head);
        send.accept(start);
        send.accept(event("ping"));
        AnthropicBlocks blocks = new AnthropicBlocks(send);
        Ended ended = chorus.hear((_, part) -> blocks.add(part));
        ArrayNode _ = blocks.finish();
        ObjectNode last = event("message_delta");
        last.set("delta", stop(ended));
        last.set("usage", usage(ended));
        send.accept(last);
        send.accept(event("message_stop"));
        events.end();
    }

    private static ObjectNode event(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    private static ObjectNode stop(Ended ended) {
        ObjectNode stop = JsonNodeFactory.instance.objectNode();
        stop.put(
                "stop_reason",
                switch (ended.reason()) {
                    case STOP -> ended.stoppedBy().isPresent() ? "stop_sequence" : "end_turn";
                    case LENGTH, DEADLINE -> "max_tokens";
                    case TOOL_CALLS -> "tool_use";
                    case CANCELLED -> throw new IllegalStateException("an answer that was cancelled is refused");
                });
        return stop.put("stop_sequence", ended.stoppedBy().orElse(null));
    }

    /// Here tokens of the prompt that were known count apart.
    private static ObjectNode usage(Ended ended) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("input_tokens", ended.promptTokens() - ended.knownTokens())
                .put("cache_creation_input_tokens", 0)
                .put("cache_read_input_tokens", ended.knownTokens())
                .put("output_tokens", ended.newTokens());
    }

    @Override
    public JsonNode error(Refusal refusal) {
        return Errors.anthropic(refusal);
    }

    @Override
    public void fail(Call.Events events, Refusal refusal) {
        events.send("error", error(refusal));
    }
}
