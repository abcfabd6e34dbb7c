package dev.wok.tune;

import dev.wok.tune.JudgeType.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Which method a submission is to have. The process that judges has this class too.
///
/// @param result null where it returns nothing: what it left in its first argument is judged then
/// @param name of the method
/// @param parameters their types
record JudgeSignature(@Nullable JudgeType result, String name, List<JudgeType> parameters) {
    private static final Pattern TOKEN = Pattern.compile("\\s*([A-Za-z_$][\\w$.]*|\\.\\.\\.|[<>,()\\[\\];])\\s*");
    private static final Set<String> MODIFIERS = Set.of("public", "private", "protected", "static", "final");
    private static final int DEEPEST = 6;

    /// @param text such as `List<String> words(String text, int longest)`; names of parameters may
    ///     be left out
    /// @throws IllegalArgumentException where it is no signature of types that can be judged; the
    ///     message says why
    static JudgeSignature parse(String text) {
        return new Parser(text).signature();
    }

    /// @return the type that is judged
    JudgeType judged() {
        return result == null ? parameters.getFirst() : result;
    }

    @Override
    public String toString() {
        return (result == null ? "void" : result) + " " + name + "("
                + String.join(", ", parameters.stream().map(JudgeType::toString).toList())
                + ")";
    }

    private static final class Parser {
        private final String text;
        private final List<String> tokens = new ArrayList<>();
        private int next;

        Parser(String text) {
            this.text = text;
            Matcher matcher = TOKEN.matcher(text);
            int at = 0;
            while (matcher.find(at) && matcher.start() == at) {
                tokens.add(matcher.group(1));
                at = matcher.end();
            }
            if (at < text.length()) {
                throw wrong("'%s' is not understood".formatted(text.substring(at)));
            }
            tokens.removeIf(MODIFIERS::contains);
            tokens.removeIf(";"::equals);
        }

        JudgeSignature signature() {
            JudgeType result = accept("void") ? null : type(0);
            String name = word();
            expect("(");
            List<JudgeType> parameters = new ArrayList<>();
            while (!accept(")")) {
                if (!parameters.isEmpty()) {
                    expect(",");
                }
                JudgeType type = type(0);
                parameters.add(accept("...") ? arrayOf(type) : type);
                next += isWord() ? 1 : 0;
            }
            if (next < tokens.size()) {
                throw wrong("'%s' comes after its end".formatted(tokens.get(next)));
            }
            if (result == null && parameters.isEmpty()) {
                throw wrong("it neither takes nor returns anything");
            }
            return new JudgeSignature(result, name, List.copyOf(parameters));
        }

        private JudgeType type(int depth) {
            if (depth > DEEPEST) {
                throw wrong("its types are nested deeper than " + DEEPEST);
            }
            String full = word();
            JudgeType type = named(full.substring(full.lastIndexOf('.') + 1), depth);
            while (accept("[")) {
                expect("]");
                type = arrayOf(type);
            }
            return type;
        }

        private JudgeType named(String name, int depth) {
            return switch (name) {
                case "int" -> leaf(Kind.INT, false);
                case "Integer" -> leaf(Kind.INT, true);
                case "long" -> leaf(Kind.LONG, false);
                case "Long" -> leaf(Kind.LONG, true);
                case "double" -> leaf(Kind.DOUBLE, false);
                case "Double" -> leaf(Kind.DOUBLE, true);
                case "boolean" -> leaf(Kind.BOOLEAN, false);
                case "Boolean" -> leaf(Kind.BOOLEAN, true);
                case "char" -> leaf(Kind.CHAR, false);
                case "Character" -> leaf(Kind.CHAR, true);
                case "String" -> leaf(Kind.STRING, true);
                case "List" -> generic(Kind.LIST, 1, depth);
                case "Set" -> generic(Kind.SET, 1, depth);
                case "Map" -> generic(Kind.MAP, 2, depth);
                default ->
                    throw wrong("%s is none of int, long, double, boolean, char, their classes, String, List, Set, Map"
                            .formatted(name));
            };
        }

        private JudgeType generic(Kind kind, int count, int depth) {
            expect("<");
            List<JudgeType> parts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                if (i > 0) {
                    expect(",");
                }
                JudgeType part = type(depth + 1);
                if (!part.isReference()) {
                    throw wrong("a %s holds no %s".formatted(kind == Kind.MAP ? "Map" : "List or Set", part));
                }
                parts.add(part);
            }
            expect(">");
            if (kind == Kind.MAP && !parts.getFirst().isLeaf()) {
                throw wrong("the keys of a Map are to be texts or numbers");
            }
            return new JudgeType(kind, true, List.copyOf(parts));
        }

        private static JudgeType leaf(Kind kind, boolean boxed) {
            return new JudgeType(kind, boxed, List.of());
        }

        private static JudgeType arrayOf(JudgeType element) {
            return new JudgeType(Kind.ARRAY, true, List.of(element));
        }

        private boolean accept(String token) {
            if (next < tokens.size() && tokens.get(next).equals(token)) {
                next++;
                return true;
            }
            return false;
        }

        private void expect(String token) {
            if (!accept(token)) {
                throw wrong("'%s' is missing".formatted(token));
            }
        }

        private boolean isWord() {
            return next < tokens.size()
                    && Character.isJavaIdentifierStart(tokens.get(next).charAt(0));
        }

        private String word() {
            if (!isWord()) {
                throw wrong("a name or type is missing");
            }
            return tokens.get(next++);
        }

        private IllegalArgumentException wrong(String why) {
            return new IllegalArgumentException("the signature '%s' cannot be judged: %s".formatted(text, why));
        }
    }
}
