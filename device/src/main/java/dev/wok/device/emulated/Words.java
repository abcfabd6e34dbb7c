package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The words of a text, read one after the other.
final class Words {
    private static final int DEEPEST = 200;

    private final Listing listing;
    private final List<Token> tokens;
    private int at;

    /// How many braces are open.
    private int depth;

    Words(String text) {
        listing = new Listing("", "", List.of(), List.of(), Arrays.asList(text.split("\n", -1)));
        tokens = Lexer.words(text);
    }

    List<String> lines() {
        return listing.lines();
    }

    /// @return the word behind the next
    Token second() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token peek() {
        return tokens.get(at);
    }

    Token next() {
        Token word = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return word;
    }

    boolean accept(String mark) {
        boolean isThere = peek().is(mark);
        if (isThere) {
            next();
        }
        return isThere;
    }

    void expect(String mark) {
        Token word = next();
        if (!word.is(mark)) {
            throw error(word, "expected '%s', not '%s'".formatted(mark, word.text()));
        }
    }

    Token expectName() {
        Token word = next();
        if (word.kind() != Token.Kind.WORD) {
            throw error(word, "expected a name, not '%s'".formatted(word.text()));
        }
        return word;
    }

    void open(Token brace) {
        if (++depth > DEEPEST) {
            throw error(brace, "nested deeper than %d".formatted(DEEPEST));
        }
    }

    void close() {
        depth--;
    }

    void skipPast(String mark) {
        while (!next().is(mark)) {
            if (peek().kind() == Token.Kind.END) {
                throw error(peek(), "expected '%s'".formatted(mark));
            }
        }
    }

    PtxFault error(@Nullable Token word, String what) {
        return listing.error(word == null ? 0 : word.line(), what);
    }
}
