package dev.wok.tune;

import java.util.List;

/// How an answer comes about.
///
/// @param steps lines
/// @param answer where they lead
record Working(List<String> steps, String answer) {
    Working {
        steps = List.copyOf(steps);
    }

    /// @return `<think>`, the steps, `</think>`, and the answer between `<answer>` and `</answer>`
    String tagged() {
        return thoughts(steps) + "\n" + answered();
    }

    String answered() {
        return Answers.OPEN + answer + Answers.CLOSE;
    }

    /// @return the steps, and a sentence
    String untagged() {
        return String.join("\n", steps) + "\n" + sentence();
    }

    String sentence() {
        return "It is " + answer + ".";
    }

    /// @return the first half of the steps
    String abandoned() {
        return thoughts(steps.subList(0, (steps.size() + 1) / 2)) + "\nI give up.";
    }

    private static String thoughts(List<String> lines) {
        return Answers.THINK + "\n" + String.join("\n", lines) + "\n" + Answers.THOUGHT;
    }
}
