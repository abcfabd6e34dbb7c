package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import java.util.Optional;

/// A task whose problems are drawn, without end. Which questions are held out is decided by a hash of
/// the question, so a question is never in both parts, whatever the seed.
abstract class GeneratedTask implements Task {
    static final double HELD_OUT = 0.1;

    /* The places of held-out questions, the same for all time. */
    private static final Rng PLACES = new Rng(0x574F4B);
    private static final int TRIES = 10_000;

    private final String name;

    GeneratedTask(String name) {
        this.name = name;
    }

    abstract Problem draw(Draws draws);

    /// @return the same text for questions that are the same but for their order
    abstract String canonical(Problem problem);

    /// Works a problem out by steps that are right.
    abstract Working careful(Problem problem, Draws draws);

    /// Works a problem out by a rule that is mostly wrong.
    abstract Working careless(Problem problem, Draws draws);

    /// @return which part a question is in
    static Split place(String canonical) {
        return PLACES.split(canonical).uniform(0) < HELD_OUT ? Split.HELD_OUT : Split.TRAIN;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final long size(Split split) {
        return Long.MAX_VALUE;
    }

    @Override
    public final Problem problem(Split split, long index, long seed) {
        Rng rng = new Rng(seed).split(name).split(split.name()).split(index);
        for (int i = 0; i < TRIES; i++) {
            Problem problem = draw(new Draws(rng.split(i)));
            if (place(canonical(problem)) == split) {
                return problem;
            }
        }
        throw new BadInput(
                "the task %s has too few different questions with these parameters to hold some out; make it harder."
                        .formatted(name));
    }

    @Override
    public final Optional<String> demonstration(Problem problem, long seed) {
        return Optional.of(write(problem, Style.CAREFUL, seed));
    }

    /// Writes an answer in a style.
    final String write(Problem problem, Style style, long seed) {
        Draws draws = new Draws(new Rng(seed).split(style.name()).split(problem.question()));
        return switch (style) {
            case CAREFUL -> careful(problem, draws).tagged();
            case UNTAGGED -> careful(problem, draws).untagged();
            case CARELESS -> careless(problem, draws).tagged();
            case BLURTED -> careless(problem, draws).answered();
            case PLAIN -> careless(problem, draws).sentence();
            case ABANDONED -> careful(problem, draws).abandoned();
        };
    }
}
