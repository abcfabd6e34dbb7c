package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The words of an instruction and the order they come in, such as `fma.{rn,rz}[.ftz].{T=f32,f64}`:
/// words, choices of words that may have a name, parts in brackets that may be missing, and choices
/// of parts in parentheses, `(.a.b|.c)`. A word `m64n<8..256/8>k16` stands for as many as there are
/// multiples of 8.
record Modifiers(List<Part> parts) {
    sealed interface Part {}

    /// @param name what operands call the word that was chosen, or null
    record Choice(@Nullable String name, List<Word> words) implements Part {}

    record Either(List<List<Part>> ways) implements Part {}

    /// @param text with `%d` for the number of a range
    /// @param last equal to `first` where there is none
    record Word(String text, int first, int last, int step) {
        private static final Pattern RANGE = Pattern.compile("(.*)<(\\d+)\\.\\.(\\d+)/(\\d+)>(.*)");

        static Word of(String text) {
            Matcher m = RANGE.matcher(text);
            return m.matches()
                    ? new Word(
                            m.group(1) + "%d" + m.group(5),
                            Integer.parseInt(m.group(2)),
                            Integer.parseInt(m.group(3)),
                            Integer.parseInt(m.group(4)))
                    : new Word(text, 0, 0, 1);
        }

        List<String> all() {
            List<String> all = new ArrayList<>();
            for (int i = first; i <= last; i += step) {
                all.add(text.formatted(i));
            }
            return all;
        }

        boolean is(String word) {
            return first == last ? text.equals(word) : all().contains(word);
        }
    }

    /// What a failed search saw: how many words it could read, and what it would have read next.
    static final class Trace {
        private final TreeSet<String> expected = new TreeSet<>();
        private int furthest;

        private void note(int at, String what) {
            if (at > furthest) {
                furthest = at;
                expected.clear();
            }
            if (at == furthest) {
                expected.add(what);
            }
        }

        /// @return such as `after fma comes .f32; expected .rm or .rn`
        String complaint(List<String> words) {
            String given = furthest < words.size() ? "." + words.get(furthest) : "the end";
            return "after %s comes %s; expected %s"
                    .formatted(
                            furthest == 0 ? "the beginning" : String.join(".", words.subList(0, furthest)),
                            given,
                            or(List.copyOf(expected)));
        }
    }

    static String or(List<String> all) {
        int last = all.size() - 1;
        return last < 1 ? String.join("", all) : String.join(", ", all.subList(0, last)) + " or " + all.get(last);
    }

    /// @return the first words, which instructions are called by
    List<String> names() {
        return ((Choice) parts.getFirst()).words().stream().map(Word::text).toList();
    }

    private record Rest(
            List<Part> parts, int from, @Nullable Rest then) {}

    /// @param words an instruction's, the first one its name
    /// @return the words that were chosen by their names, or null where it is another instruction
    @Nullable
    Map<String, String> match(List<String> words, Trace trace) {
        Map<String, String> chosen = new HashMap<>();
        return match(new Rest(parts, 0, null), words, 0, chosen, trace) ? chosen : null;
    }

    private static boolean match(
            @Nullable Rest rest, List<String> words, int at, Map<String, String> chosen, Trace trace) {
        if (rest == null) {
            if (at < words.size()) {
                trace.note(at, "the end");
            }
            return at == words.size();
        }
        if (rest.from == rest.parts.size()) {
            return match(rest.then, words, at, chosen, trace);
        }
        Rest next = new Rest(rest.parts, rest.from + 1, rest.then);
        return switch (rest.parts.get(rest.from)) {
            case Choice c -> {
                for (Word word : c.words) {
                    if (at < words.size() && word.is(words.get(at))) {
                        if (c.name != null) {
                            chosen.put(c.name, words.get(at));
                        }
                        yield match(next, words, at + 1, chosen, trace);
                    }
                    trace.note(at, "." + word.text.replace("%d", "*"));
                }
                yield false;
            }
            case Either e -> {
                for (List<Part> way : e.ways) {
                    if (match(new Rest(way, 0, next), words, at, chosen, trace)) {
                        yield true;
                    }
                }
                yield false;
            }
        };
    }

    static Modifiers parse(String text) {
        Parser parser = new Parser(text);
        List<Part> parts = parser.sequence();
        if (parser.at < text.length()) {
            throw parser.error();
        }
        return new Modifiers(parts);
    }

    private static final class Parser {
        private final String text;
        private int at;

        Parser(String text) {
            this.text = text;
        }

        List<Part> sequence() {
            List<Part> parts = new ArrayList<>();
            while (at < text.length() && "])|".indexOf(text.charAt(at)) < 0) {
                char c = text.charAt(at);
                switch (c) {
                    case '[' -> {
                        at++;
                        parts.add(new Either(List.of(sequence(), List.of())));
                        skip(']');
                    }
                    case '(' -> parts.add(either());
                    case '.' -> at++;
                    case '{' -> parts.add(choice());
                    default -> parts.add(new Choice(null, List.of(Word.of(word()))));
                }
            }
            return parts;
        }

        private Part either() {
            List<List<Part>> ways = new ArrayList<>();
            do {
                at++;
                ways.add(sequence());
            } while (at < text.length() && text.charAt(at) == '|');
            skip(')');
            return new Either(ways);
        }

        private Part choice() {
            int end = text.indexOf('}', at);
            String inside = text.substring(at + 1, end);
            at = end + 1;
            int named = inside.indexOf('=');
            String name = named < 0 ? null : inside.substring(0, named);
            List<Word> words = new ArrayList<>();
            for (String word : inside.substring(named + 1).split(",")) {
                words.add(Word.of(word));
            }
            return new Choice(name, words);
        }

        private String word() {
            int start = at;
            boolean inRange = false;
            while (at < text.length() && (inRange || ".[]()|{".indexOf(text.charAt(at)) < 0)) {
                inRange = text.charAt(at) == '<' || inRange && text.charAt(at) != '>';
                at++;
            }
            return text.substring(start, at);
        }

        private void skip(char expected) {
            if (at >= text.length() || text.charAt(at) != expected) {
                throw error();
            }
            at++;
        }

        IllegalStateException error() {
            return new IllegalStateException(
                    "the table of forms: cannot read %s from character %d".formatted(text, at));
        }
    }
}
