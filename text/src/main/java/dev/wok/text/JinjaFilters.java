package dev.wok.text;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/// Jinja's filters that templates use; another one is refused by name.
final class JinjaFilters {
    private static final Pattern WORDS = Pattern.compile("(?<=[-\\s({\\[<])(?![-\\s({\\[<])");

    private JinjaFilters() {}

    static Object apply(String name, Object on, List<Object> plain, Map<String, Object> named) {
        return switch (name) {
            case "tojson" ->
                json(arguments(name, plain, named, "ensure_ascii", "indent", "separators", "sort_keys"))
                        .write(on);
            case "trim" ->
                JinjaMethods.strip(
                        JinjaValues.str(on),
                        arguments(name, plain, named, "chars").get("chars", JinjaValues.NONE),
                        true,
                        true);
            case "upper" -> JinjaValues.str(on).toUpperCase(Locale.ROOT);
            case "lower" -> JinjaValues.str(on).toLowerCase(Locale.ROOT);
            case "capitalize" -> JinjaMethods.capitalize(JinjaValues.str(on));
            case "title" -> title(JinjaValues.str(on));
            case "string", "safe" -> JinjaValues.str(on);
            case "escape", "e" -> escape(JinjaValues.str(on));
            case "replace" -> {
                JinjaArguments a = arguments(name, plain, named, "old", "new", "count");
                yield JinjaMethods.replace(JinjaValues.str(on), a.text("old"), a.text("new"), count(a));
            }
            case "indent" -> indent(JinjaValues.str(on), arguments(name, plain, named, "width", "first", "blank"));
            case "length", "count" -> length(on);
            case "default", "d" -> {
                JinjaArguments a = arguments(name, plain, named, "default_value", "boolean");
                boolean missing = on instanceof JinjaValues.Undefined || (a.truth("boolean") && !JinjaValues.truth(on));
                yield missing ? a.get("default_value", "") : on;
            }
            case "list" -> JinjaValues.iterate(on);
            case "items" -> on instanceof JinjaValues.Undefined ? List.of() : pairs(on);
            case "dictsort" -> dictsort(on, arguments(name, plain, named, "case_sensitive", "by", "reverse"));
            case "first" ->
                JinjaValues.iterate(on).stream()
                        .findFirst()
                        .orElse(new JinjaValues.Undefined("an empty list has no first item"));
            case "last" -> {
                List<Object> items = JinjaValues.iterate(on);
                yield items.isEmpty() ? new JinjaValues.Undefined("an empty list has no last item") : items.getLast();
            }
            case "reverse" -> {
                List<Object> items = JinjaValues.iterate(on).reversed();
                yield on instanceof String
                        ? JinjaMethods.join(
                                "", items.stream().map(JinjaValues::str).toList())
                        : items;
            }
            case "join" -> {
                JinjaArguments a = arguments(name, plain, named, "d", "attribute");
                yield JinjaMethods.join(
                        JinjaValues.str(a.get("d", "")),
                        JinjaValues.iterate(on).stream()
                                .map(v -> JinjaValues.str(dotted(v, a.get("attribute", JinjaValues.NONE))))
                                .toList());
            }
            case "sort" -> {
                JinjaArguments a = arguments(name, plain, named, "reverse", "case_sensitive", "attribute");
                List<Object> items = JinjaValues.iterate(on);
                Comparator<Object> order = order(a.get("attribute", JinjaValues.NONE), a.truth("case_sensitive"));
                items.sort(a.truth("reverse") ? order.reversed() : order);
                yield items;
            }
            case "unique" -> unique(on, arguments(name, plain, named, "case_sensitive", "attribute"));
            case "min", "max" -> {
                JinjaArguments a = arguments(name, plain, named, "case_sensitive", "attribute");
                Comparator<Object> order = order(a.get("attribute", JinjaValues.NONE), a.truth("case_sensitive"));
                List<Object> items = JinjaValues.iterate(on);
                yield (name.equals("min")
                                ? items.stream().min(order)
                                : items.reversed().stream().max(order))
                        .orElse(new JinjaValues.Undefined("an empty list has no " + name));
            }
            case "sum" -> {
                JinjaArguments a = arguments(name, plain, named, "attribute", "start");
                Object sum = a.get("start", 0L);
                for (Object item : JinjaValues.iterate(on)) {
                    sum = JinjaArithmetic.apply("+", sum, dotted(item, a.get("attribute", JinjaValues.NONE)));
                }
                yield sum;
            }
            case "map" -> map(on, plain, named);
            case "select" -> selected(on, v -> test(v, plain, 0));
            case "reject" -> selected(on, v -> !test(v, plain, 0));
            case "selectattr" -> selected(on, v -> test(dotted(v, plain.getFirst()), plain, 1));
            case "rejectattr" -> selected(on, v -> !test(dotted(v, plain.getFirst()), plain, 1));
            case "attr" ->
                JinjaValues.attribute(on, arguments(name, plain, named, "name").text("name"));
            case "int" -> integer(on, arguments(name, plain, named, "default").get("default", 0L));
            case "float" -> decimal(on, arguments(name, plain, named, "default").get("default", 0.0));
            case "abs" -> on instanceof Double n ? (Object) Math.abs(n) : (Object) Math.abs(JinjaValues.toLong(on));
            case "round" -> round(on, arguments(name, plain, named, "precision", "method"));
            default -> throw new JinjaError("the filter '" + name + "', which Wok does not know");
        };
    }

