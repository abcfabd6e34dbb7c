package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// The methods of Python's strings, dicts and lists that templates call. Those that would change a list or dict are not
/// there: transformers renders templates in a sandbox that forbids them.
final class JinjaMethods {

    private JinjaMethods() {}

    /// @return the method, a [JinjaValues.Function], or an [JinjaValues.Undefined]
    static Object bind(Object on, String name) {
        JinjaWork.spend(on instanceof String s ? s.length() / 8 : 0);
        JinjaValues.Function method = switch (on) {
            case String s -> ofString(s, name);
            case Map<?, ?> map -> ofMap(map, name);
            case List<?> list -> ofList(list, name);
            default -> null;
        };
        return method == null
                ? new JinjaValues.Undefined("a %s has no '%s'".formatted(JinjaValues.typeName(on), name))
                : method;
    }

    private static JinjaValues.@Nullable Function ofMap(Map<?, ?> map, String name) {
        return switch (name) {
            case "items" ->
                (p, n) -> new ArrayList<Object>(map.entrySet().stream()
                        .map(e -> new JinjaValues.Tuple(List.of(e.getKey(), e.getValue())))
                        .toList());
            case "keys" -> (p, n) -> new ArrayList<Object>(map.keySet());
            case "values" -> (p, n) -> new ArrayList<Object>(map.values());
            case "copy" -> (p, n) -> new LinkedHashMap<Object, Object>(map);
            case "get" ->
                (p, n) -> {
                    JinjaArguments a = new JinjaArguments("get", p, n, "key", "default");
                    Object value = map.get(JinjaValues.key(a.get("key", JinjaValues.NONE)));
                    return value == null ? a.get("default", JinjaValues.NONE) : value;
                };
            default -> null;
        };
    }

    private static JinjaValues.@Nullable Function ofList(List<?> list, String name) {
        return switch (name) {
            case "copy" -> (p, n) -> new ArrayList<Object>(list);
            case "count" ->
                (p, n) -> list.stream()
                        .filter(v -> JinjaValues.equal(v, p.getFirst()))
                        .count();
            case "index" ->
                (p, n) -> {
                    for (int i = 0; i < list.size(); i++) {
                        if (JinjaValues.equal(list.get(i), p.getFirst())) {
                            return (long) i;
                        }
                    }
                    throw new JinjaError(JinjaValues.repr(p.getFirst()) + " is not in the list");
                };
            default -> null;
        };
    }

