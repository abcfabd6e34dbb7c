package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads a regular expression in Oniguruma's Ruby syntax, as far as tokenizers use it: classes (nested, negated,
/// intersected, POSIX), properties, groups, alternatives, greedy, lazy and possessive repetition, look-ahead,
/// look-behind of fixed length, atomic groups, ignored case. Named groups, back references, conditions and word
/// boundaries are refused by name.
final class RegexParser {
    private static final int MAX_REPEAT = 1000;
    private static final int MAX_DEPTH = 200;
    private static final int MAX_STEPS = 20_000;
    static final int MAX_LENGTH = 4_000;
    private static final int END = -1;

    private final String pattern;
    private final int[] source;
    /// A set takes kilobytes, and a long expression has the same characters again and again.
    private final Map<Integer, CharSet> literals = new HashMap<>();
    private int at;
    private int depth;

    private RegexParser(String pattern) {
        this.pattern = pattern;
        this.source = pattern.codePoints().toArray();
    }

    static RegexPart parse(String pattern) {
        RegexParser parser = new RegexParser(pattern);
        if (parser.source.length > MAX_LENGTH) {
            throw parser.refuse("more than %d characters".formatted(MAX_LENGTH));
        }
        RegexPart part = parser.alternatives(false);
        if (parser.at < parser.source.length) {
            throw parser.refuse("a ')' too many");
        }
        return part;
    }

    private BadInput refuse(String what) {
        return new BadInput(
                "the regular expression %s of the tokenizer has %s at character %d, which Wok does not read."
                        .formatted(OneLine.of(pattern), OneLine.of(what), at));
    }

    private int peek() {
        return at < source.length ? source[at] : END;
    }

    private int take() {
        if (at == source.length) {
            throw refuse("an unfinished end");
        }
        return source[at++];
    }

    private boolean accept(String expected) {
        for (int i = 0; i < expected.length(); i++) {
            if (at + i >= source.length || source[at + i] != expected.charAt(i)) {
                return false;
            }
        }
        at += expected.length();
        return true;
    }

    private RegexPart alternatives(boolean anyCase) {
        if (++depth > MAX_DEPTH) {
            throw refuse("groups nested too deeply");
        }
        List<RegexPart> alternatives = new ArrayList<>();
        List<RegexPart> row = new ArrayList<>();
        while (at < source.length && peek() != ')') {
            if (accept("|")) {
                alternatives.add(row(row));
                row = new ArrayList<>();
            } else if (accept("(?i)")) {
                // All that follows is a group of its own: a(?i)b|c is a(?i:b|c).
                row.add(alternatives(true));
            } else if (accept("(?-i)")) {
                row.add(alternatives(false));
            } else {
                row.add(repeated(atom(anyCase)));
            }
        }
        depth--;
        alternatives.add(row(row));
        return alternatives.size() == 1 ? alternatives.getFirst() : new RegexPart.Either(alternatives);
    }

    private static RegexPart row(List<RegexPart> parts) {
        return parts.size() == 1 ? parts.getFirst() : new RegexPart.Row(List.copyOf(parts));
    }

    private RegexPart repeated(RegexPart atom) {
        RegexPart part = atom;
        while (true) {
            int begin = at;
            int min;
            int max = RegexPart.UNLIMITED;
            boolean counted = false;
            if (accept("?")) {
                min = 0;
                max = 1;
            } else if (accept("*")) {
                min = 0;
            } else if (accept("+")) {
                min = 1;
            } else if (peek() == '{') {
                int @Nullable [] counts = counts();
                if (counts == null) {
                    return part;
                }
                min = counts[0];
                max = counts[1];
                counted = true;
            } else {
                return part;
            }
            if (part instanceof RegexPart.Look || part instanceof RegexPart.At) {
                at = begin;
                throw refuse("a repeated place");
            }
            if (part.canBeEmpty() && max > 1) {
                at = begin;
                throw refuse("a repetition of something that may be empty");
            }
            boolean exactly = counted && min == max;
            boolean lazy = !exactly && accept("?");
            boolean possessive = !lazy && !counted && accept("+");
            part = new RegexPart.Repeat(part, min, max, lazy ? RegexPart.Mode.LAZY : RegexPart.Mode.GREEDY);
            if (part.steps() > MAX_STEPS) {
                throw refuse("repetitions that multiply to more than %d steps".formatted(MAX_STEPS));
            }
            if (possessive) {
                part = new RegexPart.Atomic(part);
            }
        }
    }

