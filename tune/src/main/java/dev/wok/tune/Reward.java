package dev.wok.tune;

/// Judges completions: by rules, in plain Java. Called by several threads at once.
@FunctionalInterface
public interface Reward {
    /// A judgement.
    ///
    /// @param value higher is better; 0 to 1 for the built-in ones
    /// @param reason a few words for people, such as "wrong number" or "time limit"
    record Score(double value, String reason) {}

    /// @return how good a completion is for a problem
    Score score(Problem problem, Completion completion);
}
