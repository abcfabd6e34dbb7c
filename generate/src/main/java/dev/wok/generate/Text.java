package dev.wok.generate;

import dev.wok.generate.json.Matcher;
import dev.wok.notice.BadInput;
import java.util.List;
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

    /// Picks the next token.
    ///
    /// @param logits `[vocab]`, overwritten
    void pick(float[] logits, long now) {
        boolean first = answered == 0;
        if (first) {
            answered = now;
            decoding.began(known, request.prompt().length - known, now - begun);
        }
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
        decoding.add(token, !first, System.nanoTime() - answered);
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
