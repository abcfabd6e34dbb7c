package dev.wok.generate;

import dev.wok.generate.json.Matcher;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A text that an engine works on: what was asked, what is picked, and who hears of it. For the engine's thread.
final class Text {
    private final Request request;
    private final int limit;
    private final Sampler sampler;
    private final @Nullable Matcher matcher;
    private final long deadline;
    private long begun;
    private long answered;
    private int known;

    final Decoding decoding = new Decoding();
    final Sequence sequence;

    /// @param number of its arrival
    /// @param limit of the text's tokens
    /// @param vocabulary how many logits there are
    Text(long number, Request request, int limit, int vocabulary) {
        this.request = request;
        this.limit = limit;
        sequence = new Sequence(number, request.priority(), request.prompt());
        sampler = new Sampler(request.sampling(), vocabulary);
        for (int id : request.prompt()) {
            sampler.read(id);
        }
        matcher = request.form()
                .map(form -> form.constraint().matcher(form.vocabulary()))
                .orElse(null);
        long now = System.nanoTime();
        deadline = request.deadline().map(duration -> now + duration.toNanos()).orElse(Long.MAX_VALUE);
        if (limit == request.prompt().length) {
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
    void reads(long now) {
        if (begun == 0) {
            begun = now;
            known = sequence.read();
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
        }
        int length = sequence.length();
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
        if (request.stopIds().contains(token.id())) {
            decoding.end(Generation.FinishReason.STOP);
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

    /// Leaves the tokens that may come next. A stop token is one where the text is whole, whatever it says.
    private void mask(float[] logits) {
        if (matcher == null) {
            return;
        }
        int[] stops = request.stopIds().stream().mapToInt(id -> id).toArray();
        float[] kept = new float[stops.length];
        for (int i = 0; i < stops.length; i++) {
            kept[i] = matcher.mayEnd() ? logits[stops[i]] : Float.NEGATIVE_INFINITY;
        }
        Masked.apply(logits, matcher.allowed());
        for (int i = 0; i < stops.length; i++) {
            logits[stops[i]] = kept[i];
        }
    }
}
