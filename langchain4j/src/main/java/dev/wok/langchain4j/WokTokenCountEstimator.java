package dev.wok.langchain4j;

import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.model.TokenCountEstimator;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Model;
import dev.wok.api.ToolCall;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.util.List;

/// Counts tokens with a model's own tokenizer. Texts are exact; to each message the tokens are added
/// that the model's chat template writes around a user's, so that conversations are rather over- than
/// underestimated.
public final class WokTokenCountEstimator implements TokenCountEstimator {
    private static final String SAMPLE = "a";

    private final Tokenizer tokenizer;
    private final int around;

    /// @param model stays the caller's
    /// @throws dev.langchain4j.exception.InvalidRequestException where it has no tokenizer
    public WokTokenCountEstimator(Model model) {
        tokenizer = model.tokenizer()
                .orElseThrow(() -> Failures.translated(
                        new BadInput("the model has no tokenizer, expected one to count tokens with.")));
        around = model.hasChatTemplate() ? around(model) : 0;
    }

    private int around(Model model) {
        String prompt = model.prompt(List.of(Message.user(SAMPLE)), ChatOptions.defaults());
        return estimateTokenCountInText(prompt) - estimateTokenCountInText(SAMPLE);
    }

    @Override
    public int estimateTokenCountInText(String text) {
        return tokenizer.encode(text).length;
    }

    /// @throws dev.langchain4j.exception.UnsupportedFeatureException where the message has more than
    ///     text
    @Override
    public int estimateTokenCountInMessage(ChatMessage message) {
        Message given = Requests.messages(List.of(message)).getFirst();
        int tokens = around + estimateTokenCountInText(given.content());
        tokens += given.reasoning().map(this::estimateTokenCountInText).orElse(0);
        for (ToolCall call : given.toolCalls()) {
            tokens += estimateTokenCountInText(call.id() + call.name() + call.arguments());
        }
        return tokens;
    }

    /// @throws dev.langchain4j.exception.UnsupportedFeatureException where a message has more than text
    @Override
    public int estimateTokenCountInMessages(Iterable<ChatMessage> messages) {
        int tokens = 0;
        for (ChatMessage message : messages) {
            tokens += estimateTokenCountInMessage(message);
        }
        return tokens;
    }
}
