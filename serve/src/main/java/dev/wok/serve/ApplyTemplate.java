package dev.wok.serve;

import tools.jackson.databind.node.JsonNodeFactory;

/// `POST /apply-template`: a conversation as the model reads it.
final class ApplyTemplate implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        ChatRequest request = ChatCompletions.read(fields, call.models().named(fields));
        call.send(200, JsonNodeFactory.instance.objectNode().put("prompt", request.prompt()));
    }
}
