package dev.wok.text;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The tokens of a template and how far they are read.
final class JinjaTokens {
    private final List<JinjaToken> tokens;
    private int at;

    JinjaTokens(List<JinjaToken> tokens) {
        this.tokens = tokens;
    }

    JinjaToken peek() {
        return tokens.get(at);
    }

    JinjaToken take() {
        JinjaToken token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean isKind(JinjaToken.Kind kind) {
        return peek().kind() == kind;
    }

    private boolean accept(JinjaToken.Kind kind, String text) {
        boolean found = peek().is(kind, text);
        if (found) {
            take();
        }
        return found;
    }

    boolean acceptName(String name) {
        return accept(JinjaToken.Kind.NAME, name);
    }

    boolean acceptOperator(String operator) {
        return accept(JinjaToken.Kind.OPERATOR, operator);
    }

    /// @return the operator that was next and is taken, or null
    @Nullable
    String acceptAny(Set<String> operators) {
        return isKind(JinjaToken.Kind.OPERATOR) && operators.contains(peek().text()) ? take().text() : null;
    }

    String expect(JinjaToken.Kind kind) {
        if (!isKind(kind)) {
            throw unexpected();
        }
        return take().text();
    }

    void expectName(String name) {
        if (!acceptName(name)) {
            throw unexpected();
        }
    }

    void expectOperator(String operator) {
        if (!acceptOperator(operator)) {
            throw unexpected();
        }
    }

    JinjaError unexpected() {
        JinjaToken token = peek();
        return switch (token.kind()) {
            case END -> error("an unexpected end of the template");
            case TEXT, PRINT_BEGIN, PRINT_END, TAG_BEGIN, TAG_END -> error("a tag that ends too early");
            default -> error("an unexpected '" + token.text() + "'");
        };
    }

    JinjaError error(String message) {
        return new JinjaError(message, peek().line());
    }
}
