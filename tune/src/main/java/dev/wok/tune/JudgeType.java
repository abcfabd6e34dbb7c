package dev.wok.tune;

import java.io.DataInput;
import java.io.IOException;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A type that judged methods take or return. The process that judges has this class too.
///
/// @param kind what it is
/// @param boxed for numbers and truth values, whether the class is meant
/// @param parts types of elements; of keys and values for a map
record JudgeType(Kind kind, boolean boxed, List<JudgeType> parts) {
    /// The kinds.
    enum Kind {
        INT(int.class, Integer.class),
        LONG(long.class, Long.class),
        DOUBLE(double.class, Double.class),
        BOOLEAN(boolean.class, Boolean.class),
        CHAR(char.class, Character.class),
        STRING(String.class, String.class),
        ARRAY(Object[].class, Object[].class),
        LIST(List.class, List.class),
        SET(java.util.Set.class, java.util.Set.class),
        MAP(Map.class, Map.class);

        private final Class<?> plain;
        private final Class<?> box;

        Kind(Class<?> plain, Class<?> box) {
            this.plain = plain;
            this.box = box;
        }
    }

    /// A value that is not of the type, or too long; the message is for people.
    static final class Misfit extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Misfit(String message) {
            super(message);
        }

        String said() {
            return String.valueOf(getMessage());
        }
    }

    /// Longer than what a right answer looks like, short enough to hold.
    private static final int LONGEST = 200_000;

    JudgeType element() {
        return parts.getFirst();
    }

    boolean isLeaf() {
        return parts.isEmpty();
    }

    /// @return what the method's descriptor has
    Class<?> erased() {
        if (kind == Kind.ARRAY) {
            return element().erased().arrayType();
        }
        return boxed ? kind.box : kind.plain;
    }

    /// @return whether it may be null
    boolean isReference() {
        return !erased().isPrimitive();
    }

    /// Reads a value as [CodeCases] writes it.
    @Nullable
    Object read(DataInput in) throws IOException {
        if (isReference() && !in.readBoolean()) {
            return null;
        }
        return switch (kind) {
            case INT -> in.readInt();
            case LONG -> in.readLong();
            case DOUBLE -> in.readDouble();
            case BOOLEAN -> in.readBoolean();
            case CHAR -> in.readChar();
            case STRING -> readText(in);
            case ARRAY -> readArray(in);
            case LIST -> readAll(in, new ArrayList<>());
            case SET -> readAll(in, new LinkedHashSet<>());
            case MAP -> readMap(in);
        };
    }

    private static String readText(DataInput in) throws IOException {
        char[] text = new char[in.readInt()];
        for (int i = 0; i < text.length; i++) {
            text[i] = in.readChar();
        }
        return new String(text);
    }

    private Object readArray(DataInput in) throws IOException {
        int length = in.readInt();
        Object array = Array.newInstance(element().erased(), length);
        for (int i = 0; i < length; i++) {
            Array.set(array, i, element().read(in));
        }
        return array;
    }

    private Object readAll(DataInput in, Collection<@Nullable Object> into) throws IOException {
        int length = in.readInt();
        for (int i = 0; i < length; i++) {
            into.add(element().read(in));
        }
        return into;
    }

    private Object readMap(DataInput in) throws IOException {
        Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
        int length = in.readInt();
        for (int i = 0; i < length; i++) {
            map.put(element().read(in), parts.get(1).read(in));
        }
        return map;
    }

    /// Writes a value as JSON. Elements are read by their declared types, so that a class of the
    /// submission's own cannot speak for itself.
    ///
    /// @throws Misfit where the value is none of this type, or endless
    void write(StringBuilder out, @Nullable Object value) {
        if (value == null) {
            append(out, "null");
            return;
        }
        if (kind != Kind.ARRAY && !kind.box.isInstance(value)) {
            throw new Misfit(
                    "returned a %s, not a %s".formatted(value.getClass().getName(), this));
        }
        switch (kind) {
            case INT, LONG, BOOLEAN -> append(out, String.valueOf(value));
            case DOUBLE -> writeNumber(out, (Double) value);
            case CHAR, STRING -> writeText(out, value.toString());
            case ARRAY -> writeArray(out, value);
            case LIST, SET -> writeAll(out, (Collection<?>) value);
            case MAP -> writeMap(out, (Map<?, ?>) value);
        }
    }

    private static void append(StringBuilder out, String text) {
        if (out.length() + text.length() > LONGEST) {
            throw new Misfit("returned more than %d characters".formatted(LONGEST));
        }
        out.append(text);
    }

    private static void writeNumber(StringBuilder out, double value) {
        append(out, Double.isFinite(value) ? Double.toString(value) : "\"" + value + "\"");
    }

    private static void writeText(StringBuilder out, String text) {
        append(out, "\"");
        append(out, text.length() > LONGEST ? text : escaped(text));
        append(out, "\"");
    }

    private static String escaped(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || c == '"' || c == '\\' || Character.isSurrogate(c)) {
                out.append("\\u").append(Integer.toHexString(0x10000 | c), 1, 5);
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private void writeArray(StringBuilder out, Object array) {
        append(out, "[");
        int length = Array.getLength(array);
        for (int i = 0; i < length; i++) {
            append(out, i == 0 ? "" : ",");
            element().write(out, Array.get(array, i));
        }
        append(out, "]");
    }

    private void writeAll(StringBuilder out, Collection<?> values) {
        append(out, "[");
        String separator = "";
        for (Object value : values) {
            append(out, separator);
            element().write(out, value);
            separator = ",";
        }
        append(out, "]");
    }

    private void writeMap(StringBuilder out, Map<?, ?> map) {
        append(out, "{");
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            append(out, separator);
            Object key = entry.getKey();
            if (!element().kind.box.isInstance(key)) {
                throw new Misfit("returned a map with other keys than " + element());
            }
            writeText(out, key.toString());
            append(out, ":");
            parts.get(1).write(out, entry.getValue());
            separator = ",";
        }
        append(out, "}");
    }

    @Override
    public String toString() {
        return switch (kind) {
            case ARRAY -> element() + "[]";
            case LIST -> "List<" + element() + ">";
            case SET -> "Set<" + element() + ">";
            case MAP -> "Map<" + element() + ", " + parts.get(1) + ">";
            case INT, LONG, DOUBLE, BOOLEAN, CHAR, STRING -> erased().getSimpleName();
        };
    }
}
