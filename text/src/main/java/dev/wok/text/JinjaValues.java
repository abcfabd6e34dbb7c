package dev.wok.text;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Python's values and what Python does with them: `String`, `Long`, `Double`, `Boolean`, lists,
/// [Tuple], maps, [#NONE]; and what templates have besides: [Undefined], [Namespace], [Function].
final class JinjaValues {
    /// Python's `None`.
    static final Object NONE = new Object() {
        @Override
        public String toString() {
            return "None";
        }
    };

    private JinjaValues() {}

    /// The value of a name or attribute that is not there: empty text, an empty list, false; anything else is an error.
    ///
    /// @param what the sentence that says so
    record Undefined(String what) {
        JinjaError error() {
            return new JinjaError(what);
        }
    }

    /// A list that prints in parentheses.
    static final class Tuple extends ArrayList<Object> {
        private static final long serialVersionUID = 1L;

        Tuple(Collection<?> items) {
            super(items);
        }
    }

    /// What `namespace(...)` makes: names that may be set from within a loop.
    record Namespace(Map<String, Object> names) {}

    /// What can be called.
    interface Function {
        Object call(List<Object> plain, Map<String, Object> named);
    }

    /// An object with attributes of its own, such as `loop`.
    interface Attributes {
        /// @return the attribute, or an [Undefined]
        Object get(String name);
    }

    /// Takes over what a Java program passes.
    static Object of(@Nullable Object value) {
        return switch (value) {
            case null -> NONE;
            case String s -> s;
            case Boolean b -> b;
            case Byte n -> n.longValue();
            case Short n -> n.longValue();
            case Integer n -> n.longValue();
            case Long n -> n;
            case Optional<?> some -> some.isPresent() ? of(some.get()) : NONE;
            case Float n -> n.doubleValue();
            case Double n -> n;
            case Map<?, ?> map -> {
                Map<Object, Object> out = new LinkedHashMap<>();
                map.forEach((k, v) -> out.put(of(k), of(v)));
                yield out;
            }
            case Collection<?> list -> {
                List<Object> out = new ArrayList<>();
                list.forEach(v -> out.add(of(v)));
                yield out;
            }
            default ->
                throw new JinjaError(
                        "a value of the unknown type " + value.getClass().getName());
        };
    }

    static boolean isNone(Object value) {
        return value.equals(NONE);
    }

    /// What Python makes only as it is asked for: true even where there is nothing in it.
    static final class Generated extends ArrayList<Object> {
        private static final long serialVersionUID = 1L;

        Generated(List<Object> items) {
            super(items);
        }
    }

    static boolean truth(Object value) {
        return switch (value) {
            case Boolean b -> b;
            case Long n -> n != 0;
            case Double n -> n != 0;
            case String s -> !s.isEmpty();
            case Generated _ -> true;
            case Collection<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            case Undefined _ -> false;
            default -> !isNone(value);
        };
    }

    static String typeName(Object value) {
        return switch (value) {
            case Boolean _ -> "bool";
            case Long _ -> "int";
            case Double _ -> "float";
            case String _ -> "str";
            case Tuple _ -> "tuple";
            case Collection<?> _ -> "list";
            case Map<?, ?> _ -> "dict";
            case Undefined _ -> "Undefined";
            case Namespace _ -> "namespace";
            case Function _ -> "function";
            default -> isNone(value) ? "NoneType" : "object";
        };
    }

    static String str(Object value) {
        return switch (value) {
            case String s -> s;
            case Undefined _ -> "";
            default -> repr(value);
        };
    }

    static String repr(Object value) {
        JinjaWork.spend(JinjaWork.OBJECT);
        return switch (value) {
            case String s -> quote(s);
            case Boolean b -> b ? "True" : "False";
            case Double n -> number(n);
            case Tuple tuple when tuple.size() == 1 -> "(" + repr(tuple.getFirst()) + ",)";
            case Tuple tuple -> "(" + joined(tuple) + ")";
            case Collection<?> list -> "[" + joined(list) + "]";
            case Map<?, ?> map -> {
                List<String> entries = new ArrayList<>();
                map.forEach((k, v) -> entries.add(repr(k) + ": " + repr(v)));
                yield "{" + JinjaMethods.join(", ", entries) + "}";
            }
            case Undefined _ -> "Undefined";
            case Namespace _, Function _, Attributes _ ->
                throw new JinjaError("a " + typeName(value) + " where text was due");
            default -> value.toString();
        };
    }

