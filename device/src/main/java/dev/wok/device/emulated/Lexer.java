package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import java.util.ArrayList;
import java.util.List;

/// Cuts PTX text into words.
final class Lexer {
    private static final String MARKS = "()[]{},;:@!|=<>+-*&~?/^";

    private final String text;
    private int at;
    private int line = 1;
    private final List<Token> tokens = new ArrayList<>();

    private Lexer(String text) {
        this.text = text;
    }

    /// @return the words, an END last
    static List<Token> words(String text) {
        Lexer lexer = new Lexer(text);
        while (lexer.skipBlank()) {
            lexer.next();
        }
        lexer.add(Token.Kind.END, "the end");
        return lexer.tokens;
    }

    private boolean skipBlank() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (text.startsWith("//", at)) {
                int end = text.indexOf('\n', at);
                at = end < 0 ? text.length() : end;
            } else if (text.startsWith("/*", at)) {
                int end = text.indexOf("*/", at + 2);
                if (end < 0) {
                    throw error("a comment that does not end");
                }
                line += (int)
                        text.substring(at, end).chars().filter(ch -> ch == '\n').count();
                at = end + 2;
            } else if (Character.isWhitespace(c) || c == 0) {
                line += c == '\n' ? 1 : 0;
                at++;
            } else {
                return true;
            }
        }
        return false;
    }

    private void next() {
        char c = text.charAt(at);
        if (c == '"') {
            int end = text.indexOf('"', at + 1);
            if (end < 0) {
                throw error("a string that does not end");
            }
            add(Token.Kind.STRING, text.substring(at + 1, end));
            at = end + 1;
        } else if (c == '.' && at + 1 < text.length() && isWordPart(text.charAt(at + 1))) {
            int from = at++;
            skipModifier();
            add(Token.Kind.DOTTED, text.substring(from, at));
        } else if (Character.isDigit(c)) {
            int from = at;
            skipNumber();
            add(Token.Kind.NUMBER, text.substring(from, at));
        } else if (isWordPart(c) || c == '%') {
            int from = at++;
            skipWord();
            // A special register's part belongs to its name.
            if (c == '%'
                    && at + 1 < text.length()
                    && text.charAt(at) == '.'
                    && "xyzw".indexOf(text.charAt(at + 1)) >= 0) {
                boolean ends = at + 2 >= text.length() || !isWordPart(text.charAt(at + 2));
                at += ends ? 2 : 0;
            }
            add(Token.Kind.WORD, text.substring(from, at));
        } else if (MARKS.indexOf(c) >= 0) {
            at++;
            add(Token.Kind.MARK, String.valueOf(c));
        } else {
            throw error("a character that PTX does not have: '%s'".formatted(c));
        }
    }

    private void skipWord() {
        while (at < text.length() && isWordPart(text.charAt(at))) {
            at++;
        }
    }

    /// `.mbarrier::complete_tx::bytes` is one word.
    private void skipModifier() {
        skipWord();
        while (text.startsWith("::", at)) {
            at += 2;
            skipWord();
        }
    }

    private void skipNumber() {
        boolean isPlain = !text.startsWith("0x", at) && !text.startsWith("0X", at);
        while (at < text.length()) {
            char c = text.charAt(at);
            boolean isExponent = isPlain && (c == '+' || c == '-') && "eE".indexOf(text.charAt(at - 1)) >= 0;
            if (!isWordPart(c) && !(isPlain && c == '.') && !isExponent) {
                return;
            }
            at++;
        }
    }

    private static boolean isWordPart(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$';
    }

    private void add(Token.Kind kind, String word) {
        tokens.add(new Token(kind, word, line));
    }

    private PtxFault error(String what) {
        return new PtxFault(PtxFault.Kind.SYNTAX, line, "", "line %d: %s.".formatted(line, what));
    }
}
