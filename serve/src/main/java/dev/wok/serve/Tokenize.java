package dev.wok.serve;

import dev.wok.text.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// `POST /tokenize`: a text's ids, in llama.cpp's form (`content`) or vLLM's (`prompt`, `messages`).
final class Tokenize implements Route {
    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        Models.Named model = call.models().named(fields);
        Tokenizer tokenizer = TokenTexts.tokenizer(model);
        if (!fields.flag("parse_special", true)) {
            throw Unsupported.refusal("parse_special", "special tokens within a text are always known");
        }
        int[] ids = ids(fields, model, tokenizer);
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("count", ids.length);
        root.put("max_model_len", model.model().config().maxPositionEmbeddings());
        ArrayNode tokens = root.putArray("tokens");
        boolean pieces = fields.flag("with_pieces", false);
        for (int id : ids) {
            if (pieces) {
                piece(tokens.addObject().put("id", id), tokenizer.bytes(id));
            } else {
                tokens.add(id);
            }
        }
        if (fields.flag("return_token_strs", false)) {
            ArrayNode texts = root.putArray("token_strs");
            for (int id : ids) {
                texts.add(new String(tokenizer.bytes(id), StandardCharsets.UTF_8));
            }
        }
        call.send(200, root);
    }

    private static int[] ids(Fields fields, Models.Named model, Tokenizer tokenizer) {
        if (fields.has("messages")) {
            String prompt = ChatCompletions.read(fields, model).prompt();
            return tokenizer.encode(prompt, fields.flag("add_special_tokens", false));
        }
        if (fields.has("prompt")) {
            return tokenizer.encode(fields.requireText("prompt"), fields.flag("add_special_tokens", true));
        }
        return tokenizer.encode(fields.requireText("content"), fields.flag("add_special", false));
    }

    /// As text, or as bytes where they are no text.
    private static void piece(ObjectNode token, byte[] bytes) {
        Optional<String> text = text(bytes);
        if (text.isPresent()) {
            token.put("piece", text.get());
            return;
        }
        ArrayNode list = token.putArray("piece");
        for (byte b : bytes) {
            list.add(Byte.toUnsignedInt(b));
        }
    }

    private static Optional<String> text(byte[] bytes) {
        try {
            return Optional.of(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString());
        } catch (CharacterCodingException _) {
            return Optional.empty();
        }
    }
}
