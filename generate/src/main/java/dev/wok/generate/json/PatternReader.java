package dev.wok.generate.json;

import dev.wok.generate.json.Pattern.Begin;
import dev.wok.generate.json.Pattern.Either;
import dev.wok.generate.json.Pattern.End;
import dev.wok.generate.json.Pattern.OneOf;
import dev.wok.generate.json.Pattern.Repeated;
import dev.wok.generate.json.Pattern.Sequence;
import java.util.ArrayList;
import java.util.List;

/// Reads regular expressions of ECMA-262 as with its flag "u": what automata can do of it.
final class PatternReader {
    private static final int LONGEST = 4000;
    private static final int DEEPEST = 40;
    private static final int END = -1;
    private static final String SYNTAX = "^$\\.*+?()[]{}|/";

    private final int[] text;
    private int at;
    private int depth;

    /// What a pattern is refused for.
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String what) {
            super(what);
        }
    }

    private PatternReader(String text) {
        this.text = text.codePoints().toArray();
    }

    static Pattern read(String text) throws Refused {
        if (text.length() > LONGEST) {
            throw new Refused("more than %d characters".formatted(LONGEST));
        }
        PatternReader reader = new PatternReader(text);
        Pattern pattern = reader.either();
        if (reader.at < reader.text.length) {
            throw new Refused("a ')' without its '('");
        }
        return pattern;
    }

    private int peek() {
        return at < text.length ? text[at] : END;
    }

    private boolean taken(String word) {
        for (int i = 0; i < word.length(); i++) {
            if (at + i >= text.length || text[at + i] != word.charAt(i)) {
                return false;
            }
        }
        at += word.length();
        return true;
    }

    private int take() throws Refused {
        if (at == text.length) {
            throw new Refused("an end where more is expected");
        }
        return text[at++];
    }

    private Pattern either() throws Refused {
        List<Pattern> choices = new ArrayList<>();
        do {
            choices.add(sequence());
        } while (taken("|"));
        return choices.size() == 1 ? choices.getFirst() : new Either(choices);
    }

    private Pattern sequence() throws Refused {
        List<Pattern> parts = new ArrayList<>();
        while (peek() != END && peek() != '|' && peek() != ')') {
            boolean edge = peek() == '^' || peek() == '$';
            Pattern part = atom();
            parts.add(edge ? part : repeated(part));
        }
        return parts.size() == 1 ? parts.getFirst() : new Sequence(parts);
    }

    private Pattern repeated(Pattern part) throws Refused {
        int least;
        int most;
        if (taken("*")) {
            least = 0;
            most = Repeated.MANY;
        } else if (taken("+")) {
            least = 1;
            most = Repeated.MANY;
        } else if (taken("?")) {
            least = 0;
            most = 1;
        } else if (taken("{")) {
            least = number();
            most = !taken(",") ? least : peek() == '}' ? Repeated.MANY : number();
            if (!taken("}") || most < least) {
                throw new Refused("a '{' that is no count");
            }
        } else {
            return part;
        }
        taken("?");
        return new Repeated(part, least, most);
    }

    private int number() throws Refused {
        int from = at;
        long value = 0;
        while (peek() >= '0' && peek() <= '9') {
            value = Math.min(Repeated.MANY - 1L, 10 * value + take() - '0');
        }
        if (at == from) {
            throw new Refused("a '{' that is no count");
        }
        return (int) value;
    }

    private Pattern atom() throws Refused {
        int c = take();
        return switch (c) {
            case '^' -> new Begin();
            case '$' -> new End();
            case '.' -> new OneOf(CodePoints.DOT);
            case '(' -> group();
            case '[' -> new OneOf(set());
            case '\\' -> new OneOf(escape(false));
            case '*', '+', '?', '{', '}', ']' ->
                throw new Refused("a '%s' that stands alone".formatted(Character.toString(c)));
            default -> new OneOf(CodePoints.of(c, c));
        };
    }

    private Pattern group() throws Refused {
        if (taken("?=") || taken("?!")) {
            throw new Refused("a lookahead");
        }
        if (taken("?<=") || taken("?<!")) {
            throw new Refused("a lookbehind");
        }
        if (taken("?<")) {
            while (take() != '>') {
                if (peek() != '>' && peek() != '_' && !Character.isLetterOrDigit(peek())) {
                    throw new Refused("a group's name that is none");
                }
            }
        } else if (!taken("?:") && peek() == '?') {
            throw new Refused("a group with flags");
        }
        if (++depth > DEEPEST) {
            throw new Refused("groups nested deeper than %d".formatted(DEEPEST));
        }
        Pattern inner = either();
        depth--;
        if (!taken(")")) {
            throw new Refused("a '(' without its ')'");
        }
        return inner;
    }

    private CodePoints set() throws Refused {
        boolean not = taken("^");
        CodePoints set = new CodePoints(List.of());
        while (!taken("]")) {
            CodePoints first = member();
            if (peek() == '-' && at + 1 < text.length && text[at + 1] != ']') {
                at++;
                set = set.or(range(first, member()));
            } else {
                set = set.or(first);
            }
        }
        return not ? set.not() : set;
    }

    private static CodePoints range(CodePoints first, CodePoints last) throws Refused {
        int from = single(first);
        int to = single(last);
        if (from > to) {
            throw new Refused("a range from high to low");
        }
        return CodePoints.of(from, to);
    }

    private static int single(CodePoints set) throws Refused {
        CodePoints.Range range = set.ranges().getFirst();
        if (set.ranges().size() > 1 || range.first() != range.last()) {
            throw new Refused("a range between sets");
        }
        return range.first();
    }

    private CodePoints member() throws Refused {
        int c = take();
        return c == '\\' ? escape(true) : CodePoints.of(c, c);
    }

    private CodePoints escape(boolean inSet) throws Refused {
        int c = take();
        return switch (c) {
            case 'd' -> CodePoints.DIGIT;
            case 'D' -> CodePoints.DIGIT.not();
            case 'w' -> CodePoints.WORD;
            case 'W' -> CodePoints.WORD.not();
            case 's' -> CodePoints.SPACE;
            case 'S' -> CodePoints.SPACE.not();
            case 'p', 'P' -> throw new Refused("a Unicode property \\" + Character.toString(c));
            case 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> throw new Refused("a back reference");
            default -> {
                int character = character(c, inSet);
                yield CodePoints.of(character, character);
            }
        };
    }

    private int character(int c, boolean inSet) throws Refused {
        return switch (c) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 'f' -> '\f';
            case 'v' -> 0x0B;
            case '0' -> {
                if (peek() >= '0' && peek() <= '9') {
                    throw new Refused("an octal escape");
                }
                yield 0;
            }
            case 'x' -> hex(2);
            case 'u' -> unicode();
            case 'c' -> {
                int letter = take();
                if (letter > 'z' || !Character.isLetter(letter)) {
                    throw new Refused("an escape \\c without a letter");
                }
                yield letter % 32;
            }
            case 'b' -> {
                if (!inSet) {
                    throw new Refused("a word boundary \\b");
                }
                yield '\b';
            }
            default -> {
                if (c == 'B' || SYNTAX.indexOf(c) < 0 && c != '-') {
                    throw new Refused("an escape \\" + Character.toString(c));
                }
                yield c;
            }
        };
    }

    private int unicode() throws Refused {
        if (taken("{")) {
            int value = 0;
            while (!taken("}")) {
                value = 16 * value + hex(1);
                if (value > CodePoints.LAST) {
                    throw new Refused("an escape \\u beyond Unicode");
                }
            }
            return value;
        }
        int value = hex(4);
        if (value >= Character.MIN_HIGH_SURROGATE && value <= Character.MAX_HIGH_SURROGATE && taken("\\u")) {
            int low = hex(4);
            if (!Character.isLowSurrogate((char) low)) {
                throw new Refused("half a surrogate pair");
            }
            return Character.toCodePoint((char) value, (char) low);
        }
        return value;
    }

    private int hex(int digits) throws Refused {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int c = take();
            int digit = c < 128 ? Character.digit(c, 16) : -1;
            if (digit < 0) {
                throw new Refused("an escape without its hexadecimal digits");
            }
            value = 16 * value + digit;
        }
        return value;
    }
}