    private static String joined(Collection<?> items) {
        return JinjaMethods.join(", ", items.stream().map(JinjaValues::repr).toList());
    }

    private static String quote(String s) {
        JinjaWork.spend(s.length());
        char mark = s.indexOf('\'') >= 0 && s.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(mark);
        s.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == mark) {
                        out.append('\\').append(mark);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append((c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
                    }
                }
            }
        });
        return out.append(mark).toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /// A number as Python writes it: shortest digits, an exponent below 1e-4 and from 1e16 on.
    static String number(double n) {
        if (Double.isNaN(n) || Double.isInfinite(n)) {
            return Double.isNaN(n) ? "nan" : n > 0 ? "inf" : "-inf";
        }
        double size = Math.abs(n);
        if (size != 0 && (size < 1e-4 || size >= 1e16)) {
            String[] parts = Double.toString(n).split("E", -1);
            int exponent = Integer.parseInt(parts[1]);
            String digits = parts[0].endsWith(".0") ? parts[0].substring(0, parts[0].length() - 2) : parts[0];
            return "%se%s%02d".formatted(digits, exponent < 0 ? "-" : "+", Math.abs(exponent));
        }
        if (size == 0) {
            return 1 / n < 0 ? "-0.0" : "0.0";
        }
        String plain = new BigDecimal(Double.toString(n)).stripTrailingZeros().toPlainString();
        return plain.indexOf('.') < 0 ? plain + ".0" : plain;
    }

    /// @return whether the two are one and the same, as far as Java can tell
    static boolean same(Object a, Object b) {
        return a instanceof String || isNumber(a) ? a.equals(b) : a == b;
    }

    static boolean equal(Object a, Object b) {
        JinjaWork.spend(JinjaWork.STEP);
        if (isNumber(a) && isNumber(b)) {
            boolean decimal = a instanceof Double || b instanceof Double;
            return decimal ? (toDouble(a) == toDouble(b)) : (toLong(a) == toLong(b));
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return x.size() == y.size()
                    && x.entrySet().stream()
                            .allMatch(e -> y.containsKey(e.getKey()) && equal(e.getValue(), y.get(e.getKey())));
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            if (x.size() != y.size() || (a instanceof Tuple) != (b instanceof Tuple)) {
                return false;
            }
            for (int i = 0; i < x.size(); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return false;
                }
            }
            return true;
        }
        if (a instanceof String x && b instanceof String y) {
            JinjaWork.spend(x.length() == y.length() ? x.length() / 64 : 0);
            return x.equals(y);
        }
        return a instanceof Undefined ? b instanceof Undefined : same(a, b);
    }

    static int compare(Object a, Object b) {
        JinjaWork.spend(JinjaWork.STEP);
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double
                    ? Double.compare(toDouble(a), toDouble(b))
                    : Long.compare(toLong(a), toLong(b));
        }
        if (a instanceof String x && b instanceof String y) {
            return compareCodePoints(x, y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return compare(x.get(i), y.get(i));
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        throw mismatch("a comparison", a, b);
    }

    private static int compareCodePoints(String a, String b) {
        JinjaWork.spend((long) a.length() + b.length());
        return Arrays.compare(a.codePoints().toArray(), b.codePoints().toArray());
    }

    static JinjaError mismatch(String what, Object a, Object b) {
        if (a instanceof Undefined undefined) {
            return undefined.error();
        }
        if (b instanceof Undefined undefined) {
            return undefined.error();
        }
        return new JinjaError("%s of %s and %s".formatted(what, typeName(a), typeName(b)));
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    static double toDouble(Object number) {
        return switch (number) {
            case Double n -> n;
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case Undefined undefined -> throw undefined.error();
            default -> throw new JinjaError("a " + typeName(number) + " where a number was due");
        };
    }

    static long toLong(Object number) {
        return switch (number) {
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case Undefined undefined -> throw undefined.error();
            default -> throw new JinjaError("a " + typeName(number) + " where a whole number was due");
        };
    }

    static List<Object> iterate(Object value) {
        JinjaWork.spend(JinjaWork.size(value));
        return switch (value) {
            case List<?> list -> new ArrayList<>(list);
            case Collection<?> list -> new ArrayList<>(list);
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case String s -> new ArrayList<>(characters(s));
            case Undefined _ -> new ArrayList<>();
            default -> throw new JinjaError("a loop over a " + typeName(value));
        };
    }

    static List<String> characters(String s) {
        JinjaWork.spend((long) JinjaWork.OBJECT * s.length());
        return s.codePoints().mapToObj(Character::toString).toList();
    }

    static boolean contains(Object container, Object item) {
        return switch (container) {
            case String s
            when item instanceof String part -> {
                JinjaWork.search(s, part);
                yield s.contains(part);
            }
            case String _ -> throw mismatch("'in'", item, container);
            case Map<?, ?> map -> map.containsKey(key(item));
            case Collection<?> list -> list.stream().anyMatch(v -> equal(v, item));
            case Undefined _ -> false;
            default -> throw mismatch("'in'", item, container);
        };
    }

    /// `on.name`: a method or attribute, else what a dict holds under the name.
    static Object attribute(Object on, String name) {
        if (on instanceof Undefined undefined) {
            throw undefined.error();
        }
        Object own = own(on, name);
        return own instanceof Undefined && on instanceof Map<?, ?> map ? entry(map, name) : own;
    }

    private static Object own(Object on, String name) {
        return switch (on) {
            case Namespace(Map<String, Object> names) ->
                names.getOrDefault(name, new Undefined("the namespace has no '" + name + "'"));
            case Attributes attributes -> attributes.get(name);
            default -> JinjaMethods.bind(on, name);
        };
    }

    /// @return what a dict may have as a key: as in Python nothing that can change, here no nested tuples either
    static Object key(Object value) {
        boolean nested = value instanceof Tuple tuple
                ? tuple.stream().anyMatch(part -> part instanceof Collection || part instanceof Map)
                : value instanceof Collection || value instanceof Map;
        if (nested || value instanceof Namespace || value instanceof Attributes) {
            throw new JinjaError("a %s for the key of a dict".formatted(typeName(value)));
        }
        return value;
    }

    private static Object entry(Map<?, ?> map, Object key) {
        Object value = map.get(key(key));
        return value == null ? new Undefined("there is no " + repr(key)) : value;
    }

    /// `on[key]`: an item, else for a name what `on.name` would be.
    static Object index(Object on, Object key) {
        if (on instanceof Undefined undefined) {
            throw undefined.error();
        }
        if (on instanceof Map<?, ?> map) {
            Object value = entry(map, key);
            return value instanceof Undefined && key instanceof String name ? attribute(on, name) : value;
        }
        if (key instanceof Long || key instanceof Boolean) {
            int size = on instanceof String s ? length(s) : on instanceof List<?> list ? list.size() : 0;
            long i = toLong(key) < 0 ? toLong(key) + size : toLong(key);
            if (i < 0 || i >= size) {
                return new Undefined("there is no item " + toLong(key));
            }
            return on instanceof String s
                    ? Character.toString(s.codePointAt(s.offsetByCodePoints(0, (int) i)))
                    : ((List<?>) on).get((int) i);
        }
        return key instanceof String name ? own(on, name) : new Undefined("there is no " + repr(key));
    }

    static Object slice(Object on, Object from, Object to, Object step) {
        if (!(on instanceof String) && !(on instanceof List<?>)) {
            throw on instanceof Undefined u ? u.error() : new JinjaError("a slice of a " + typeName(on));
        }
        long by = isNone(step) ? 1 : toLong(step);
        if (by == 0) {
            throw new JinjaError("a slice with the step 0");
        }
        if (by == 1 && on instanceof String s) {
            int size = length(s);
            int begin = (int) bound(from, 0, size, by);
            int end = (int) Math.max(begin, bound(to, size, size, by));
            int at = s.offsetByCodePoints(0, begin);
            JinjaWork.spend(end - begin);
            return s.substring(at, s.offsetByCodePoints(at, end - begin));
        }
        List<Object> items = iterate(on);
        int n = items.size();
        long begin = bound(from, by > 0 ? 0 : n - 1, n, by);
        long end = bound(to, by > 0 ? n : -1, n, by);
        List<Object> out = new ArrayList<>();
        for (long i = begin; by > 0 ? i < end : i > end; i += by) {
            out.add(items.get((int) i));
        }
        if (on instanceof String) {
            return JinjaMethods.join("", out.stream().map(JinjaValues::str).toList());
        }
        return on instanceof Tuple ? new Tuple(out) : out;
    }

    private static int length(String s) {
        JinjaWork.spend(s.length() / 8);
        return s.codePointCount(0, s.length());
    }

    private static long bound(Object value, long absent, int n, long by) {
        if (isNone(value)) {
            return absent;
        }
        long i = toLong(value);
        i = i < 0 ? i + n : i;
        return by > 0 ? Math.clamp(i, 0, n) : Math.clamp(i, -1, n - 1);
    }
}
