package dev.wok.tune;

import java.util.Map;
import java.util.Optional;

/// A task for tests: whatever is answered is judged by a rule that is given.
record Saying(Reward accuracy) implements Task {
    @Override
    public String name() {
        return "saying";
    }

    @Override
    public long size(Split split) {
        return 7;
    }

    @Override
    public Problem problem(Split split, long index, long seed) {
        return new Problem("say " + "x".repeat((int) index), "a", Map.of());
    }

    @Override
    public Optional<String> demonstration(Problem problem, long seed) {
        return Optional.empty();
    }
}
