package dev.wok.serve;

import dev.wok.generate.Token;
import dev.wok.text.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Log-probabilities as OpenAI's completions have them: lists side by side, and where in the text each
/// token begins, counted in code points. For the tokens of one text, in their order.
final class LegacyLogprobs {
    private final Tokenizer tokenizer;
    private final Tokenizer.Decoder decoder;
    private int offset;

    LegacyLogprobs(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        decoder = tokenizer.decoder(false);
    }

    /// @param tokens that come next
    /// @param hidden how many of them stand before the text and are no part of it, such as the one that
    ///     begins texts
    /// @return `{tokens, token_logprobs, top_logprobs, text_offset}`
    ObjectNode next(List<Token> tokens, int hidden) {
        ObjectNode logprobs = JsonNodeFactory.instance.objectNode();
        ArrayNode texts = logprobs.putArray("tokens");
        ArrayNode own = logprobs.putArray("token_logprobs");
        ArrayNode top = logprobs.putArray("top_logprobs");
        ArrayNode offsets = logprobs.putArray("text_offset");
        for (int i = 0; i < tokens.size(); i++) {
            Token token = tokens.get(i);
            texts.add(text(token.id()));
            offsets.add(offset);
            if (i >= hidden) {
                String text = decoder.append(token.id());
                offset += text.codePointCount(0, text.length());
            }
            if (Double.isNaN(token.logprob())) {
                own.addNull();
                top.addNull();
            } else {
                own.add(TokenTexts.finite(token.logprob()));
                alternatives(top.addObject(), token);
            }
        }
        return logprobs;
    }

    private void alternatives(ObjectNode top, Token token) {
        token.alternatives().forEach(other -> top.put(text(other.id()), TokenTexts.finite(other.logprob())));
        top.put(text(token.id()), TokenTexts.finite(token.logprob()));
    }

    /// The token as text, or as OpenAI writes bytes that are no text.
    private String text(int id) {
        byte[] bytes = tokenizer.bytes(id);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException _) {
            StringBuilder escaped = new StringBuilder("bytes:");
            for (byte b : bytes) {
                escaped.append("\\x%02x".formatted(Byte.toUnsignedInt(b)));
            }
            return escaped.toString();
        }
    }
}
