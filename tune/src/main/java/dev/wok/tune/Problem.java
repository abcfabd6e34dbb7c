package dev.wok.tune;

import java.util.Map;

/// A question with what its reward needs to know.
///
/// @param question as a user would ask it
/// @param answer the right one; empty where there is none to compare with
/// @param data further fields by name, such as the numbers of a countdown or the tests of a program
public record Problem(String question, String answer, Map<String, String> data) {
    public Problem {
        data = Map.copyOf(data);
    }
}
