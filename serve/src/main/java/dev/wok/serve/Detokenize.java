package dev.wok.serve;

import dev.wok.text.Tokenizer;
import tools.jackson.databind.node.JsonNodeFactory;

/// `POST /detokenize`: the text of ids, under llama.cpp's name (`content`) and vLLM's (`prompt`).
final class Detokenize implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        Models.Named model = call.models().named(fields);
        Tokenizer tokenizer = TokenTexts.tokenizer(model);
        if (!fields.has("tokens")) {
            throw fields.missing("tokens", "a list of token ids");
        }
        int[] ids = fields.ids("tokens");
        TokenTexts.requireKnown(ids, tokenizer.size(), "tokens");
        String text = tokenizer.decode(ids, false);
        call.send(
                200, JsonNodeFactory.instance.objectNode().put("content", text).put("prompt", text));
    }
}
