package dev.wok.generate.json;

import java.math.BigDecimal;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// The one text by which a given value is written.
final class JsonText {
    private static final int MOST_ZEROS = 15;

    private JsonText() {}

    /// @param value no array and no object
    static String of(JsonNode value) {
        return switch (value.getNodeType()) {
            case STRING -> of(value.stringValue());
            case NUMBER -> of(value.decimalValue());
            default -> value.toString();
        };
    }

    /// @return a string with its quotes, and no escape that it can do without
    static String of(String value) {
        StringBuilder text = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            Optional<Character> letter = escape(c);
            if (letter.isPresent()) {
                text.append('\\').append(letter.get());
            } else if (c < ' ') {
                text.append("\\u%04x".formatted((int) c));
            } else {
                text.append(c);
            }
        }
        return text.append('"').toString();
    }

    /// @return what stands after the backslash where a character is escaped by a single one
    static Optional<Character> escape(int c) {
        return switch (c) {
            case '"' -> Optional.of('"');
            case '\\' -> Optional.of('\\');
            case '\b' -> Optional.of('b');
            case '\f' -> Optional.of('f');
            case '\n' -> Optional.of('n');
            case '\r' -> Optional.of('r');
            case '\t' -> Optional.of('t');
            default -> Optional.empty();
        };
    }

    static String of(BigDecimal value) {
        BigDecimal plain = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
        return plain.scale() < 0 && plain.scale() > -MOST_ZEROS ? plain.toPlainString() : plain.toString();
    }
}
