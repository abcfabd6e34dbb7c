package dev.wok.text;

import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Values as JSON, written as Python's `json.dumps(value, ensure_ascii=False)` writes them.
///
/// @param indent what one level is indented by; null puts everything on one line
/// @param item what separates items
/// @param key what separates a key from its value
record JinjaJson(@Nullable String indent, String item, String key, boolean ascii, boolean sorted) {

    String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, "\n", out);
        return out.toString();
    }

    private void write(Object value, String lineEnd, StringBuilder out) {
        JinjaWork.spend(JinjaWork.OBJECT);
        switch (value) {
            case String s -> quote(s, out);
            case Boolean b -> out.append(b);
            case Long n -> out.append(n);
            case Double n ->
                out.append(
                        Double.isNaN(n)
                                ? "NaN"
                                : Double.isInfinite(n) ? (n > 0 ? "Infinity" : "-Infinity") : JinjaValues.number(n));
            case Collection<?> list -> {
                String inner = lineEnd + (indent == null ? "" : indent);
                out.append('[');
                for (Iterator<?> i = list.iterator(); i.hasNext(); ) {
                    begin(inner, out);
                    write(i.next(), inner, out);
                    out.append(i.hasNext() ? item : "");
                }
                out.append(indent == null || list.isEmpty() ? "" : lineEnd).append(']');
            }
            case Map<?, ?> map -> object(sorted ? new TreeMap<>(map) : map, lineEnd, out);
            case JinjaValues.Undefined undefined -> throw undefined.error();
            default -> {
                if (!JinjaValues.isNone(value)) {
                    throw new JinjaError("a " + JinjaValues.typeName(value) + " where JSON was due");
                }
                out.append("null");
            }
        }
    }

    private void begin(String inner, StringBuilder out) {
        JinjaWork.spend((long) inner.length() + item.length() + key.length());
        out.append(indent == null ? "" : inner);
    }

    private void object(Map<?, ?> map, String lineEnd, StringBuilder out) {
        String inner = lineEnd + (indent == null ? "" : indent);
        out.append('{');
        for (Iterator<? extends Map.Entry<?, ?>> i = map.entrySet().iterator(); i.hasNext(); ) {
            Map.Entry<?, ?> entry = i.next();
            begin(inner, out);
            if (entry.getKey() instanceof String name) {
                quote(name, out);
            } else {
                out.append('"');
                write(entry.getKey(), inner, out);
                out.append('"');
            }
            out.append(key);
            write(entry.getValue(), inner, out);
            out.append(i.hasNext() ? item : "");
        }
        out.append(indent == null || map.isEmpty() ? "" : lineEnd).append('}');
    }

    private void quote(String s, StringBuilder out) {
        JinjaWork.spend(s.length());
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ' || (ascii && c > '~')) {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