    private static JinjaValues.@Nullable Function ofString(String s, String name) {
        return switch (name) {
            case "upper" -> (p, n) -> s.toUpperCase(Locale.ROOT);
            case "lower" -> (p, n) -> s.toLowerCase(Locale.ROOT);
            case "capitalize" -> (p, n) -> capitalize(s);
            case "title" -> (p, n) -> title(s);
            case "strip" -> (p, n) -> strip(s, chars(name, p, n), true, true);
            case "lstrip" -> (p, n) -> strip(s, chars(name, p, n), true, false);
            case "rstrip" -> (p, n) -> strip(s, chars(name, p, n), false, true);
            case "split", "rsplit" ->
                (p, n) -> {
                    JinjaArguments a = new JinjaArguments(name, p, n, "sep", "maxsplit");
                    return new ArrayList<Object>(
                            split(s, a.get("sep", JinjaValues.NONE), a.number("maxsplit", -1), name.equals("rsplit")));
                };
            case "splitlines" ->
                (p, n) -> new ArrayList<Object>(lines(s, !p.isEmpty() && JinjaValues.truth(p.getFirst())));
            case "startswith" -> (p, n) -> affixes(name, p, n).stream().anyMatch(s::startsWith);
            case "endswith" -> (p, n) -> affixes(name, p, n).stream().anyMatch(s::endsWith);
            case "replace" ->
                (p, n) -> {
                    JinjaArguments a = new JinjaArguments(name, p, n, "old", "new", "count");
                    return replace(s, a.text("old"), a.text("new"), a.number("count", -1));
                };
            case "find", "rfind", "index" ->
                (p, n) -> {
                    String part = new JinjaArguments(name, p, n, "sub").text("sub");
                    JinjaWork.search(s, part);
                    int at = name.equals("rfind") ? s.lastIndexOf(part) : s.indexOf(part);
                    if (at < 0 && name.equals("index")) {
                        throw new JinjaError(JinjaValues.repr(part) + " is not in the text");
                    }
                    return at < 0 ? -1L : (long) s.codePointCount(0, at);
                };
            case "count" -> (p, n) -> count(s, new JinjaArguments(name, p, n, "sub").text("sub"));
            case "join" ->
                (p, n) -> join(
                        s,
                        JinjaValues.iterate(
                                        new JinjaArguments(name, p, n, "iterable").get("iterable", JinjaValues.NONE))
                                .stream()
                                .map(JinjaMethods::textOnly)
                                .toList());
            case "removeprefix" ->
                (p, n) -> {
                    String prefix = new JinjaArguments(name, p, n, "prefix").text("prefix");
                    return s.startsWith(prefix) ? s.substring(prefix.length()) : s;
                };
            case "removesuffix" ->
                (p, n) -> {
                    String suffix = new JinjaArguments(name, p, n, "suffix").text("suffix");
                    return s.endsWith(suffix) ? s.substring(0, s.length() - suffix.length()) : s;
                };
            case "isdigit" -> (p, n) -> all(s, Character::isDigit);
            case "isalpha" -> (p, n) -> all(s, Character::isLetter);
            case "isalnum" -> (p, n) -> all(s, c -> Character.isLetter(c) || CharSet.NUMERIC.contains(c));
            case "isspace" -> (p, n) -> all(s, JinjaMethods::isSpace);
            case "isupper" -> (p, n) -> s.equals(s.toUpperCase(Locale.ROOT)) && !s.equals(s.toLowerCase(Locale.ROOT));
            case "islower" -> (p, n) -> s.equals(s.toLowerCase(Locale.ROOT)) && !s.equals(s.toUpperCase(Locale.ROOT));
            case "ljust" -> (p, n) -> s + " ".repeat(padding(s, p, n));
            case "rjust" -> (p, n) -> " ".repeat(padding(s, p, n)) + s;
            case "zfill" ->
                (p, n) -> {
                    boolean signed = s.startsWith("-") || s.startsWith("+");
                    String zeros = "0".repeat(padding(s, p, n));
                    return signed ? s.charAt(0) + zeros + s.substring(1) : zeros + s;
                };
            default -> null;
        };
    }

    private static Object chars(String name, List<Object> plain, Map<String, Object> named) {
        return new JinjaArguments(name, plain, named, "chars").get("chars", JinjaValues.NONE);
    }

    private static int padding(String s, List<Object> plain, Map<String, Object> named) {
        long width = new JinjaArguments("padding", plain, named, "width").number("width", 0);
        return Math.clamp(width - s.codePointCount(0, s.length()), 0, 10_000);
    }

    private static List<String> affixes(String name, List<Object> plain, Map<String, Object> named) {
        Object affix = new JinjaArguments(name, plain, named, "affix").get("affix", JinjaValues.NONE);
        return affix instanceof JinjaValues.Tuple tuple
                ? tuple.stream().map(JinjaMethods::textOnly).toList()
                : List.of(textOnly(affix));
    }

    private static String textOnly(Object value) {
        return switch (value) {
            case String s -> s;
            case JinjaValues.Undefined undefined -> throw undefined.error();
            default -> throw new JinjaError("a " + JinjaValues.typeName(value) + " where text was due");
        };
    }

