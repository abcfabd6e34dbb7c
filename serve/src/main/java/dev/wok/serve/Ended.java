package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.Reply;
import java.util.List;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;

/// How a text ended, and what it took.
///
/// @param reason why
/// @param stoppedBy the stop text that ended it
/// @param promptTokens that were to be read
/// @param knownTokens of those, how many were known from other texts
/// @param newTokens that were generated
/// @param thoughtTokens of those, how many were thoughts
record Ended(
        Reply.FinishReason reason,
        Optional<String> stoppedBy,
        int promptTokens,
        int knownTokens,
        int newTokens,
        int thoughtTokens) {
    static Ended of(Reply reply) {
        Answer answer = reply.answer();
        return new Ended(
                reply.finishReason(),
                reply.stoppedBy(),
                answer.promptTokens(),
                answer.knownTokens(),
                answer.ids().length,
                reply.thoughtTokens());
    }

    static Ended of(Answer answer) {
        Reply.FinishReason reason = switch (answer.finishReason()) {
            case STOP -> Reply.FinishReason.STOP;
            case LENGTH -> Reply.FinishReason.LENGTH;
            case CANCELLED -> Reply.FinishReason.CANCELLED;
            case DEADLINE -> Reply.FinishReason.DEADLINE;
        };
        return new Ended(
                reason, answer.stoppedBy(), answer.promptTokens(), answer.knownTokens(), answer.ids().length, 0);
    }

    /// @return itself
    /// @throws Refusal where it was ended from outside, or its time was over before it said anything
    Ended orRefuse() {
        if (reason == Reply.FinishReason.CANCELLED) {
            throw new Refusal(503, "server_error", "the server ended the answer; ask again later.", null, "cancelled");
        }
        if (reason == Reply.FinishReason.DEADLINE && newTokens == 0) {
            throw new Refusal(
                    503,
                    "server_error",
                    "the server's time for an answer was over before it began; ask again later.",
                    null,
                    "timeout");
        }
        return this;
    }

    /// @return why, in OpenAI's words
    String openAiReason() {
        return switch (reason) {
            case STOP -> "stop";
            case LENGTH, DEADLINE -> "length";
            case TOOL_CALLS -> "tool_calls";
            case CANCELLED -> throw new IllegalStateException("an answer that was cancelled is refused");
        };
    }

    /// @param texts in the order of their prompts
    /// @param choices how many texts begin with the same prompt, which counts once
    /// @return what all of them took
    static Ended sum(List<Ended> texts, int choices) {
        List<Ended> prompts = IntStream.range(0, texts.size())
                .filter(i -> i % choices == 0)
                .mapToObj(texts::get)
                .toList();
        return new Ended(
                texts.getFirst().reason,
                texts.getFirst().stoppedBy,
                sum(prompts, Ended::promptTokens),
                sum(prompts, Ended::knownTokens),
                sum(texts, Ended::newTokens),
                sum(texts, Ended::thoughtTokens));
    }

    private static int sum(List<Ended> texts, ToIntFunction<Ended> figure) {
        return texts.stream().mapToInt(figure).sum();
    }
}
