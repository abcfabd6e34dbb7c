package dev.wok.tune;

import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// A small method to be written.
///
/// @param signature as a program has it
/// @param asks what it is to do, for people: "returns ..."
/// @param plan how it does it, in a few words
/// @param body a right one, its lines not indented
/// @param calls its tests' arguments, whole numbers, truth values, texts and lists of these
/// @param right what is right for such arguments, computed by other means than the body where there
///     are any
record JavaMethod(
        String signature,
        String asks,
        String plan,
        String body,
        List<List<Object>> calls,
        Function<Arguments, Object> right) {
    /// Arguments with their types.
    ///
    /// @param values in their order
    record Arguments(List<Object> values) {
        int number(int i) {
            return (Integer) values.get(i);
        }

        String text(int i) {
            return (String) values.get(i);
        }

        List<Integer> numbers(int i) {
            return ((List<?>) values.get(i)).stream().map(Integer.class::cast).toList();
        }

        List<String> texts(int i) {
            return ((List<?>) values.get(i)).stream().map(String.class::cast).toList();
        }
    }

    /// @param words to fill in for names in braces, such as `{k}`
    JavaMethod filled(Map<String, Object> words) {
        return new JavaMethod(
                fill(signature, words), fill(asks, words), fill(plan, words), fill(body, words), calls, right);
    }

    private static String fill(String text, Map<String, Object> words) {
        String filled = text;
        for (Map.Entry<String, Object> word : words.entrySet()) {
            filled = filled.replace("{" + word.getKey() + "}", word.getValue().toString());
        }
        return filled.strip();
    }

    /// @param body to put in, such as this one's
    /// @return a program
    String program(String body) {
        return signature + " {\n" + body.indent(4) + "}";
    }

    Object result(List<Object> call) {
        return right.apply(new Arguments(call));
    }
}