    private static boolean all(String s, IntPredicate test) {
        return !s.isEmpty() && s.codePoints().allMatch(test);
    }

    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || c == 0x85 || c == 0xA0 || c == 0x2007 || c == 0x202F;
    }

    static String capitalize(String s) {
        if (s.isEmpty()) {
            return s;
        }
        int first = s.offsetByCodePoints(0, 1);
        return Character.toString(Character.toTitleCase(s.codePointAt(0)))
                + s.substring(first).toLowerCase(Locale.ROOT);
    }

    private static String title(String s) {
        StringBuilder out = new StringBuilder();
        boolean inside = false;
        for (String c : JinjaValues.characters(s)) {
            boolean letter = Character.isLetter(c.codePointAt(0));
            out.append(letter && !inside ? c.toUpperCase(Locale.ROOT) : c.toLowerCase(Locale.ROOT));
            inside = letter;
        }
        return out.toString();
    }

    /// @param chars the characters to strip, or none for white space
    static String strip(String s, Object chars, boolean left, boolean right) {
        JinjaWork.search(s, chars instanceof String set ? set : "");
        IntPredicate goes = chars instanceof String set ? c -> set.indexOf(c) >= 0 : JinjaMethods::isSpace;
        int from = 0;
        int to = s.length();
        while (left && from < to && goes.test(s.codePointAt(from))) {
            from = s.offsetByCodePoints(from, 1);
        }
        while (right && to > from && goes.test(s.codePointBefore(to))) {
            to = s.offsetByCodePoints(to, -1);
        }
        return s.substring(from, to);
    }

    private static List<String> split(String s, Object separator, long max, boolean fromRight) {
        if (JinjaValues.isNone(separator)) {
            return splitAtSpace(s, max, fromRight);
        }
        String by = textOnly(separator);
        if (by.isEmpty()) {
            throw new JinjaError("a split by empty text");
        }
        JinjaWork.search(s, by);
        List<String> out = new ArrayList<>();
        int from = 0;
        int to = s.length();
        while (max < 0 || out.size() < max) {
            int at = fromRight ? s.lastIndexOf(by, to - by.length()) : s.indexOf(by, from);
            if (at < 0) {
                break;
            }
            add(out, fromRight ? s.substring(at + by.length(), to) : s.substring(from, at));
            from = fromRight ? from : at + by.length();
            to = fromRight ? at : to;
        }
        add(out, s.substring(from, to));
        return fromRight ? out.reversed() : out;
    }

    private static List<String> splitAtSpace(String s, long max, boolean fromRight) {
        List<String> out = new ArrayList<>();
        String rest = strip(s, JinjaValues.NONE, !fromRight, fromRight);
        int from = 0;
        int to = rest.length();
        while (from < to) {
            int begin = from;
            int end = to;
            boolean last = max >= 0 && out.size() >= max;
            if (fromRight && !last) {
                begin = passed(rest, to, from, false);
                to = passed(rest, begin, from, true);
            } else if (!last) {
                end = passed(rest, from, to, false);
                from = passed(rest, end, to, true);
            }
            add(out, rest.substring(begin, end));
            if (last) {
                break;
            }
        }
        return fromRight ? out.reversed() : out;
    }

    /// @return where from `at` towards `end` the white space, or what is none, has passed
    private static int passed(String s, int at, int end, boolean space) {
        int step = at < end ? 1 : -1;
        int p = at;
        while (p != end && isSpace(s.charAt(step > 0 ? p : p - 1)) == space) {
            p += step;
        }
        return p;
    }

    private static void add(List<String> out, String part) {
        JinjaWork.spend(JinjaWork.OBJECT + part.length());
        out.add(part);
    }

    static String join(String separator, List<String> parts) {
        long chars = (long) separator.length() * parts.size();
        for (String part : parts) {
            chars += part.length();
        }
        JinjaWork.spend(chars);
        return String.join(separator, parts);
    }

    static List<String> lines(String s, boolean keepEnds) {
        List<String> out = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if ((c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029) {
                int end = c == '\r' && i + 1 < s.length() && s.charAt(i + 1) == '\n' ? i + 2 : i + 1;
                add(out, s.substring(from, keepEnds ? end : i));
                i = end - 1;
                from = end;
            }
        }
        if (from < s.length()) {
            add(out, s.substring(from));
        }
        return out;
    }

    static String replace(String s, String old, String by, long count) {
        long found = old.isEmpty() ? s.length() + 1L : count(s, old);
        JinjaWork.spend(s.length() + by.length() * (count < 0 ? found : Math.min(found, count)));
        if (count < 0) {
            return s.replace(old, by);
        }
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (long i = 0; i < count; i++) {
            int at = s.indexOf(old, from);
            if (at < 0 || old.isEmpty()) {
                break;
            }
            out.append(s, from, at).append(by);
            from = at + old.length();
        }
        return out.append(s, from, s.length()).toString();
    }

    private static long count(String s, String part) {
        JinjaWork.search(s, part);
        if (part.isEmpty()) {
            return s.codePointCount(0, s.length()) + 1L;
        }
        long n = 0;
        for (int at = s.indexOf(part); at >= 0; at = s.indexOf(part, at + part.length())) {
            n++;
        }
        return n;
    }
}
