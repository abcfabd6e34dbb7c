package dev.wok.generate.json;

import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// Ways in which models write a value.
enum Writing {
    COMPACT,
    BLANKS,
    LINES;

    String of(JsonNode value) {
        return of(value, 1);
    }

    private String of(JsonNode value, int level) {
        if (value.isArray()) {
            return joined("[", value.valueStream().map(element -> of(element, level + 1)), "]", level);
        }
        if (value.isObject()) {
            String colon = this == COMPACT ? ":" : ": ";
            return joined(
                    "{",
                    value.propertyStream()
                            .map(entry -> JsonText.of(entry.getKey()) + colon + of(entry.getValue(), level + 1)),
                    "}",
                    level);
        }
        return value.isNumber() ? value.decimalValue().toPlainString() : JsonText.of(value);
    }

    private String joined(String open, Stream<String> inner, String close, int level) {
        List<String> parts = inner.toList();
        if (parts.isEmpty()) {
            return open + close;
        }
        String line = "\n" + "  ".repeat(level);
        return switch (this) {
            case COMPACT -> open + String.join(",", parts) + close;
            case BLANKS -> open + String.join(", ", parts) + close;
            case LINES -> open + line + String.join("," + line, parts) + line.substring(0, line.length() - 2) + close;
        };
    }
}