    private static JinjaArguments arguments(
            String name, List<Object> plain, Map<String, Object> named, String... names) {
        return new JinjaArguments("the filter '" + name + "'", plain, named, names);
    }

    private static long count(JinjaArguments a) {
        return JinjaValues.isNone(a.get("count", JinjaValues.NONE)) ? -1 : a.number("count", -1);
    }

    private static JinjaJson json(JinjaArguments a) {
        Object width = a.get("indent", JinjaValues.NONE);
        String indent = JinjaValues.isNone(width)
                ? null
                : width instanceof String s ? s : " ".repeat(Math.clamp(JinjaValues.toLong(width), 0, 100));
        String item = indent == null ? ", " : ",";
        String key = ": ";
        if (a.get("separators", JinjaValues.NONE) instanceof List<?> list && list.size() == 2) {
            item = JinjaValues.str(list.get(0));
            key = JinjaValues.str(list.get(1));
        }
        return new JinjaJson(indent, item, key, a.truth("ensure_ascii"), a.truth("sort_keys"));
    }

    private static Object length(Object on) {
        return switch (on) {
            case String s -> (long) s.codePointCount(0, s.length());
            case Map<?, ?> map -> (long) map.size();
            case List<?> list -> (long) list.size();
            case JinjaValues.Undefined _ -> 0L;
            default -> throw new JinjaError("the length of a " + JinjaValues.typeName(on));
        };
    }

    private static String title(String s) {
        StringBuilder out = new StringBuilder();
        for (String word : WORDS.split(s, -1)) {
            out.append(JinjaMethods.capitalize(word));
        }
        return out.toString();
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;")
                .replace(">", "&gt;")
                .replace("<", "&lt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;");
    }

    private static String indent(String s, JinjaArguments a) {
        Object width = a.get("width", 4L);
        String indent =
                width instanceof String text ? text : " ".repeat(Math.clamp(JinjaValues.toLong(width), 0, 1000));
        List<String> lines = JinjaMethods.lines(s + "\n", false);
        JinjaWork.spend(s.length() + (long) indent.length() * lines.size());
        StringBuilder out = new StringBuilder(a.truth("first") ? indent : "");
        for (int i = 0; i < lines.size(); i++) {
            boolean indented = i > 0 && (a.truth("blank") || !lines.get(i).isEmpty());
            out.append(i > 0 ? "\n" : "").append(indented ? indent : "").append(lines.get(i));
        }
        return out.toString();
    }

    private static List<Object> pairs(Object on) {
        if (!(on instanceof Map<?, ?> map)) {
            throw new JinjaError("the items of a " + JinjaValues.typeName(on));
        }
        List<Object> out = new ArrayList<>();
        map.forEach((k, v) -> out.add(new JinjaValues.Tuple(List.of(k, v))));
        return out;
    }

    private static List<Object> dictsort(Object on, JinjaArguments a) {
        long part = a.get("by", "key").equals("value") ? 1 : 0;
        Comparator<Object> order = order(part, a.truth("case_sensitive"));
        List<Object> pairs = pairs(on);
        pairs.sort(a.truth("reverse") ? order.reversed() : order);
        return pairs;
    }

