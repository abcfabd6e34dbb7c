package dev.wok.serve;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// `POST /v1/messages/count_tokens`, in Anthropic's form.
final class CountTokens implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        ChatRequest request = AnthropicRequest.read(fields, call.models().named(fields));
        call.send(200, JsonNodeFactory.instance.objectNode().put("input_tokens", request.tokens()));
    }

    @Override
    public JsonNode error(Refusal refusal) {
        return Errors.anthropic(refusal);
    }
}
