package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A text that an engine works on: what was asked, what is picked, and who hears of it. For the engine's thread.
final class Text {
    private final Request request;
    private final int limit;
    private final Sampler sampler;
    private final @Nullable FlowMatcher matcher;

    /// The prompt, as far as it is known what the model says of it; of no length where nobody asks.
    private final Token[] scored;

    private final long deadline;
    private long begun;
    private long answered;
    private int known;

    /// Tokens of the prompt that were read once, or known.
    private int seen;

    final Decoding decoding = new Decoding();
    final Sequence sequence;

    /// @param number of its arrival
    /// @param limit of the text's tokens
    /// @param vocabulary how many logits there are
    Text(long number, Request request, int limit, int vocabulary) {
        this.request = request;
        this.limit = limit;
        sequence = new Sequence(number, request.priority(), request.prompt());
        scored = new Token[request.promptLogprobs() ? request.prompt().length : 0];
        if (scored.length > 0) {
            scored[0] = new Token(request.prompt()[0], Double.NaN, List.of());
            sequence.scored();
        }
        sampler = new Sampler(request.sampling(), vocabulary);
        for (int id : request.prompt()) {
            sampler.read(id);
        }
        matcher = request.form()
                .map(form -> form.constraint().matcher(form.vocabulary(), request.stopIds()))
                .orElse(null);
        long now = System.nanoTime();
        deadline = request.deadline().map(duration -> now + duration.toNanos()).orElse(Long.MAX_VALUE);
        if (limit == request.prompt().length && scored.length == 0) {
            decoding.end(Generation.FinishReason.LENGTH);
        }
    }

    /// @return whether nothing more is to be computed
    boolean hasEnded(long now) {
        if (request.deadline().isPresent() && now - deadline > 0) {
            decoding.end(Generation.FinishReason.DEADLINE);
        }
        return decoding.hasEnded();
    }

    /// Notes that tokens are going to be read.
    ///
    /// @return what of the prompt was known that was not seen before, and what is read of it for the first time
    Seen reads(Step.Reading reading, long now) {
        if (begun == 0) {
            begun = now;
        }
        int length = request.prompt().length;
        int from = Math.clamp(reading.from(), seen, length);
        int to = Math.clamp(reading.from() + (long) reading.count(), from, length);
        int before = seen;
        known += from - before;
        seen = to;
        return new Seen(from - before, to - from);
    }

    /// What an engine gets to see of a prompt for the first time.
    ///
    /// @param known tokens that need not be read
    /// @param read those that are
    record Seen(int known, int read) {}

    /// @param position of a token that was read
    /// @return whether what comes after it is the prompt's, which [#score] takes, and not picked
    boolean scores(int position) {
        return position + 1 < scored.length;
    }

    /// Says what the model thinks of a token of the prompt. For any thread, each token once.
    ///
    /// @param position of the token before
    /// @param logits `[vocab]` after that
    void score(int position, float[] logits) {
        int next = position + 1;
        try {
            scored[next] = new LogSoftmax(logits, request.logprobs().orElse(0)).token(request.prompt()[next]);
        } catch (BadInput e) {
            decoding.fail(e);
        }
    }

    /// Picks the next token, and the one after where the draft is right.
    ///
    /// @param logits `[vocab]` after the last token, and where there is a draft, after that; overwritten
    /// @return whether the draft was right; nothing where there is none
    Optional<Boolean> pick(List<float[]> logits, long now) {
        boolean first = answered == 0;
        if (first) {
            answered = now;
            decoding.began(known, request.prompt().length - known, now - begun);
            if (scored.length > 0 && !decoding.hasEnded()) {
                decoding.scored(scored);
            }
        }
        int length = sequence.length();
        if (length == limit) {
            decoding.end(Generation.FinishReason.LENGTH);
            return Optional.empty();
        }
        int draft = logits.size() > 1 ? sequence.text()[length] : -1;
        pick(logits.getFirst(), !first);
        if (logits.size() == 1) {
            return Optional.empty();
        }
        boolean right = sequence.length() > length && sequence.text()[length] == draft;
        decoding.drafted(right);
        if (right && !decoding.hasEnded()) {
            pick(logits.getLast(), false);
        }
        return Optional.of(right);
    }

    /// @param step whether the model ran for it after the prompt
    private void pick(float[] logits, boolean step) {
        Token token;
        try {
            token = token(logits);
        } catch (BadInput e) {
            decoding.fail(e);
            return;
        }
        if (matcher == null ? request.stopIds().contains(token.id()) : matcher.ends(token.id())) {
            decoding.end(token);
            return;
        }
        sequence.add(token.id());
        sampler.add(token.id());
        decoding.add(token, step, System.nanoTime() - answered);
        if (matcher != null) {
            matcher.accept(token.id());
            if (matcher.mustEnd()) {
                decoding.end(Generation.FinishReason.STOP);
            }
        }
        if (sequence.length() == limit) {
            decoding.end(Generation.FinishReason.LENGTH);
        }
    }

    /// @return whether the text may be anything
    boolean isFree() {
        return matcher == null;
    }

    /// @return whether a draft of the next token could save a step
    boolean takesDraft() {
        return answered != 0 && sequence.length() + 1 < limit && !decoding.hasEnded();
    }

    /// Takes as a draft what would be picked next.
    ///
    /// @param logits `[vocab]`, a guess of those to come; overwritten
    void draft(float[] logits) {
        mask(logits);
        try {
            sequence.draft(sampler.foresee(logits));
        } catch (BadInput _) {
            // Guesses without numbers are no reason to end a text, and count as wrong ones.
            sequence.draft(0);
        }
    }

    private Token token(float[] logits) {
        if (request.logprobs().isEmpty()) {
            mask(logits);
            return new Token(sampler.pick(logits), Double.NaN, List.of());
        }
        LogSoftmax probabilities = new LogSoftmax(logits, request.logprobs().getAsInt());
        mask(logits);
        return probabilities.token(sampler.pick(logits));
    }

    private void mask(float[] logits) {
        if (matcher != null) {
            matcher.mask(logits);
        }
    }
}
