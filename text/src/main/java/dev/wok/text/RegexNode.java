package dev.wok.text;

import java.util.List;

/// One step of a compiled expression; it knows what comes after it.
abstract class RegexNode {

    /// How often a search may still go back and try another way: some expressions have more ways than time.
    static final class Tries {
        private final Regex regex;
        private long left;

        Tries(Regex regex, long most) {
            this.regex = regex;
            this.left = most;
        }

        void failed() {
            if (--left < 0) {
                throw regex.tooManyTries();
            }
        }
    }

    /// The end of the expression.
    static final RegexNode ACCEPT = new RegexNode() {
        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            return at;
        }
    };

    /// @param t the text
    /// @param at where to match
    /// @param from begin of what may be seen
    /// @param to end of what may be seen
    /// @param tries counts what did not match
    /// @return the end of the whole match from here on, or -1
    abstract int match(char[] t, int at, int from, int to, Tries tries);

    static boolean isPair(char[] t, int at, int to) {
        return Character.isHighSurrogate(t[at]) && at + 1 < to && Character.isLowSurrogate(t[at + 1]);
    }

    /// @return the place some characters before another, or one before `from` where there are not as many
    static int back(char[] t, int at, int characters, int from) {
        int p = at;
        for (int i = 0; i < characters; i++) {
            if (p == from) {
                return from - 1;
            }
            p -= p - 2 >= from && Character.isSurrogatePair(t[p - 2], t[p - 1]) ? 2 : 1;
        }
        return p;
    }

    static RegexNode compile(RegexPart part, RegexNode next) {
        return switch (part) {
            case RegexPart.One(CharSet set) -> new Run(set, 1, 1, RegexPart.Mode.GREEDY, next);
            case RegexPart.Row(List<RegexPart> parts) -> {
                RegexNode node = next;
                for (RegexPart p : parts.reversed()) {
                    node = compile(p, node);
                }
                yield node;
            }
            case RegexPart.Either(List<RegexPart> parts) ->
                new Branch(parts.stream().map(p -> compile(p, next)).toArray(RegexNode[]::new));
            case RegexPart.Repeat(RegexPart.One(CharSet set), int min, int max, RegexPart.Mode mode) ->
                new Run(set, min, max, mode, next);
            case RegexPart.Repeat repeat -> repeat(repeat, next);
            case RegexPart.Atomic(RegexPart inner) -> new Atomic(compile(inner, ACCEPT), next);
            case RegexPart.Look(RegexPart inner, boolean ahead, boolean wanted) ->
                new Look(compile(inner, ACCEPT), ahead ? -1 : inner.fixedLength(), wanted, next);
            case RegexPart.At(RegexPart.Place place) -> new At(place, next);
        };
    }

    private static RegexNode repeat(RegexPart.Repeat repeat, RegexNode next) {
        boolean greedy = repeat.mode() == RegexPart.Mode.GREEDY;
        if (repeat.part().fixedLength() > 0) {
            return new FixedLoop(repeat, next);
        }
        RegexNode node;
        if (repeat.max() == RegexPart.UNLIMITED) {
            Loop loop = new Loop(greedy, next);
            loop.body = compile(repeat.part(), loop);
            node = loop;
        } else {
            node = next;
            for (int i = repeat.min(); i < repeat.max(); i++) {
                RegexNode once = compile(repeat.part(), node);
                node = new Branch(greedy ? new RegexNode[] {once, next} : new RegexNode[] {next, once});
            }
        }
        for (int i = 0; i < repeat.min(); i++) {
            node = compile(repeat.part(), node);
        }
        return node;
    }

    /// Between `min` and `max` characters of one set.
    static final class Run extends RegexNode {
        static final Run NEVER = new Run(CharSet.NONE, 1, 1, RegexPart.Mode.GREEDY, ACCEPT);

        private final CharSet set;
        private final int min;
        private final int max;
        private final boolean greedy;
        private final RegexNode next;

        Run(CharSet set, int min, int max, RegexPart.Mode mode, RegexNode next) {
            this.set = set;
            this.min = min;
            this.max = max;
            this.greedy = mode == RegexPart.Mode.GREEDY;
            this.next = next;
        }

        /// Whether a failure at one character of the run means failure at the others: what could follow a shorter run
        /// could have followed the longer one.
        boolean skipsOnFailure() {
            return max == RegexPart.UNLIMITED;
        }

        /// @return where the set's characters end
        int reach(char[] t, int at, int to) {
            int p = at;
            while (p < to) {
                int step = step(t, p, to);
                if (step == 0) {
                    break;
                }
                p += step;
            }
            return p;
        }

        /// @return how many chars the next member of the set has, 0 where the next character is none
        private int step(char[] t, int p, int to) {
            char c = t[p];
            if (!Character.isSurrogate(c) || !isPair(t, p, to)) {
                return set.has(c) ? 1 : 0;
            }
            return set.contains(Character.toCodePoint(c, t[p + 1])) ? 2 : 0;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            int p = at;
            int n = 0;
            int first = greedy ? max : min;
            while (n < first && p < to) {
                int step = step(t, p, to);
                if (step == 0) {
                    break;
                }
                p += step;
                n++;
            }
            if (n < min) {
                return -1;
            }
            return greedy ? shrink(t, p, n, from, to, tries) : grow(t, p, n, from, to, tries);
        }

        private int shrink(char[] t, int longest, int count, int from, int to, Tries tries) {
            int p = longest;
            for (int n = count; ; n--) {
                int end = next.match(t, p, from, to, tries);
                if (end >= 0 || n == min) {
                    return end;
                }
                tries.failed();
                p = back(t, p, 1, from);
            }
        }

        private int grow(char[] t, int shortest, int count, int from, int to, Tries tries) {
            int p = shortest;
            for (int n = count; ; n++) {
                int end = next.match(t, p, from, to, tries);
                if (end >= 0 || n == max || p == to) {
                    return end;
                }
                tries.failed();
                int step = step(t, p, to);
                if (step == 0) {
                    return -1;
                }
                p += step;
            }
        }
    }

    private static final class Branch extends RegexNode {
        private final RegexNode[] branches;

        Branch(RegexNode[] branches) {
            this.branches = branches;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            for (RegexNode branch : branches) {
                int end = branch.match(t, at, from, to, tries);
                if (end >= 0) {
                    return end;
                }
                tries.failed();
            }
            return -1;
        }
    }

    /// A group whose matches all take the same number of characters, so that it matters only how many there are.
    private static final class FixedLoop extends RegexNode {
        private final RegexNode body;
        private final int length;
        private final int min;
        private final int max;
        private final boolean greedy;
        private final RegexNode next;

        FixedLoop(RegexPart.Repeat repeat, RegexNode next) {
            this.body = compile(repeat.part(), ACCEPT);
            this.length = repeat.part().fixedLength();
            this.min = repeat.min();
            this.max = repeat.max();
            this.greedy = repeat.mode() == RegexPart.Mode.GREEDY;
            this.next = next;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            int p = at;
            for (int n = 0; n < (greedy ? max : min); n++) {
                int end = body.match(t, p, from, to, tries);
                if (end < 0) {
                    return greedy && n >= min ? shrink(t, p, n, from, to, tries) : -1;
                }
                p = end;
            }
            return greedy ? shrink(t, p, max, from, to, tries) : grow(t, p, from, to, tries);
        }

        private int shrink(char[] t, int longest, int count, int from, int to, Tries tries) {
            int p = longest;
            for (int n = count; ; n--) {
                int end = next.match(t, p, from, to, tries);
                if (end >= 0 || n == min) {
                    return end;
                }
                tries.failed();
                p = back(t, p, length, from);
            }
        }

        private int grow(char[] t, int shortest, int from, int to, Tries tries) {
            int p = shortest;
            for (int n = min; ; n++) {
                int end = next.match(t, p, from, to, tries);
                if (end >= 0 || n == max) {
                    return end;
                }
                tries.failed();
                p = body.match(t, p, from, to, tries);
                if (p < 0) {
                    return -1;
                }
            }
        }
    }

    /// A group any number of times; the group is never empty.
    private static final class Loop extends RegexNode {
        private final boolean greedy;
        private final RegexNode next;
        private RegexNode body = ACCEPT;

        Loop(boolean greedy, RegexNode next) {
            this.greedy = greedy;
            this.next = next;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            int end = (greedy ? body : next).match(t, at, from, to, tries);
            if (end >= 0) {
                return end;
            }
            tries.failed();
            return (greedy ? next : body).match(t, at, from, to, tries);
        }
    }

    private static final class Atomic extends RegexNode {
        private final RegexNode inner;
        private final RegexNode next;

        Atomic(RegexNode inner, RegexNode next) {
            this.inner = inner;
            this.next = next;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            int end = inner.match(t, at, from, to, tries);
            return end < 0 ? -1 : next.match(t, end, from, to, tries);
        }
    }

    private static final class Look extends RegexNode {
        private final RegexNode inner;
        private final int back;
        private final boolean wanted;
        private final RegexNode next;

        /// @param back how many characters the inner part stands before this place, or -1 where it follows
        Look(RegexNode inner, int back, boolean wanted, RegexNode next) {
            this.inner = inner;
            this.back = back;
            this.wanted = wanted;
            this.next = next;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            return found(t, at, from, to, tries) == wanted ? next.match(t, at, from, to, tries) : -1;
        }

        private boolean found(char[] t, int at, int from, int to, Tries tries) {
            int p = back < 0 ? at : back(t, at, back, from);
            return p >= from && inner.match(t, p, from, to, tries) >= 0;
        }
    }

    private static final class At extends RegexNode {
        private final RegexPart.Place place;
        private final RegexNode next;

        At(RegexPart.Place place, RegexNode next) {
            this.place = place;
            this.next = next;
        }

        @Override
        int match(char[] t, int at, int from, int to, Tries tries) {
            boolean here = switch (place) {
                case LINE_BEGIN -> at == from || (t[at - 1] == '\n' && at < to);
                case LINE_END -> at == to || t[at] == '\n';
                case TEXT_BEGIN -> at == from;
                case TEXT_END -> at == to;
            };
            return here ? next.match(t, at, from, to, tries) : -1;
        }
    }
}
