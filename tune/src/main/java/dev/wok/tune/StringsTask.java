package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// Words to reverse, sort, count in, thin out or shift, worked character by character. Who is careless
/// does it for one character only, and counts all of them.
///
/// Parameters: letters of a word, up to `length` (6), and the `operations`, with `+` between (all of
/// them).
final class StringsTask extends GeneratedTask {
    static final String NAME = "strings";

    private static final String WORD = "word";
    private static final String OPERATION = "operation";
    private static final String DETAIL = "detail";
    private static final int SHORTEST = 3;
    private static final int LETTERS = 26;
    private static final double VOWEL_SHARE = 0.4;
    private static final String VOWELS = "aeiou";
    private static final String CONSONANTS = "bcdfghjklmnpqrstvwxyz";

    private enum Operation {
        REVERSE,
        SORT,
        COUNT,
        VOWELS,
        SHIFT;

        static Operation of(String name) {
            return Arrays.stream(values())
                    .filter(operation -> operation.text().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new BadInput(
                            "the task strings: there is no operation %s, expected some of %s.".formatted(name, all())));
        }

        static String all() {
            return Arrays.stream(values()).map(Operation::text).collect(Collectors.joining("+"));
        }

        String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final int longest;
    private final List<Operation> operations;

    StringsTask(Parameters parameters) {
        super(NAME);
        parameters.only("length", "operations");
        this.longest = parameters.whole("length", 6, SHORTEST, 40);
        this.operations = Arrays.stream(
                        parameters.text("operations", Operation.all()).split("\\+", -1))
                .map(Operation::of)
                .toList();
    }

    @Override
    Problem draw(Draws draws) {
        Operation operation = draws.of(operations);
        String word = word(draws);
        String detail = switch (operation) {
            case REVERSE, SORT, VOWELS -> "";
            case COUNT -> word.substring(draws.below(word.length())).substring(0, 1);
            case SHIFT -> Integer.toString(draws.between(2, 5));
        };
        String question = switch (operation) {
            case REVERSE -> "Reverse \"%s\".".formatted(word);
            case SORT -> "Sort the letters of \"%s\".".formatted(word);
            case COUNT -> "How many times is \"%s\" in \"%s\"?".formatted(detail, word);
            case VOWELS -> "Remove the vowels from \"%s\".".formatted(word);
            case SHIFT -> "Shift each letter of \"%s\" by %s.".formatted(word, detail);
        };
        return new Problem(
                question,
                work(operation, word, detail, true).answer(),
                Map.of(WORD, word, OPERATION, operation.text(), DETAIL, detail));
    }

    /// @return a word that begins with a consonant
    private String word(Draws draws) {
        int length = draws.between(SHORTEST, longest);
        StringBuilder word = new StringBuilder();
        while (word.length() < length) {
            String letters = !word.isEmpty() && draws.uniform() < VOWEL_SHARE ? VOWELS : CONSONANTS;
            word.append(letters.charAt(draws.below(letters.length())));
        }
        return word.toString();
    }

    @Override
    String canonical(Problem problem) {
        return problem.question();
    }

    @Override
    public Reward accuracy() {
        return Rewards.exact();
    }

    @Override
    Working careful(Problem problem, Draws draws) {
        return work(problem, true);
    }

    @Override
    Working careless(Problem problem, Draws draws) {
        return work(problem, false);
    }

    private static Working work(Problem problem, boolean careful) {
        Map<String, String> data = problem.data();
        return work(
                Operation.of(data.getOrDefault(OPERATION, "")),
                data.getOrDefault(WORD, ""),
                data.getOrDefault(DETAIL, ""),
                careful);
    }

    private static Working work(Operation operation, String word, String detail, boolean careful) {
        int times = careful ? word.length() : 1;
        return switch (operation) {
            case REVERSE -> reverse(word, times);
            case SORT -> sort(word, times);
            case COUNT -> count(word, careful ? detail : word);
            case VOWELS -> removeVowels(word, times);
            case SHIFT -> shift(word, Integer.parseInt(detail), times);
        };
    }

    /// Takes letters from the end.
    private static Working reverse(String word, int times) {
        List<String> lines = new ArrayList<>();
        String taken = "";
        String left = word;
        for (int i = 0; i < times; i++) {
            taken += left.charAt(left.length() - 1);
            left = left.substring(0, left.length() - 1);
            lines.add((spaced(left) + " | " + spaced(taken)).strip());
        }
        return new Working(lines, taken + left);
    }

    /// Takes the first of the letters in the alphabet.
    private static Working sort(String word, int times) {
        List<String> lines = new ArrayList<>();
        String taken = "";
        String left = word;
        for (int i = 0; i < times; i++) {
            int first = left.indexOf(left.chars().min().orElseThrow());
            taken += left.charAt(first);
            left = left.substring(0, first) + left.substring(first + 1);
            lines.add((spaced(left) + " | " + spaced(taken)).strip());
        }
        return new Working(lines, taken + left);
    }

    private static Working count(String word, String letters) {
        List<String> found = new ArrayList<>();
        int count = 0;
        for (int i = 0; i < word.length(); i++) {
            String letter = word.substring(i, i + 1);
            count += letters.contains(letter) ? 1 : 0;
            found.add(letter + " " + count);
        }
        return new Working(List.of(String.join(", ", found)), Integer.toString(count));
    }

    private static Working removeVowels(String word, int times) {
        List<String> marked = new ArrayList<>();
        StringBuilder kept = new StringBuilder();
        int removed = 0;
        for (int i = 0; i < word.length(); i++) {
            String letter = word.substring(i, i + 1);
            boolean goes = VOWELS.contains(letter) && removed < times;
            removed += goes ? 1 : 0;
            kept.append(goes ? "" : letter);
            marked.add(goes ? "(" + letter + ")" : letter);
        }
        return new Working(List.of(String.join(" ", marked), spaced(kept.toString())), kept.toString());
    }

    private static Working shift(String word, int by, int times) {
        List<String> steps = new ArrayList<>();
        StringBuilder shifted = new StringBuilder();
        for (int i = 0; i < word.length(); i++) {
            char letter = word.charAt(i);
            char after = i < times ? (char) ('a' + (letter - 'a' + by) % LETTERS) : letter;
            steps.add(letter + "-" + after);
            shifted.append(after);
        }
        return new Working(List.of(String.join(" ", steps), spaced(shifted.toString())), shifted.toString());
    }

    private static String spaced(String word) {
        return String.join(" ", word.split(""));
    }
}
