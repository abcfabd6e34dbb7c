package dev.wok.text;

import dev.wok.notice.BadInput;

/// A regular expression over UTF-16 text, as the Hugging Face library (Oniguruma, Ruby syntax) reads
/// it: leftmost match, alternatives in order, backtracking, every `\p`, `\s` and class in full
/// Unicode, `^` and `$` at line ends.
///
/// Tokenizers split text with short patterns of character classes. Those run here several times as fast as in
/// `java.util.regex`: a class is a bitmap, a repeated class one loop, and the first character chooses which
/// alternatives to try at all.
final class Regex {
    private static final int ASCII = 128;
    private static final int MAX_BRANCHES = 31;
    private static final long TRIES = 1_000_000;
    private static final long TRIES_PER_CHAR = 1_000;

    private final String pattern;
    private final RegexNode[] branches;
    private final CharSet[] firsts;
    private final int[] byAscii = new int[ASCII];
    /// Which chars a match may begin with; surrogates of pairs included.
    private final CharSet begins;
    private final RegexNode.Run leadingRun;

    private Regex(String pattern, RegexPart root) {
        this.pattern = pattern;
        RegexPart[] parts =
                root instanceof RegexPart.Either either && either.parts().size() <= MAX_BRANCHES
                        ? either.parts().toArray(RegexPart[]::new)
                        : new RegexPart[] {root};
        branches = new RegexNode[parts.length];
        firsts = new CharSet[parts.length];
        for (int i = 0; i < parts.length; i++) {
            branches[i] = RegexNode.compile(parts[i], RegexNode.ACCEPT);
            firsts[i] = parts[i].first();
            for (int c = 0; c < ASCII; c++) {
                byAscii[c] |= firsts[i].contains(c) ? 1 << i : 0;
            }
        }
        CharSet all = CharSet.NONE;
        for (CharSet first : firsts) {
            all = all.or(first);
        }
        begins = all.or(CharSet.range(Character.MIN_SURROGATE, Character.MAX_SURROGATE));
        leadingRun = branches.length == 1 && branches[0] instanceof RegexNode.Run run && run.skipsOnFailure()
                ? run
                : RegexNode.Run.NEVER;
    }

    /// @throws BadInput where the pattern is malformed or holds something that is not known here
    static Regex of(String pattern) {
        return new Regex(pattern, RegexParser.parse(pattern));
    }

    static Regex of(String name, RegexPart part) {
        return new Regex(name, part);
    }

    /// Finds the first match that begins at or after a position.
    ///
    /// @param at where to begin
    /// @param from begin of the text; nothing before it is seen
    /// @param to end of the text; nothing after it is seen
    /// @return begin << 32 | end, or -1
    long find(char[] text, int at, int from, int to) {
        RegexNode.Tries tries = new RegexNode.Tries(this, TRIES + TRIES_PER_CHAR * (to - at));
        try {
            int p = begins.next(text, at, to);
            while (p < to) {
                int end = matchAt(text, p, from, to, tries);
                if (end >= 0) {
                    return (long) p << 32 | end;
                }
                p = begins.next(text, afterFailure(text, p, to), to);
            }
            int end = atEnd(text, from, to, tries);
            return end < 0 ? -1 : (long) to << 32 | end;
        } catch (StackOverflowError e) {
            throw new BadInput(
                    "the regular expression %s repeats a group too often on this text; split the text into shorter pieces."
                            .formatted(OneLine.of(pattern)),
                    e);
        }
    }

    BadInput tooManyTries() {
        return new BadInput(
                "the regular expression %s matches this text in too many ways to try them all; split the text into shorter pieces."
                        .formatted(OneLine.of(pattern)));
    }

    private int afterFailure(char[] text, int p, int to) {
        int next = p + (RegexNode.isPair(text, p, to) ? 2 : 1);
        return leadingRun == RegexNode.Run.NEVER ? next : Math.max(next, leadingRun.reach(text, p, to));
    }

    private int matchAt(char[] text, int p, int from, int to, RegexNode.Tries tries) {
        char c = text[p];
        if (c >= ASCII) {
            return beyondAscii(text, p, from, to, tries);
        }
        for (int mask = byAscii[c]; mask != 0; mask &= mask - 1) {
            int end = branches[Integer.numberOfTrailingZeros(mask)].match(text, p, from, to, tries);
            if (end >= 0) {
                return end;
            }
        }
        return -1;
    }

    private int beyondAscii(char[] text, int p, int from, int to, RegexNode.Tries tries) {
        int c = RegexNode.isPair(text, p, to) ? Character.toCodePoint(text[p], text[p + 1]) : text[p];
        for (int i = 0; i < branches.length; i++) {
            if (firsts[i].contains(c)) {
                int end = branches[i].match(text, p, from, to, tries);
                if (end >= 0) {
                    return end;
                }
            }
        }
        return -1;
    }

    private int atEnd(char[] text, int from, int to, RegexNode.Tries tries) {
        for (RegexNode branch : branches) {
            int end = branch.match(text, to, from, to, tries);
            if (end >= 0) {
                return end;
            }
        }
        return -1;
    }

    @Override
    public String toString() {
        return pattern;
    }
}
