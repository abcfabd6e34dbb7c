package dev.wok.tune;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Reach a number from given ones, each used at most once. Any expression that does is right.
///
/// Worked backwards for three numbers: one is set aside, and what the other two would have to make is
/// held against what they can make. With more numbers two are first put together, as a guess, until one
/// of the guesses leads somewhere; so who thinks longer finds more. Who is careless puts the numbers
/// together in any way and says that.
///
/// Parameters: `numbers` given (3), each up to `max` (20), the number to reach up to `target` (100).
final class CountdownTask extends GeneratedTask {
    static final String NAME = "countdown";

    private static final String NUMBERS = "numbers";
    private static final String TARGET = "target";
    private static final int WRONG_GUESSES = 4;
    private static final int LARGEST = 1_000_000;

    private final int count;
    private final int max;
    private final int highest;

    CountdownTask(Parameters parameters) {
        super(NAME);
        parameters.only(NUMBERS, "max", TARGET);
        this.count = parameters.whole(NUMBERS, 3, 3, 5);
        this.max = parameters.whole("max", 20, 5, 1000);
        this.highest = parameters.whole(TARGET, 100, 10, 10_000);
    }

    /// A number that is given or was made.
    ///
    /// @param text how it was made
    private record Term(int value, String text) {
        static Term of(int value) {
            return new Term(value, Integer.toString(value));
        }

        Term with(String sign, Term other, int result) {
            return new Term(result, inner() + sign + other.inner());
        }

        private String inner() {
            return text.equals(Integer.toString(value)) ? text : "(" + text + ")";
        }
    }

    /// A step: two numbers put together.
    private record Step(Term left, String sign, Term right, int result) {
        Term made() {
            return left.with(sign, right, result);
        }

        @Override
        public String toString() {
            return left.value + sign + right.value + "=" + result;
        }
    }

    @Override
    Problem draw(Draws draws) {
        while (true) {
            List<Integer> numbers = IntStream.range(0, count)
                    .mapToObj(_ -> draws.between(1, max))
                    .toList();
            int target = anyResult(terms(numbers), draws);
            if (target > 0
                    && target <= highest
                    && !numbers.contains(target)
                    && solve(terms(numbers), target, new ArrayList<>()).isPresent()) {
                return new Problem(
                        "Make %d from %s with + - * /, each at most once.".formatted(target, listed(numbers, ", ")),
                        "",
                        Map.of(NUMBERS, listed(numbers, " "), TARGET, Integer.toString(target)));
            }
        }
    }

    /// @return what comes of putting all together in any way; below zero where it is nothing
    private static int anyResult(List<Term> terms, Draws draws) {
        List<Term> left = terms;
        while (left.size() > 1) {
            List<Step> steps = steps(left);
            if (steps.isEmpty()) {
                return -1;
            }
            left = after(left, draws.of(steps));
        }
        return left.getFirst().value;
    }

    @Override
    String canonical(Problem problem) {
        return numbers(problem).stream().sorted().map(String::valueOf).collect(Collectors.joining(" "))
                + " "
                + target(problem);
    }

    @Override
    Working careful(Problem problem, Draws draws) {
        List<String> lines = new ArrayList<>();
        Term found = search(terms(numbers(problem)), target(problem), draws, lines);
        return new Working(lines, found.text);
    }

    @Override
    Working careless(Problem problem, Draws draws) {
        List<Term> left = draws.shuffled(terms(numbers(problem)));
        List<String> lines = new ArrayList<>();
        while (left.size() > 1) {
            Step step = draws.of(steps(left.subList(0, 2)));
            lines.add(step.toString());
            left = after(left, step);
        }
        return new Working(List.of(String.join(" ", lines)), left.getFirst().text);
    }

    private static Term search(List<Term> terms, int target, Draws draws, List<String> lines) {
        if (terms.size() == 3) {
            return solve(terms, target, lines).orElseThrow();
        }
        int wrong = 0;
        for (Step guess : draws.shuffled(steps(terms))) {
            List<Term> left = after(terms, guess);
            boolean leads = solve(left, target, new ArrayList<>()).isPresent();
            if (leads) {
                lines.add(guess.toString());
                return search(left, target, draws, lines);
            }
            if (left.size() == 3 && wrong++ < WRONG_GUESSES) {
                lines.add(guess.toString());
                solveThree(left, target, lines);
            }
        }
        throw new IllegalStateException("no way to " + target);
    }

