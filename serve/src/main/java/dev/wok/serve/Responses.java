package dev.wok.serve;

import dev.wok.api.Reply;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/responses`, without anything stored.
final class Responses implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        boolean stream = fields.flag("stream", false);
        ResponsesRequest request = ResponsesRequest.read(fields, call.models().named(fields));
        Stamp stamp = Stamp.fresh("resp_", request.chat().model());
        try (Call.Places places = call.places(1);
                Chorus chorus = new Chorus(call, places, request.chat().voices(call.deadline()), 1)) {
            if (stream) {
                stream(call.events(), chorus, request, stamp);
            } else {
                ResponseItems items = new ResponseItems(_ -> {}, request.tokens());
                Ended ended = chorus.hear((_, part) -> items.add(part));
                call.send(200, response(request, stamp, items.finish(isWhole(ended)), ended));
            }
        }
    }

    private static void stream(Call.Events events, Chorus chorus, ResponsesRequest request, Stamp stamp) {
        AtomicInteger number = new AtomicInteger();
        Consumer<ObjectNode> send = event ->
                events.send(event.path("type").asString(), event.put("sequence_number", number.getAndIncrement()));
        ArrayNode nothing = JsonNodeFactory.instance.arrayNode();
        send.accept(event("response.created", request.response(stamp, "in_progress", nothing)));
        send.accept(event("response.in_progress", request.response(stamp, "in_progress", nothing)));
        ResponseItems items = new ResponseItems(send, request.tokens());
        Ended ended = chorus.hear((_, part) -> items.add(part));
        ArrayNode output = items.finish(isWhole(ended));
        send.accept(event(
                isWhole(ended) ? "response.completed" : "response.incomplete",
                response(request, stamp, output, ended)));
        events.end();
    }

    private static ObjectNode event(String type, ObjectNode response) {
        ObjectNode event = JsonNodeFactory.instance.objectNode().put("type", type);
        event.set("response", response);
        return event;
    }

    private static boolean isWhole(Ended ended) {
        return ended.reason() == Reply.FinishReason.STOP || ended.reason() == Reply.FinishReason.TOOL_CALLS;
    }

    private static ObjectNode response(ResponsesRequest request, Stamp stamp, ArrayNode output, Ended ended) {
        ObjectNode root = request.response(stamp, isWhole(ended) ? "completed" : "incomplete", output);
        if (!isWhole(ended)) {
            root.putObject("incomplete_details").put("reason", "max_output_tokens");
        }
        ObjectNode usage = root.putObject("usage");
        usage.put("input_tokens", ended.promptTokens());
        usage.putObject("input_tokens_details").put("cached_tokens", ended.knownTokens());
        usage.put("output_tokens", ended.newTokens());
        usage.putObject("output_tokens_details").put("reasoning_tokens", ended.thoughtTokens());
        usage.put("total_tokens", ended.promptTokens() + ended.newTokens());
        return root;
    }

    @Override
    public void fail(Call.Events events, Refusal refusal) {
        ObjectNode event = JsonNodeFactory.instance
                .objectNode()
                .put("type", "error")
                .put("code", refusal.code())
                .put("message", refusal.getMessage())
                .put("param", refusal.param());
        event.set("error", error(refusal).path("error"));
        events.send("error", event);
    }
}
