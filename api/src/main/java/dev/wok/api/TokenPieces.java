package dev.wok.api;

import dev.wok.generate.Token;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// The pieces of an answer, of which each has the tokens that begin in its text.
final class TokenPieces implements Iterator<Reply.Text> {
    private final Answer answer;
    private final Deque<Answer.Heard> waiting = new ArrayDeque<>();
    private int characters;
    private int looked;
    private int given;
    private boolean ended;
    private Reply.@Nullable Text next;

    TokenPieces(Answer answer) {
        this.answer = answer;
    }

    @Override
    public boolean hasNext() {
        while (next == null && !ended) {
            advance();
        }
        return next != null;
    }

    @Override
    public Reply.Text next() {
        Reply.Text piece = hasNext() ? next : null;
        if (piece == null) {
            throw new NoSuchElementException("the answer has ended");
        }
        next = null;
        return piece;
    }

    private void advance() {
        Answer.News news = answer.news(characters, looked);
        characters += news.text().length();
        looked += news.tokens().size();
        waiting.addAll(news.tokens());
        ended = news.ended();
        // What may still become a stop text is not the answer's yet.
        long known = ended
                ? answer.tokens().size() - given
                : waiting.stream()
                        .takeWhile(token -> token.start() < characters)
                        .count();
        List<Token> own = new ArrayList<>();
        while (own.size() < known) {
            own.add(waiting.removeFirst().token());
        }
        given += own.size();
        if (!news.text().isEmpty() || !own.isEmpty()) {
            next = new Reply.Text(news.text(), own);
        }
    }
}