    /// Reads `{n}`, `{n,}`, `{,m}` or `{n,m}`.
    ///
    /// @return null (and nothing read) where the brace is a plain character
    private int @Nullable [] counts() {
        int begin = at;
        at++;
        int min = number();
        int max = min;
        if (accept(",")) {
            max = number();
            if (min < 0 && max < 0) {
                at = begin;
                return null;
            }
            min = Math.max(min, 0);
            max = max < 0 ? RegexPart.UNLIMITED : max;
        }
        if (min < 0 || !accept("}")) {
            at = begin;
            return null;
        }
        if (min > MAX_REPEAT || (max != RegexPart.UNLIMITED && (max > MAX_REPEAT || max < min))) {
            throw refuse("a repetition of more than %d or with its limits swapped".formatted(MAX_REPEAT));
        }
        return new int[] {min, max};
    }

    private int number() {
        int begin = at;
        int value = 0;
        while (peek() >= '0' && peek() <= '9') {
            value = Math.min(10 * value + take() - '0', 10 * MAX_REPEAT);
        }
        return at == begin ? -1 : value;
    }

    private RegexPart atom(boolean fold) {
        if (peek() == '{' && counts() != null) {
            throw refuse("a repetition of nothing");
        }
        int c = take();
        return switch (c) {
            case '(' -> group(fold);
            case '[' -> new RegexPart.One(charClass(fold));
            case '.' -> new RegexPart.One(CharSet.of('\n').not());
            case '^' -> new RegexPart.At(RegexPart.Place.LINE_BEGIN);
            case '$' -> new RegexPart.At(RegexPart.Place.LINE_END);
            case '?', '*', '+' -> throw refuse("a repetition of nothing");
            case '\\' ->
                switch (peek()) {
                    case 'A' -> place(RegexPart.Place.TEXT_BEGIN);
                    case 'z' -> place(RegexPart.Place.TEXT_END);
                    // A property that stands alone keeps its case; one in a class does not.
                    case 'p', 'P' -> new RegexPart.One(escape(false));
                    default -> new RegexPart.One(escape(fold));
                };
            default -> new RegexPart.One(literal(c, fold));
        };
    }

    private RegexPart place(RegexPart.Place place) {
        at++;
        return new RegexPart.At(place);
    }

    private CharSet literal(int c, boolean fold) {
        return literals.computeIfAbsent(
                fold ? -c - 1 : c, _ -> fold ? CharSet.of(c).anyCase() : CharSet.of(c));
    }

    private RegexPart group(boolean fold) {
        RegexPart part;
        if (!accept("?")) {
            part = alternatives(fold);
        } else if (accept(":")) {
            part = alternatives(fold);
        } else if (accept("i:")) {
            part = alternatives(true);
        } else if (accept("-i:")) {
            part = alternatives(false);
        } else if (accept(">")) {
            part = new RegexPart.Atomic(alternatives(fold));
        } else if (accept("=")) {
            part = new RegexPart.Look(alternatives(fold), true, true);
        } else if (accept("!")) {
            part = new RegexPart.Look(alternatives(fold), true, false);
        } else if (accept("<=")) {
            part = behind(alternatives(fold), true);
        } else if (accept("<!")) {
            part = behind(alternatives(fold), false);
        } else {
            throw refuse("a group of an unknown kind (?" + (peek() == END ? "" : Character.toString(peek())));
        }
        if (!accept(")")) {
            throw refuse("a missing ')'");
        }
        return part;
    }

    private RegexPart behind(RegexPart part, boolean wanted) {
        if (part.fixedLength() < 0) {
            throw refuse("a look-behind of varying length");
        }
        return new RegexPart.Look(part, false, wanted);
    }

    /// Reads what follows a backslash.
    private CharSet escape(boolean fold) {
        int c = take();
        return switch (c) {
            case 's' -> CharSet.WHITE_SPACE;
            case 'S' -> CharSet.WHITE_SPACE.not();
            case 'd' -> named("digit");
            case 'D' -> named("digit").not();
            case 'w' -> named("word");
            case 'W' -> named("word").not();
            case 'h' -> named("xdigit");
            case 'H' -> named("xdigit").not();
            case 'p', 'P' -> property(c == 'P', fold);
            default -> literal(single(c), fold);
        };
    }