    /// @param lines where to write what was tried; for more than three numbers nothing is written
    private static Optional<Term> solve(List<Term> terms, int target, List<String> lines) {
        if (terms.size() == 3) {
            return solveThree(terms, target, lines);
        }
        for (Step step : steps(terms)) {
            Optional<Term> found = solve(after(terms, step), target, lines);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private static Optional<Term> solveThree(List<Term> terms, int target, List<String> lines) {
        for (Term aside : terms) {
            List<Term> others = new ArrayList<>(terms);
            others.remove(aside);
            List<Step> needs = needs(aside, target);
            StringBuilder line = new StringBuilder(aside.value + ":");
            needs.forEach(need -> line.append(' ').append(need));
            line.append(" |");
            for (Step step : steps(others)) {
                line.append(' ').append(step);
                for (Step need : needs) {
                    if (need.result == step.result) {
                        lines.add(line.toString());
                        return Optional.of(last(step, need, aside, target, lines));
                    }
                }
            }
            lines.add(line.toString());
        }
        return Optional.empty();
    }

    /// @return what two numbers would have to make, for a third to make the target with it
    private static List<Step> needs(Term aside, int target) {
        Term goal = Term.of(target);
        List<Step> needs = new ArrayList<>();
        if (target > aside.value) {
            needs.add(new Step(goal, "-", aside, target - aside.value));
        }
        needs.add(new Step(goal, "+", aside, target + aside.value));
        if (aside.value > target) {
            needs.add(new Step(aside, "-", goal, aside.value - target));
        }
        if (aside.value > 1 && target % aside.value == 0) {
            needs.add(new Step(goal, "/", aside, target / aside.value));
        }
        return needs;
    }

    private static Term last(Step step, Step need, Term aside, int target, List<String> lines) {
        Term made = step.made();
        Step end = switch (need.sign) {
            case "+" -> new Step(made, "-", aside, target);
            case "/" -> new Step(made, "*", aside, target);
            default ->
                need.left.equals(aside) ? new Step(aside, "-", made, target) : new Step(made, "+", aside, target);
        };
        lines.add(step + " " + end);
        return end.made();
    }

    /// @return all ways to put two of the numbers together to a whole number above zero that is neither
    ///     of them
    private static List<Step> steps(List<Term> terms) {
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < terms.size(); i++) {
            for (int j = i + 1; j < terms.size(); j++) {
                Term first = terms.get(i);
                Term second = terms.get(j);
                Term high = first.value >= second.value ? first : second;
                Term low = first.value >= second.value ? second : first;
                steps.add(new Step(high, "+", low, high.value + low.value));
                if (high.value > low.value) {
                    steps.add(new Step(high, "-", low, high.value - low.value));
                }
                if (low.value > 1 && (long) high.value * low.value <= LARGEST) {
                    steps.add(new Step(high, "*", low, high.value * low.value));
                }
                if (low.value > 1 && high.value % low.value == 0) {
                    steps.add(new Step(high, "/", low, high.value / low.value));
                }
            }
        }
        return steps;
    }

    private static List<Term> after(List<Term> terms, Step step) {
        List<Term> left = new ArrayList<>(terms);
        left.remove(step.left);
        left.remove(step.right);
        left.addFirst(step.made());
        return left;
    }

    @Override
    public Reward accuracy() {
        return (problem, completion) -> Answers.find(completion.text())
                .map(answer -> judge(problem, answer))
                .orElse(Rewards.NO_ANSWER);
    }

    private static Reward.Score judge(Problem problem, String answer) {
        int target = target(problem);
        String claim = "=" + target;
        String bare = answer.replace(" ", "");
        try {
            Expression expression =
                    Expression.of(bare.endsWith(claim) ? bare.substring(0, bare.length() - claim.length()) : answer);
            List<Long> left = new ArrayList<>();
            numbers(problem).forEach(number -> left.add((long) number));
            for (Long number : expression.numbers()) {
                if (!left.remove(number)) {
                    return new Reward.Score(0, "%d is not given, or used twice".formatted(number));
                }
            }
            return expression.value().equals(Fraction.of(target))
                    ? Rewards.RIGHT
                    : new Reward.Score(0, "it makes %s".formatted(Rewards.brief(expression.value())));
        } catch (Expression.NoExpression e) {
            return new Reward.Score(0, String.valueOf(e.getMessage()));
        }
    }

    private static List<Integer> numbers(Problem problem) {
        return Arrays.stream(problem.data().getOrDefault(NUMBERS, "").split(" "))
                .map(Integer::valueOf)
                .toList();
    }

    private static int target(Problem problem) {
        return Integer.parseInt(problem.data().getOrDefault(TARGET, ""));
    }

    private static List<Term> terms(List<Integer> numbers) {
        return numbers.stream().map(Term::of).collect(Collectors.toCollection(ArrayList::new));
    }

    private static String listed(List<Integer> numbers, String between) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(between));
    }
}
