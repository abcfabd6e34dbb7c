package dev.wok.tune;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Sums and products, worked as on paper: column by column from the right, the carry written out. Who
/// is careless never carries.
///
/// Parameters: `digits` of each number (2), `operands` at most (3, at least two are asked for),
/// `operations`: `sum`, `product` or `both` (`sum`).
final class ArithmeticTask extends GeneratedTask {
    static final String NAME = "arithmetic";

    private static final String OPERATION = "operation";
    private static final String NUMBERS = "numbers";

    private final int digits;
    private final int operands;
    private final List<String> operations;

    ArithmeticTask(Parameters parameters) {
        super(NAME);
        parameters.only("digits", "operands", "operations");
        this.digits = parameters.whole("digits", 2, 1, 9);
        this.operands = parameters.whole("operands", 3, 2, 9);
        this.operations = switch (parameters.choice("operations", "sum", List.of("sum", "product", "both"))) {
            case "sum" -> List.of("+");
            case "product" -> List.of("*");
            default -> List.of("+", "*");
        };
    }

    @Override
    Problem draw(Draws draws) {
        String operation = draws.of(operations);
        int count = draws.between(2, operands);
        int low = (int) Math.pow(10, digits - 1);
        List<String> numbers = Stream.generate(() -> Integer.toString(draws.between(low, low * 10 - 1)))
                .limit(count)
                .toList();
        return new Problem(
                "What is %s?".formatted(String.join(operation, numbers)),
                new Paper(true).result(operation, numbers),
                Map.of(OPERATION, operation, NUMBERS, String.join(" ", numbers)));
    }

    @Override
    String canonical(Problem problem) {
        return operation(problem) + numbers(problem).stream().sorted().collect(Collectors.joining(" "));
    }

    @Override
    public Reward accuracy() {
        return Rewards.numeric();
    }

    @Override
    public Optional<String> answer(Completion completion) {
        return Rewards.numericAnswer(completion);
    }

    @Override
    Working careful(Problem problem, Draws draws) {
        return work(problem, new Paper(true));
    }

    @Override
    Working careless(Problem problem, Draws draws) {
        return work(problem, new Paper(false));
    }

    private static Working work(Problem problem, Paper paper) {
        String result = paper.result(operation(problem), numbers(problem));
        return new Working(paper.lines, result);
    }

    private static String operation(Problem problem) {
        return problem.data().getOrDefault(OPERATION, "+");
    }

    private static List<String> numbers(Problem problem) {
        return List.of(problem.data().getOrDefault(NUMBERS, "").split(" "));
    }

    /// What is written down.
    private static final class Paper {
        private final boolean carries;
        private final List<String> lines = new ArrayList<>();

        Paper(boolean carries) {
            this.carries = carries;
        }

        String result(String operation, List<String> numbers) {
            if (operation.equals("+")) {
                return sum(numbers);
            }
            String result = numbers.getFirst();
            for (String factor : numbers.subList(1, numbers.size())) {
                result = product(result, factor);
            }
            return result;
        }

        private String sum(List<String> terms) {
            int width = terms.stream().mapToInt(String::length).max().orElse(0);
            String written = "";
            int carry = 0;
            for (int column = 0; column < width; column++) {
                StringJoiner parts = new StringJoiner("+");
                int sum = carry;
                for (String term : terms) {
                    if (column < term.length()) {
                        int digit = digit(term, column);
                        parts.add(Integer.toString(digit));
                        sum += digit;
                    }
                }
                written = line(parts, column, carry, sum, column == width - 1, written);
                carry = carries ? sum / 10 : 0;
            }
            return written;
        }

        /// The first factor times each digit of the second from the right; then the sum of that.
        private String product(String a, String b) {
            List<String> partial = new ArrayList<>();
            for (int i = 0; i < b.length(); i++) {
                partial.add(timesDigit(a, digit(b, i)) + "0".repeat(i));
            }
            return partial.size() == 1 ? partial.getFirst() : sum(partial);
        }

        private String timesDigit(String a, int factor) {
            String written = "";
            int carry = 0;
            for (int column = 0; column < a.length(); column++) {
                int digit = digit(a, column);
                int sum = digit * factor + carry;
                StringJoiner parts = new StringJoiner("+").add(digit + "*" + factor);
                written = line(parts, column, carry, sum, column == a.length() - 1, written);
                carry = carries ? sum / 10 : 0;
            }
            return written;
        }

        /// Writes a column: its sum, and what is known of the result.
        private String line(StringJoiner parts, int column, int carry, int sum, boolean last, String written) {
            if (carries && column > 0) {
                parts.add(Integer.toString(carry));
            }
            String known = (last && carries ? sum : sum % 10) + written;
            lines.add("%s=%d -> %s".formatted(parts, sum, known));
            return known;
        }

        private static int digit(String number, int column) {
            return number.charAt(number.length() - 1 - column) - '0';
        }
    }
}
