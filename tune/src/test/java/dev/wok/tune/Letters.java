package dev.wok.tune;

import java.util.Map;
import java.util.Optional;

/// A task for tests: how many letters a word of one letter has.
///
/// @param problems in each part
record Letters(long problems) implements Task {
    @Override
    public String name() {
        return "letters";
    }

    @Override
    public long size(Split split) {
        return problems;
    }

    @Override
    public Problem problem(Split split, long index, long seed) {
        return new Problem(
                "%s %d: how long is %s?".formatted(split, seed, "a".repeat((int) index + 1)),
                Long.toString(index + 1),
                Map.of());
    }

    @Override
    public Reward accuracy() {
        return (problem, completion) -> answer(completion).equals(Optional.of(problem.answer()))
                ? new Reward.Score(1, "right")
                : new Reward.Score(0, "wrong");
    }

    @Override
    public Optional<String> demonstration(Problem problem, long seed) {
        return Optional.of("<answer>" + problem.answer() + "</answer>");
    }
}
