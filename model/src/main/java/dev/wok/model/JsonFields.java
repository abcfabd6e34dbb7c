package dev.wok.model;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// The fields of a JSON object, each checked as it is read. What is null counts as missing.
///
/// @param node anything; without fields where it is no object
record JsonFields(JsonNode node) {
    JsonFields child(String key) {
        return new JsonFields(node.path(key));
    }

    boolean has(String key) {
        return !node.path(key).isMissingNode() && !node.path(key).isNull();
    }

    int whole(String key) {
        JsonNode field = node.path(key);
        if (!field.isIntegralNumber() || !field.canConvertToInt()) {
            String below = field.isIntegralNumber() ? " within 2^31" : "";
            throw new BadInput("%s is %s, expected a whole number%s.".formatted(key, given(key), below));
        }
        return field.asInt();
    }

    int whole(String key, int otherwise) {
        return has(key) ? whole(key) : otherwise;
    }

    double number(String key) {
        JsonNode field = node.path(key);
        double number = field.isNumber() ? field.asDouble(Double.NaN) : Double.NaN;
        if (!Double.isFinite(number)) {
            throw new BadInput("%s is %s, expected a number.".formatted(key, given(key)));
        }
        return number;
    }

    double number(String key, double otherwise) {
        return has(key) ? number(key) : otherwise;
    }

    boolean flag(String key, boolean otherwise) {
        if (has(key) && !node.path(key).isBoolean()) {
            throw new BadInput("%s is %s, expected true or false.".formatted(key, given(key)));
        }
        return has(key) ? node.path(key).asBoolean() : otherwise;
    }

    String text(String key, String otherwise) {
        if (has(key) && !node.path(key).isString()) {
            throw new BadInput("%s is %s, expected a text.".formatted(key, given(key)));
        }
        return has(key) ? node.path(key).asString() : otherwise;
    }

    List<Integer> wholes(String key) {
        List<Integer> numbers = new ArrayList<>();
        if (has(key)) {
            for (JsonNode element : node.path(key)) {
                if (!element.isIntegralNumber() || !element.canConvertToInt()) {
                    throw new BadInput("%s is %s, expected a list of whole numbers.".formatted(key, given(key)));
                }
                numbers.add(element.asInt());
            }
        }
        return numbers;
    }

    /// @return the ids of one or a list; those below zero, and what is no id, mean none
    List<Integer> ids(String key) {
        JsonNode field = node.path(key);
        List<Integer> ids = new ArrayList<>();
        for (JsonNode element : field.isArray() ? field : List.of(field)) {
            if (element.isIntegralNumber() && element.canConvertToInt() && element.asInt() >= 0) {
                ids.add(element.asInt());
            }
        }
        return ids;
    }

    void refuse(String key, boolean when, String supported) {
        if (when) {
            throw new BadInput("%s is %s, supported is %s.".formatted(key, node.path(key), supported));
        }
    }

    /// As JSON, so on one line.
    String given(String key) {
        JsonNode field = node.path(key);
        return field.isMissingNode() ? "missing" : field.toString();
    }
}