    /// @param c what followed the backslash
    /// @return the one character that the escape stands for
    private int single(int c) {
        return switch (c) {
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'f' -> '\f';
            case 'v' -> 0x0B;
            case 'a' -> 0x07;
            case 'e' -> 0x1B;
            case 'u' -> hex(4, 4);
            case 'x' -> {
                if (accept("{")) {
                    int value = hex(1, 8);
                    if (!accept("}")) {
                        throw refuse("a missing '}'");
                    }
                    yield value;
                }
                int value = hex(1, 2);
                if (value > 0x7F) {
                    throw refuse("a byte above 7F");
                }
                yield value;
            }
            default -> {
                if (c < 0x80 && Character.isLetterOrDigit(c)) {
                    at--;
                    throw refuse("the escape \\" + (char) c);
                }
                yield c;
            }
        };
    }

    private int hex(int min, int max) {
        int value = 0;
        int n = 0;
        while (n < max && at < source.length && Character.digit(source[at], 16) >= 0 && source[at] < 0x80) {
            value = 16 * value + Character.digit(take(), 16);
            n++;
        }
        if (n < min || !Character.isValidCodePoint(value)) {
            throw refuse("a malformed hexadecimal character");
        }
        return value;
    }

    private CharSet property(boolean negated, boolean fold) {
        if (!accept("{")) {
            throw refuse("a property without its '{'");
        }
        boolean not = accept("^") != negated;
        StringBuilder name = new StringBuilder();
        while (peek() != '}') {
            name.appendCodePoint(take());
        }
        at++;
        CharSet set = named(name.toString());
        set = fold ? set.anyCase() : set;
        return not ? set.not() : set;
    }

    private CharSet named(String name) {
        CharSet set = CharSet.named(name);
        if (set == null) {
            throw refuse("the property " + name);
        }
        return set;
    }

    /// Reads a class whose '[' is read already.
    private CharSet charClass(boolean fold) {
        if (++depth > MAX_DEPTH) {
            throw refuse("classes nested too deeply");
        }
        boolean negated = accept("^");
        CharSet all = null;
        List<CharSet> members = new ArrayList<>();
        boolean first = true;
        while (first || peek() != ']') {
            if (accept("&&")) {
                CharSet left = CharSet.merge(members);
                all = all == null ? left : all.and(left);
                members.clear();
            } else {
                members.add(member(fold));
            }
            first = false;
        }
        at++;
        depth--;
        CharSet right = CharSet.merge(members);
        CharSet set = all == null ? right : all.and(right);
        return negated ? set.not() : set;
    }

    private CharSet member(boolean fold) {
        int c = take();
        if (c == '[') {
            return peek() == ':' ? posix(fold) : charClass(fold);
        }
        if (c == '\\') {
            if ("sSdDwWhHpP".indexOf(peek()) >= 0) {
                return escape(fold);
            }
            int next = take();
            c = next == 'b' ? '\b' : single(next);
        }
        boolean range = peek() == '-' && at + 1 < source.length && source[at + 1] != ']';
        if (!range) {
            return literal(c, fold);
        }
        at++;
        int last = take();
        if (last == '[' || (last == '\\' && "sSdDwWhHpP".indexOf(peek()) >= 0)) {
            at--;
            return literal(c, fold).or(CharSet.of('-'));
        }
        last = last == '\\' ? single(take()) : last;
        if (last < c) {
            throw refuse("a range whose end is before its begin");
        }
        CharSet set = CharSet.range(c, last);
        return fold ? set.anyCase() : set;
    }

    private CharSet posix(boolean fold) {
        int begin = at;
        at++;
        boolean negated = accept("^");
        StringBuilder name = new StringBuilder();
        while (at < source.length && Character.isLetter(peek())) {
            name.appendCodePoint(take());
        }
        if (!accept(":]")) {
            at = begin;
            return charClass(fold);
        }
        CharSet set = named(name.toString());
        set = name.toString().equals("punct") ? set.or(named("S")) : set;
        set = fold ? set.anyCase() : set;
        return negated ? set.not() : set;
    }
}
