package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// What is asked of an [Engine]: [#of] a prompt, changed by the `with` methods.
///
/// @param prompt one or more ids
/// @param maxTokens how many new tokens at most; [#ALL] for as many as there is room for
/// @param sampling how tokens are picked
/// @param stopIds tokens that end the text
/// @param logprobs how many alternatives each token comes with, 0 to 20, beside its own log-probability;
///     empty for neither
/// @param promptLogprobs whether the prompt's tokens come with the same ([Decoding#prompt]): it is read as a whole
///     then, also where it is known
/// @param priority texts of higher priority come before others in everything; 0 is usual
/// @param deadline how long after its submission the text is ended at the latest; empty for never
/// @param form what the text must be, but where it is ended before it is whole; empty for anything
public record Request(
        int[] prompt,
        int maxTokens,
        Sampling sampling,
        Set<Integer> stopIds,
        OptionalInt logprobs,
        boolean promptLogprobs,
        int priority,
        Optional<Duration> deadline,
        Optional<Form> form) {
    /// What a text must be.
    ///
    /// @param constraint which texts are allowed
    /// @param vocabulary the model's
    public record Form(Constraint constraint, Vocabulary vocabulary) {
        public Form {
            constraint.check(vocabulary);
        }
    }

    /// As many tokens as the model's context and the cache hold.
    public static final int ALL = Integer.MAX_VALUE;

    private static final int MOST_ALTERNATIVES = 20;
    private static final int MAX_TOKENS = 128;
    private static final Duration LONGEST = Duration.ofDays(365);

    public Request {
        if (prompt.length == 0) {
            throw new BadInput("the prompt is empty, expected one token or more.");
        }
        if (maxTokens < 0) {
            throw new BadInput("max tokens is %d, expected 0 or more.".formatted(maxTokens));
        }
        if (logprobs.isPresent() && (logprobs.getAsInt() < 0 || logprobs.getAsInt() > MOST_ALTERNATIVES)) {
            throw new BadInput("logprobs is %d, expected 0 to %d alternatives for each token."
                    .formatted(logprobs.getAsInt(), MOST_ALTERNATIVES));
        }
        if (deadline.isPresent()
                && (deadline.get().isNegative() || deadline.get().compareTo(LONGEST) > 0)) {
            throw new BadInput(
                    "the deadline is %s, expected up to %d days.".formatted(deadline.get(), LONGEST.toDays()));
        }
        prompt = prompt.clone();
        stopIds = Set.copyOf(stopIds);
    }

    /// @return up to 128 tokens after a prompt, picked as is usual, without log-probabilities
    public static Request of(int... prompt) {
        return new Request(
                prompt,
                MAX_TOKENS,
                Sampling.usual(),
                Set.of(),
                OptionalInt.empty(),
                false,
                0,
                Optional.empty(),
                Optional.empty());
    }

    /// @return this with another limit
    public Request withMaxTokens(int value) {
        return new Request(prompt, value, sampling, stopIds, logprobs, promptLogprobs, priority, deadline, form);
    }

    /// @return this with tokens picked in another way
    public Request withSampling(Sampling value) {
        return new Request(prompt, maxTokens, value, stopIds, logprobs, promptLogprobs, priority, deadline, form);
    }

    /// @return this with other stop tokens
    public Request withStopIds(Set<Integer> value) {
        return new Request(prompt, maxTokens, sampling, value, logprobs, promptLogprobs, priority, deadline, form);
    }

    /// @param alternatives for each token, or nothing
    /// @return this with log-probabilities
    public Request withLogprobs(OptionalInt alternatives) {
        return new Request(
                prompt, maxTokens, sampling, stopIds, alternatives, promptLogprobs, priority, deadline, form);
    }

    /// @param value whether the prompt's tokens have log-probabilities, with as many alternatives as the others
    /// @return this with log-probabilities of the prompt, or without
    public Request withPromptLogprobs(boolean value) {
        return new Request(prompt, maxTokens, sampling, stopIds, logprobs, value, priority, deadline, form);
    }

    /// @return this with another priority
    public Request withPriority(int value) {
        return new Request(prompt, maxTokens, sampling, stopIds, logprobs, promptLogprobs, value, deadline, form);
    }

    /// @return this to be ended so long after its submission
    public Request withDeadline(Duration value) {
        return new Request(
                prompt, maxTokens, sampling, stopIds, logprobs, promptLogprobs, priority, Optional.of(value), form);
    }

    /// Of the tokens those are picked that lead to a text of this form, and where it is whole, stop tokens;
    /// where nothing can follow, the text ends.
    ///
    /// @return this for a text of a form
    public Request withForm(Form value) {
        return new Request(
                prompt, maxTokens, sampling, stopIds, logprobs, promptLogprobs, priority, deadline, Optional.of(value));
    }
}
