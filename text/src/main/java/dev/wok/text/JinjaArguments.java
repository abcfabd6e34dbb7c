package dev.wok.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The arguments of a call, bound to parameters by place and by name.
final class JinjaArguments {
    private final Map<String, Object> bound = new HashMap<>();

    /// @param of what is called, for messages
    /// @param parameters names in order
    JinjaArguments(String of, List<Object> plain, Map<String, Object> named, String... parameters) {
        if (plain.size() > parameters.length) {
            throw new JinjaError("%s with %d arguments".formatted(of, plain.size()));
        }
        for (int i = 0; i < plain.size(); i++) {
            bound.put(parameters[i], plain.get(i));
        }
        List<String> known = new ArrayList<>(List.of(parameters));
        named.forEach((name, value) -> {
            if (!known.contains(name)) {
                throw new JinjaError("%s with the argument '%s'".formatted(of, name));
            }
            bound.put(name, value);
        });
    }

    @Nullable
    Object get(String name) {
        return bound.get(name);
    }

    Object get(String name, Object absent) {
        return bound.getOrDefault(name, absent);
    }

    boolean truth(String name) {
        return JinjaValues.truth(get(name, false));
    }

    /// @throws JinjaError where the argument is missing or no text
    String text(String name) {
        Object value = get(name, JinjaValues.NONE);
        if (!(value instanceof String s)) {
            throw new JinjaError(
                    "a %s for the argument '%s' where text was due".formatted(JinjaValues.typeName(value), name));
        }
        return s;
    }

    long number(String name, long absent) {
        return JinjaValues.toLong(get(name, absent));
    }
}
