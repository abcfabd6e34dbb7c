package dev.wok.tune;

import java.util.Optional;

/// Finds the final answer in what a model wrote.
final class Answers {
    static final String THINK = "<think>";
    static final String THOUGHT = "</think>";
    static final String OPEN = "<answer>";
    static final String CLOSE = "</answer>";

    private static final String BOXED = "\\boxed{";
    private static final String HASHES = "####";

    private Answers() {}

    /// Looks behind the thoughts only: for the last `<answer>…</answer>`, else the last `\boxed{…}`,
    /// else the rest of the line after the last `####`. A box within the tags is opened.
    ///
    /// @return empty where there is none of them, or the thoughts never end
    static Optional<String> find(String text) {
        int thought = text.lastIndexOf(THOUGHT);
        if (thought < 0 && text.contains(THINK)) {
            return Optional.empty();
        }
        String said = thought < 0 ? text : text.substring(thought + THOUGHT.length());
        return tagged(said)
                .map(answer -> boxed(answer).orElse(answer))
                .or(() -> boxed(said))
                .or(() -> afterHashes(said))
                .map(String::strip);
    }

    /// @return what stands in the last tags
    static Optional<String> tagged(String text) {
        int close = text.lastIndexOf(CLOSE);
        int open = close < 0 ? -1 : text.lastIndexOf(OPEN, close);
        return open < 0 ? Optional.empty() : Optional.of(text.substring(open + OPEN.length(), close));
    }

    /// @return what stands in the last box, braces within it included; empty where it is never closed
    static Optional<String> boxed(String text) {
        int box = text.lastIndexOf(BOXED);
        if (box < 0) {
            return Optional.empty();
        }
        int from = box + BOXED.length();
        int depth = 1;
        for (int i = from; i < text.length(); i++) {
            switch (text.charAt(i)) {
                case '\\' -> i++;
                case '{' -> depth++;
                case '}' -> depth--;
                default -> {}
            }
            if (depth == 0) {
                return Optional.of(text.substring(from, i));
            }
        }
        return Optional.empty();
    }

    /// @return the rest of the line after the last `####`, as GSM8K has it
    static Optional<String> afterHashes(String text) {
        int hashes = text.lastIndexOf(HASHES);
        if (hashes < 0) {
            return Optional.empty();
        }
        String rest = text.substring(hashes + HASHES.length()).strip();
        return rest.lines().findFirst();
    }
}
