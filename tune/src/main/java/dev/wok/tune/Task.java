package dev.wok.tune;

import java.util.Optional;

/// Problems of one kind with their reward. What is held out shares no question with what is trained on.
public interface Task {
    /// Which part of the problems.
    enum Split {
        TRAIN,
        HELD_OUT
    }

    /// @return such as `countdown`
    String name();

    /// @return how many problems there are; [Long#MAX_VALUE] where they are generated without end
    long size(Split split);

    /// A problem; a pure function of its arguments.
    ///
    /// @param index 0 to `size` - 1
    /// @param seed of tasks that are generated; those of files ignore it
    Problem problem(Split split, long index, long seed);

    /// @return whether the final answer is right: 1 or 0
    Reward accuracy();

    /// What a completion gives as its final answer, so that equal answers have equal texts, numbers
    /// those of their value: samples vote by it.
    ///
    /// @return empty where it gives none
    default Optional<String> answer(Completion completion) {
        return Answers.find(completion.text())
                .map(answer -> Numbers.parse(answer)
                        .map(number -> number.value().toString())
                        .orElse(answer));
    }

    /// A worked answer in the form that the task wants: what a base model is pre-trained on, and what
    /// fine-tuning on demonstrations shows.
    ///
    /// @return empty where the task has none
    Optional<String> demonstration(Problem problem, long seed);
}
