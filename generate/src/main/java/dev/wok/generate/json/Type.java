package dev.wok.generate.json;

import java.math.BigDecimal;
import java.util.EnumSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// Kinds of JSON values. A number is one of two.
enum Type {
    NULL,
    BOOLEAN,
    INTEGER,
    FRACTION,
    STRING,
    ARRAY,
    OBJECT;

    static final Set<Type> ALL = Set.copyOf(EnumSet.allOf(Type.class));

    /// @return the types that a schema's word stands for; none for another word
    static Set<Type> named(String name) {
        return switch (name) {
            case "null" -> Set.of(NULL);
            case "boolean" -> Set.of(BOOLEAN);
            case "integer" -> Set.of(INTEGER);
            case "number" -> Set.of(INTEGER, FRACTION);
            case "string" -> Set.of(STRING);
            case "array" -> Set.of(ARRAY);
            case "object" -> Set.of(OBJECT);
            default -> Set.of();
        };
    }

    static Type of(JsonNode value) {
        return switch (value.getNodeType()) {
            case BOOLEAN -> BOOLEAN;
            case NUMBER -> isWhole(value.decimalValue()) ? INTEGER : FRACTION;
            case STRING -> STRING;
            case ARRAY -> ARRAY;
            case OBJECT -> OBJECT;
            default -> NULL;
        };
    }

    private static boolean isWhole(BigDecimal value) {
        return value.signum() == 0 || value.stripTrailingZeros().scale() <= 0;
    }
}
