package dev.wok.generate.json;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/// Lists of values that a schema allows.
final class Values {
    private Values() {}

    static Optional<List<JsonNode>> both(Optional<List<JsonNode>> a, Optional<List<JsonNode>> b) {
        if (a.isEmpty() || b.isEmpty()) {
            return a.isEmpty() ? b : a;
        }
        Set<String> others = b.get().stream().map(Values::key).collect(Collectors.toSet());
        return Optional.of(
                a.get().stream().filter(value -> others.contains(key(value))).toList());
    }

    /// Equal for equal values: numbers by what they are worth, objects in any order.
    static String key(JsonNode value) {
        if (value.isArray()) {
            return value.valueStream().map(Values::key).collect(Collectors.joining(",", "[", "]"));
        }
        if (value.isObject()) {
            TreeMap<String, String> members = new TreeMap<>();
            value.properties().forEach(entry -> members.put(JsonText.of(entry.getKey()), key(entry.getValue())));
            return members.toString();
        }
        return JsonText.of(value);
    }
}
