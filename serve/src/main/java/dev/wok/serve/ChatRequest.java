package dev.wok.serve;

import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

/// A conversation that is to be answered.
///
/// @param choices how many answers
record ChatRequest(Models.Named model, List<Message> messages, ChatOptions options, int choices) {
    ChatRequest {
        if (!model.model().hasChatTemplate()) {
            throw new Refusal(
                    400,
                    "invalid_request_error",
                    "the model %s has no chat template; use /v1/completions.".formatted(model.name()),
                    "model",
                    null);
        }
    }

    /// @return what is usual for a model
    static ChatOptions usual(Models.Named model) {
        ChatOptions options = ChatOptions.defaults();
        return model.thinks().isPresent() ? options.withThinking(model.thinks().get()) : options;
    }

    /// @param deadline after which they end
    /// @return the answers, of which nothing is computed yet
    /// @throws Refusal where the conversation is too long
    List<Voice> voices(Duration deadline) {
        ChatOptions timely = options.withAnswer(options.answer().withDeadline(deadline));
        Sampling sampling = options.answer().sampling();
        List<Sampling> samplings = IntStream.range(0, choices)
                .mapToObj(i -> Generating.choice(sampling, i))
                .toList();
        try {
            return model.model().chat(messages, timely, samplings).stream()
                    .map(Voice::of)
                    .toList();
        } catch (BadInput e) {
            throw Context.refusal(e, model, this::tokens, "messages");
        }
    }

    /// @return how many tokens the conversation is
    int tokens() {
        return TokenTexts.tokenizer(model).encode(prompt()).length;
    }

    /// @return the conversation as the model reads it
    String prompt() {
        return model.model().prompt(messages, options);
    }
}
