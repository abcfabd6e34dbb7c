package dev.wok.text;

import java.util.List;

/// Cuts text into words, within which tokens are then merged: a row of splitters, each of which cuts the pieces of the
/// one before.
final class PreTokenizer {

    /// What becomes of the matches of a splitter's pattern.
    enum Behavior {
        /// Each match and each gap is a piece.
        ISOLATED,
        /// Matches vanish.
        REMOVED,
        /// A match joins the gap before it.
        MERGED_WITH_PREVIOUS,
        /// A match joins the gap after it.
        MERGED_WITH_NEXT,
        /// Matches that touch each other are one piece.
        CONTIGUOUS
    }

    /// One splitter.
    sealed interface Step {}

    /// Cuts at the matches of a pattern, or with `invert` at what lies between them.
    record Split(Regex regex, Behavior behavior, boolean invert) implements Step {}

    /// Puts a blank before a piece that does not begin with one.
    record Prefix() implements Step {}

    private final Stage first;

    PreTokenizer(List<Step> steps) {
        Stage stage = new Last();
        for (Step step : steps.reversed()) {
            stage = switch (step) {
                case Split(Regex regex, Behavior behavior, boolean invert) ->
                    behavior == Behavior.ISOLATED
                            ? new Isolating(regex, stage)
                            : new Splitting(regex, behavior, invert, stage);
                case Prefix() -> new Prefixing(stage);
            };
        }
        this.first = stage;
    }

    /// Cuts a piece of text that is not empty.
    void split(char[] text, int from, int to, WordSink sink) {
        first.piece(text, from, to, sink);
    }

    private abstract static class Stage {
        abstract void piece(char[] text, int from, int to, WordSink sink);
    }

    private static final class Last extends Stage {
        @Override
        void piece(char[] text, int from, int to, WordSink sink) {
            sink.word(text, from, to);
        }
    }

    private static final class Prefixing extends Stage {
        private final Stage next;

        Prefixing(Stage next) {
            this.next = next;
        }

        @Override
        void piece(char[] text, int from, int to, WordSink sink) {
            if (text[from] == ' ') {
                next.piece(text, from, to, sink);
                return;
            }
            char[] longer = new char[to - from + 1];
            longer[0] = ' ';
            System.arraycopy(text, from, longer, 1, to - from);
            next.piece(longer, 0, longer.length, sink);
        }
    }

    private static final class Isolating extends Stage {
        private final Regex regex;
        private final Stage next;

        Isolating(Regex regex, Stage next) {
            this.regex = regex;
            this.next = next;
        }

        @Override
        void piece(char[] text, int from, int to, WordSink sink) {
            int done = from;
            int at = from;
            while (at < to) {
                long match = regex.find(text, at, from, to);
                if (match < 0) {
                    break;
                }
                int begin = (int) (match >>> 32);
                int end = (int) match;
                if (done < begin) {
                    next.piece(text, done, begin, sink);
                }
                if (begin < end) {
                    next.piece(text, begin, end, sink);
                }
                done = end;
                at = end > begin || end == to ? end : end + (RegexNode.isPair(text, end, to) ? 2 : 1);
            }
            if (done < to) {
                next.piece(text, done, to, sink);
            }
        }
    }

    /// Every behaviour; pieces wait until it is known whether the next one joins them.
    private static final class Splitting extends Stage {
        private final Regex regex;
        private final Behavior behavior;
        private final boolean invert;
        private final Stage next;

        Splitting(Regex regex, Behavior behavior, boolean invert, Stage next) {
            this.regex = regex;
            this.behavior = behavior;
            this.invert = invert;
            this.next = next;
        }

        @Override
        void piece(char[] text, int from, int to, WordSink sink) {
            Pending pending = new Pending(text, from, sink);
            int at = from;
            int lastEnd = -1;
            while (at <= to) {
                long match = regex.find(text, at, from, to);
                if (match < 0) {
                    break;
                }
                int begin = (int) (match >>> 32);
                int end = (int) match;
                if (begin == end && end == lastEnd) {
                    at = end + (end < to && RegexNode.isPair(text, end, to) ? 2 : 1);
                    continue;
                }
                if (pending.end < begin) {
                    pending.add(begin, invert);
                }
                pending.add(end, !invert);
                at = end;
                lastEnd = end;
            }
            if (pending.end < to) {
                pending.add(to, invert);
            }
            pending.flush();
        }

        private final class Pending {
            private final char[] text;
            private final WordSink sink;
            private int begin;
            private int end;
            private boolean some;
            private boolean previousMatch;

            Pending(char[] text, int from, WordSink sink) {
                this.text = text;
                this.sink = sink;
                this.begin = from;
                this.end = from;
            }

            void add(int to, boolean match) {
                boolean joins = some
                        && switch (behavior) {
                            case ISOLATED, REMOVED -> false;
                            case MERGED_WITH_PREVIOUS -> match && !previousMatch;
                            case MERGED_WITH_NEXT -> previousMatch && !match;
                            case CONTIGUOUS -> match == previousMatch;
                        };
                if (!joins) {
                    flush();
                    begin = end;
                }
                some = true;
                end = to;
                previousMatch = match;
            }

            void flush() {
                boolean removed = behavior == Behavior.REMOVED && previousMatch;
                if (some && !removed && begin < end) {
                    next.piece(text, begin, end, sink);
                }
            }
        }
    }
}
