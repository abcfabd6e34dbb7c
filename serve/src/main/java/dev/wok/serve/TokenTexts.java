package dev.wok.serve;

import dev.wok.generate.Token;
import dev.wok.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The texts of tokens, and what log-probabilities say of them.
final class TokenTexts {
    /// As OpenAI writes a probability of 0, which JSON has no logarithm of.
    private static final double IMPOSSIBLE = -9999;

    private final Tokenizer tokenizer;

    TokenTexts(Models.Named model) {
        tokenizer = tokenizer(model);
    }

    /// @throws Refusal where the model has none
    static Tokenizer tokenizer(Models.Named model) {
        return model.model()
                .tokenizer()
                .orElseThrow(() -> new Refusal(
                        400,
                        "invalid_request_error",
                        "the model %s has no tokenizer and takes no text; give it ids.".formatted(model.name()),
                        "model",
                        null));
    }

    /// @param size of the vocabulary
    /// @param field that holds the ids
    /// @throws Refusal where one is not in the vocabulary
    static void requireKnown(int[] ids, int size, String field) {
        for (int id : ids) {
            if (id >= size) {
                throw Refusal.badField(
                        field, "%s has token %d, which is not in the vocabulary of %d.".formatted(field, id, size));
            }
        }
    }

    /// @return `[{token, logprob, bytes, top_logprobs}]`
    ArrayNode logprobs(List<Token> tokens) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Token token : tokens) {
            ArrayNode top = entry(list.addObject(), token.id(), token.logprob()).putArray("top_logprobs");
            token.alternatives().forEach(other -> entry(top.addObject(), other.id(), other.logprob()));
        }
        return list;
    }

    private ObjectNode entry(ObjectNode entry, int id, double logprob) {
        byte[] bytes = tokenizer.bytes(id);
        // What is half a character becomes U+FFFD; the bytes are exact.
        entry.put("token", new String(bytes, StandardCharsets.UTF_8)).put("logprob", finite(logprob));
        ArrayNode list = entry.putArray("bytes");
        for (byte b : bytes) {
            list.add(Byte.toUnsignedInt(b));
        }
        return entry;
    }

    static double finite(double logprob) {
        return logprob == Double.NEGATIVE_INFINITY ? IMPOSSIBLE : logprob;
    }
}
