package dev.wok.tune;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/// A question with what its reward needs to know.
///
/// @param question as a user would ask it
/// @param answer the right one; empty where there is none to compare with
/// @param data further fields by name, such as the numbers of a countdown or the tests of a program;
///     kept in the order of their names
public record Problem(String question, String answer, Map<String, String> data) {
    public Problem {
        data = Collections.unmodifiableMap(new TreeMap<>(Map.copyOf(data)));
    }
}
