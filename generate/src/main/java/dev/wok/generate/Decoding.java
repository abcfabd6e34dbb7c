package dev.wok.generate;

import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A generation in progress, made by [Generator#begin]: each call computes one token. One thread at a
/// time, but for [#cancel].
public final class Decoding {
    private final Generator generator;
    private final Request request;
    private final int limit;
    private final Sampler sampler;
    private final List<Token> tokens = new ArrayList<>();

    private float[] logits = new float[0];
    private Generation.@Nullable FinishReason reason;
    private boolean prepared;
    private int known;
    private int read;
    private int steps;
    private long prefillNanos;
    private long decodeNanos;
    private volatile boolean cancelled;

    Decoding(Generator generator, Request request, int limit, Sampler sampler) {
        this.generator = generator;
        this.request = request;
        this.limit = limit;
        this.sampler = sampler;
        for (int id : request.prompt()) {
            sampler.read(id);
        }
    }

    /// Computes the next token; the first call reads the prompt.
    ///
    /// @return nothing where the text has ended; stop tokens are left out
    /// @throws BadInput where the model gives no numbers
    /// @throws IllegalStateException where the generator has begun something else
    public Optional<Token> next() {
        if (reason != null) {
            return Optional.empty();
        }
        if (!generator.isCurrent(this)) {
            throw new IllegalStateException("the generator has begun another text; this one cannot go on");
        }
        if (read < request.prompt().length) {
            long begin = System.nanoTime();
            prefill();
            prefillNanos += System.nanoTime() - begin;
        }
        long begin = System.nanoTime();
        Optional<Token> token = decode();
        decodeNanos += System.nanoTime() - begin;
        return token;
    }

    private void prefill() {
        while (read < request.prompt().length && !cancelled) {
            generator.turns().take(this::readChunk);
        }
    }

    private void readChunk() {
        int[] prompt = request.prompt();
        if (!prepared) {
            known = generator.prepare(prompt, limit);
            read = known;
            prepared = true;
        }
        int to = Math.min(prompt.length, read + Model.CHUNK);
        logits = generator.read(read, to);
        read = to;
    }

    private Optional<Token> decode() {
        int length = request.prompt().length + tokens.size();
        if (cancelled) {
            return end(Generation.FinishReason.CANCELLED);
        }
        if (length == limit) {
            return end(Generation.FinishReason.LENGTH);
        }
        if (read < length) {
            generator.turns().take(() -> logits = generator.read(length - 1, length));
            read = length;
            steps++;
        }
        Token token = pick();
        if (request.stopIds().contains(token.id())) {
            return end(Generation.FinishReason.STOP);
        }
        generator.append(length, token.id());
        sampler.add(token.id());
        tokens.add(token);
        return Optional.of(token);
    }

    private Token pick() {
        if (request.logprobs().isEmpty()) {
            return new Token(sampler.pick(logits), Double.NaN, List.of());
        }
        LogSoftmax probabilities = new LogSoftmax(logits, request.logprobs().getAsInt());
        return probabilities.token(sampler.pick(logits));
    }

    private Optional<Token> end(Generation.FinishReason why) {
        reason = why;
        return Optional.empty();
    }

    /// Ends the text with the last token that was given out.
    public void stop() {
        if (reason == null) {
            reason = Generation.FinishReason.STOP;
        }
    }

    /// Ends the text after the step in progress; from any thread.
    public void cancel() {
        cancelled = true;
    }

    /// @return tokens of the prompt that were in the cache already
    public int knownTokens() {
        return known;
    }

    /// @return what came of it, so far where it has not ended: then it counts as cancelled
    public Generation result() {
        return new Generation(
                tokens,
                reason == null ? Generation.FinishReason.CANCELLED : reason,
                read == 0 ? 0 : Math.min(read, request.prompt().length) - known,
                prefillNanos * 1e-9,
                steps,
                decodeNanos * 1e-9);
    }
}