    private static Comparator<Object> order(Object attribute, boolean caseSensitive) {
        return (x, y) -> JinjaValues.compare(
                folded(dotted(x, attribute), caseSensitive), folded(dotted(y, attribute), caseSensitive));
    }

    private static Object folded(Object value, boolean caseSensitive) {
        JinjaWork.spend(JinjaWork.STEP + JinjaWork.size(value) / 8);
        return value instanceof String s && !caseSensitive ? s.toLowerCase(Locale.ROOT) : value;
    }

    private static List<Object> unique(Object on, JinjaArguments a) {
        List<Object> seen = new ArrayList<>();
        List<Object> out = new ArrayList<>();
        for (Object item : JinjaValues.iterate(on)) {
            Object key = folded(dotted(item, a.get("attribute", JinjaValues.NONE)), a.truth("case_sensitive"));
            if (!JinjaValues.contains(seen, key)) {
                seen.add(key);
                out.add(item);
            }
        }
        return out;
    }

    /// @param path `a.b.0`, a number, or none for the value itself
    private static Object dotted(Object value, Object path) {
        if (JinjaValues.isNone(path)) {
            return value;
        }
        if (!(path instanceof String names)) {
            return JinjaValues.index(value, path);
        }
        JinjaWork.spend(names.length());
        Object at = value;
        for (String name : names.split("\\.", -1)) {
            boolean number =
                    !name.isEmpty() && name.length() < 10 && name.chars().allMatch(c -> c >= '0' && c <= '9');
            at = JinjaValues.index(at, number ? (Object) Long.parseLong(name) : name);
        }
        return at;
    }

    private static List<Object> map(Object on, List<Object> plain, Map<String, Object> named) {
        List<Object> out = new JinjaValues.Generated(List.of());
        for (Object item : JinjaValues.iterate(on)) {
            if (plain.isEmpty()) {
                JinjaArguments a = new JinjaArguments("the filter 'map'", plain, named, "attribute", "default");
                Object value = dotted(item, a.get("attribute", JinjaValues.NONE));
                out.add(value instanceof JinjaValues.Undefined ? a.get("default", value) : value);
            } else {
                Object made = apply(JinjaValues.str(plain.getFirst()), item, plain.subList(1, plain.size()), named);
                JinjaWork.spend(JinjaWork.STEP + JinjaWork.size(made));
                out.add(made);
            }
        }
        return out;
    }

    private static List<Object> selected(Object on, Predicate<Object> taken) {
        List<Object> out = new JinjaValues.Generated(JinjaValues.iterate(on));
        out.removeIf(taken.negate());
        return out;
    }

    /// @param at where in the arguments the test's name stands; without one the value itself decides
    private static boolean test(Object value, List<Object> arguments, int at) {
        return at >= arguments.size()
                ? JinjaValues.truth(value)
                : JinjaTests.holds(
                        JinjaValues.str(arguments.get(at)), value, arguments.subList(at + 1, arguments.size()));
    }

    private static Object integer(Object on, Object absent) {
        return switch (on) {
            case Double n -> (Object) n.longValue();
            case Long n -> n;
            case Boolean b -> b ? 1L : 0L;
            case String s -> {
                String text =
                        JinjaMethods.strip(s, JinjaValues.NONE, true, true).replace("_", "");
                try {
                    yield text.matches("[-+]?\\d+")
                            ? (Object) Long.parseLong(text)
                            : (Object) (long) Double.parseDouble(text);
                } catch (NumberFormatException e) {
                    yield absent;
                }
            }
            default -> absent;
        };
    }

    private static Object decimal(Object on, Object absent) {
        if (JinjaValues.isNumber(on)) {
            return JinjaValues.toDouble(on);
        }
        try {
            return on instanceof String s ? Double.parseDouble(s.strip()) : absent;
        } catch (NumberFormatException e) {
            return absent;
        }
    }

    private static Object round(Object on, JinjaArguments a) {
        RoundingMode mode = switch (JinjaValues.str(a.get("method", "common"))) {
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> RoundingMode.HALF_EVEN;
        };
        int precision = Math.clamp(a.number("precision", 0), -300, 300);
        return new BigDecimal(JinjaValues.toDouble(on))
                .setScale(precision, mode)
                .doubleValue();
    }
}
