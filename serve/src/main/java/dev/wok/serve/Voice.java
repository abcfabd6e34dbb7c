package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.Reply;
import java.util.Iterator;
import java.util.function.Supplier;

/// A text that is generated for a request: a [Reply] of a conversation, or an [Answer] that goes on
/// with a text.
///
/// @param promptTokens that are to be read
/// @param begin lets it be computed
/// @param parts what it says, as it comes
/// @param cancel ends it, from any thread
/// @param ended what it was, after its last part
record Voice(
        int promptTokens,
        Runnable begin,
        Iterator<? extends Reply.Part> parts,
        Runnable cancel,
        Supplier<Ended> ended) {
    static Voice of(Reply reply) {
        return new Voice(
                reply.answer().promptTokens(), reply::begin, reply.iterator(), reply::cancel, () -> Ended.of(reply));
    }

    static Voice of(Answer answer) {
        return new Voice(answer.promptTokens(), answer::begin, answer.pieces(), answer::cancel, () -> Ended.of(answer));
    }
}
