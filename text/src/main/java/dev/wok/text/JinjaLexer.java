package dev.wok.text;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Cuts a template into tokens the way Jinja does with `trim_blocks` and `lstrip_blocks`, which is how transformers
/// reads chat templates: the line end after a tag goes, the blanks before a tag that begins a line go, `-` eats all
/// white space, `+` keeps it.
final class JinjaLexer {
    private static final Pattern BEGIN = Pattern.compile("\\{([%{#])([-+]?)");
    private static final Pattern RAW = Pattern.compile("\\s*raw\\s*(-%\\}\\s*|%\\})");
    private static final Pattern RAW_END = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(?:\\+%\\}|-%\\}\\s*|%\\}\\n?)");
    private static final Pattern COMMENT_END = Pattern.compile("\\+#\\}|-#\\}\\s*|#\\}\\n?");
    private static final Pattern TAG_END = Pattern.compile("\\+%\\}|-%\\}\\s*|%\\}\\n?");
    private static final Pattern PRINT_END = Pattern.compile("-\\}\\}\\s*|\\}\\}");
    private static final Pattern WORD = Pattern.compile(
            "(?<space>\\s+)"
                    + "|(?<float>\\d(?:_?\\d)*(?:\\.\\d(?:_?\\d)*(?:[eE][+-]?\\d(?:_?\\d)*)?|[eE][+-]?\\d(?:_?\\d)*))"
                    + "|(?<integer>\\d(?:_?\\d)*)"
                    + "|(?<name>[\\p{L}\\p{Nl}_][\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}]*)"
                    + "|(?<string>'[^'\\\\]*+(?:\\\\.[^'\\\\]*+)*+'|\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\")"
                    + "|(?<operator>//|\\*\\*|==|!=|>=|<=|[-+*/%~\\[\\](){}<>=.:|,;])",
            Pattern.DOTALL);

    private final String source;
    private final List<JinjaToken> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private boolean lineStarts = true;

    private JinjaLexer(String source) {
        this.source = source;
    }

    /// @throws JinjaError where the template is malformed
    static List<JinjaToken> cut(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        JinjaLexer lexer = new JinjaLexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        Matcher begin = BEGIN.matcher(source);
        while (at < source.length()) {
            if (!begin.find(at)) {
                text(source.substring(at));
                at = source.length();
                break;
            }
            char kind = begin.group(1).charAt(0);
            String before = source.substring(at, begin.start());
            text(trimmed(before, begin.group(2), kind != '{'));
            advance(begin.end());
            switch (kind) {
                case '#' -> comment();
                case '%' -> {
                    if (!raw()) {
                        expression(JinjaToken.Kind.TAG_BEGIN, JinjaToken.Kind.TAG_END, TAG_END);
                    }
                }
                default -> expression(JinjaToken.Kind.PRINT_BEGIN, JinjaToken.Kind.PRINT_END, PRINT_END);
            }
        }
        add(JinjaToken.Kind.END, "");
    }

    private String trimmed(String text, String sign, boolean tag) {
        if (sign.equals("-")) {
            return text.stripTrailing();
        }
        int lineBegin = text.lastIndexOf('\n') + 1;
        boolean atLineBegin = lineBegin > 0 || lineStarts;
        if (tag && sign.isEmpty() && atLineBegin && text.substring(lineBegin).isBlank()) {
            return text.substring(0, lineBegin);
        }
        return text;
    }

    private void text(String text) {
        if (!text.isEmpty()) {
            add(JinjaToken.Kind.TEXT, text);
        }
    }

    private void add(JinjaToken.Kind kind, String text) {
        tokens.add(new JinjaToken(kind, text, line));
    }

    private void advance(int to) {
        for (int i = at; i < to; i++) {
            line += source.charAt(i) == '\n' ? 1 : 0;
        }
        lineStarts = to > 0 && source.charAt(to - 1) == '\n';
        at = to;
    }

    private void comment() {
        Matcher end = COMMENT_END.matcher(source);
        if (!end.find(at)) {
            throw new JinjaError("a comment without its end", line);
        }
        advance(end.end());
    }

    private boolean raw() {
        Matcher begin = RAW.matcher(source).region(at, source.length());
        if (!begin.lookingAt()) {
            return false;
        }
        advance(begin.end());
        Matcher end = RAW_END.matcher(source);
        if (!end.find(at)) {
            throw new JinjaError("'raw' without 'endraw'", line);
        }
        text(trimmed(source.substring(at, end.start()), end.group(1), true));
        advance(end.end());
        return true;
    }

    private void expression(JinjaToken.Kind first, JinjaToken.Kind last, Pattern end) {
        add(first, "");
        Deque<String> open = new ArrayDeque<>();
        Matcher closing = end.matcher(source);
        Matcher word = WORD.matcher(source);
        while (true) {
            if (open.isEmpty() && closing.region(at, source.length()).lookingAt()) {
                add(last, "");
                advance(closing.end());
                return;
            }
            if (!word.region(at, source.length()).lookingAt()) {
                throw new JinjaError(
                        at == source.length()
                                ? "a tag without its end"
                                : "the character " + source.substring(at, at + 1),
                        line);
            }
            if (word.group("operator") != null) {
                balance(open, word.group());
                add(JinjaToken.Kind.OPERATOR, word.group());
            } else if (word.group("name") != null) {
                add(JinjaToken.Kind.NAME, word.group());
            } else if (word.group("string") != null) {
                add(
                        JinjaToken.Kind.STRING,
                        unescape(word.group().substring(1, word.group().length() - 1)));
            } else if (word.group("integer") != null) {
                add(JinjaToken.Kind.INTEGER, word.group().replace("_", ""));
            } else if (word.group("float") != null) {
                add(JinjaToken.Kind.FLOAT, word.group().replace("_", ""));
            }
            advance(word.end());
        }
    }

    private void balance(Deque<String> open, String operator) {
        switch (operator) {
            case "(" -> open.push(")");
            case "[" -> open.push("]");
            case "{" -> open.push("}");
            case ")", "]", "}" -> {
                if (open.isEmpty() || !open.pop().equals(operator)) {
                    throw new JinjaError("an unexpected '" + operator + "'", line);
                }
            }
            default -> {}
        }
    }

    /// Python's escapes; what is none stays with its backslash.
    private String unescape(String s) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c != '\\') {
                out.append(c);
                continue;
            }
            char e = s.charAt(++i);
            int digits = switch (e) {
                case 'x' -> 2;
                case 'u' -> 4;
                case 'U' -> 8;
                default -> 0;
            };
            if (digits > 0) {
                out.appendCodePoint(hex(s, i + 1, digits));
                i += digits;
            } else if (e >= '0' && e <= '7') {
                int value = 0;
                int n = 0;
                while (n < 3 && i + n < s.length() && s.charAt(i + n) >= '0' && s.charAt(i + n) <= '7') {
                    value = 8 * value + s.charAt(i + n++) - '0';
                }
                out.appendCodePoint(value);
                i += n - 1;
            } else if (e != '\n') {
                int known = "abfnrtv\\'\"".indexOf(e);
                out.append(known < 0 ? "\\" + e : String.valueOf("\u0007\b\f\n\r\t\u000B\\'\"".charAt(known)));
            }
        }
        return out.toString();
    }

    private int hex(String s, int from, int digits) {
        try {
            int value = Integer.parseInt(s.substring(from, from + digits), 16);
            if (Character.isValidCodePoint(value)) {
                return value;
            }
        } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
            throw new JinjaError("a malformed escape in a string", line, e);
        }
        throw new JinjaError("an escape beyond Unicode in a string", line);
    }
}
