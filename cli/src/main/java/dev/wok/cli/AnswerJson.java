package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.api.Model;
import dev.wok.generate.Token;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.SequencedMap;

/// An answer as programs read it.
final class AnswerJson {
    private AnswerJson() {}

    /// @return ids, text and why it ended
    static SequencedMap<String, Object> of(Answer answer) {
        SequencedMap<String, Object> object = new LinkedHashMap<>();
        object.put("ids", answer.ids());
        object.put("text", answer.text());
        object.put("finish_reason", answer.finishReason().name().toLowerCase(Locale.ROOT));
        return object;
    }

    /// Adds each token's log-probability and its likeliest alternatives.
    static void addLogprobs(SequencedMap<String, Object> object, Model model, Answer answer) {
        object.put(
                "logprobs",
                answer.tokens().stream().map(token -> object(model, token)).toList());
    }

    private static SequencedMap<String, Object> object(Model model, Token token) {
        SequencedMap<String, Object> object = object(model, token.id(), token.logprob());
        object.put(
                "top",
                token.alternatives().stream()
                        .map(other -> object(model, other.id(), other.logprob()))
                        .toList());
        return object;
    }

    private static SequencedMap<String, Object> object(Model model, int id, double logprob) {
        SequencedMap<String, Object> object = new LinkedHashMap<>();
        object.put("id", id);
        object.put(
                "token",
                model.tokenizer().map(t -> t.decode(new int[] {id}, false)).orElse(""));
        object.put("logprob", logprob);
        return object;
    }
}
