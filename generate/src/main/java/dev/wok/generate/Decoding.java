package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A text that an [Engine] is generating, begun by [Engine#submit]. It goes on whether or not anyone asks
/// for its tokens. For any number of threads.
public final class Decoding {
    private final List<Token> tokens = new ArrayList<>();
    private List<Token> prompt = List.of();
    private int given;
    private int known;
    private int promptTokens;
    private int steps;
    private int drafts;
    private int accepted;
    private long prefillNanos;
    private long decodeNanos;
    private Generation.@Nullable FinishReason reason;
    private @Nullable Token stop;
    private @Nullable RuntimeException failure;

    Decoding() {}

    /// Waits for the next token. A thread that is interrupted meanwhile cancels the text.
    ///
    /// @return nothing where the text has ended; stop tokens are left out
    /// @throws BadInput where the model gives no numbers
    /// @throws IllegalStateException where the engine failed or was closed
    public synchronized Optional<Token> next() {
        while (given == tokens.size() && !hasEnded()) {
            pause();
        }
        if (given < tokens.size()) {
            return Optional.of(tokens.get(given++));
        }
        requireNoFailure();
        return Optional.empty();
    }

    /// Waits for the end. A thread that is interrupted meanwhile cancels the text.
    ///
    /// @return what came of it
    /// @throws BadInput where the model gives no numbers
    /// @throws IllegalStateException where the engine failed or was closed
    public synchronized Generation await() {
        while (!hasEnded()) {
            pause();
        }
        requireNoFailure();
        return result();
    }

    private synchronized void pause() {
        try {
            wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cancel();
        }
    }

    private void requireNoFailure() {
        if (failure instanceof BadInput bad) {
            throw bad;
        }
        if (failure != null) {
            throw new IllegalStateException(failure.getMessage(), failure);
        }
    }

    /// Ends the text with what was generated so far.
    public void stop() {
        end(Generation.FinishReason.STOP);
    }

    /// Ends the text with what was generated so far; nothing where it has ended.
    public void cancel() {
        end(Generation.FinishReason.CANCELLED);
    }

    /// @return whether nothing more will come
    public synchronized boolean hasEnded() {
        return reason != null || failure != null;
    }

    /// @return tokens of the prompt that were in the cache already
    public synchronized int knownTokens() {
        return known;
    }

    /// @return the prompt's tokens with their log-probabilities, of which the first has none (NaN); nothing where they
    ///     were not asked for, or before the prompt was read
    public synchronized List<Token> prompt() {
        return prompt;
    }

    /// @return the stop token that was picked where the text ended with one, with its log-probabilities
    public synchronized Optional<Token> stopToken() {
        return Optional.ofNullable(stop);
    }

    /// @return what came of it, so far where it has not ended: then it counts as cancelled
    public synchronized Generation result() {
        return new Generation(
                tokens,
                reason == null ? Generation.FinishReason.CANCELLED : reason,
                promptTokens,
                prefillNanos * 1e-9,
                steps,
                decodeNanos * 1e-9,
                new Generation.Drafts(drafts, accepted));
    }

    // ---------------------------------------------------------------------------------------------- for the engine

    synchronized void end(Generation.FinishReason why) {
        if (!hasEnded()) {
            reason = why;
            notifyAll();
        }
    }

    /// Ends the text with a stop token, which is none of its tokens.
    synchronized void end(Token stopToken) {
        if (!hasEnded()) {
            stop = stopToken;
            end(Generation.FinishReason.STOP);
        }
    }

    synchronized void fail(RuntimeException why) {
        if (!hasEnded()) {
            failure = why;
            notifyAll();
        }
    }

    /// Notes that the prompt was read.
    ///
    /// @param inCache tokens of it that need not be read
    /// @param read those that were
    synchronized void began(int inCache, int read, long nanos) {
        known = inCache;
        promptTokens = read;
        prefillNanos = nanos;
    }

    /// Takes the prompt's tokens with their log-probabilities.
    synchronized void scored(Token... all) {
        prompt = List.of(all);
    }

    /// Notes that a draft was read.
    ///
    /// @param right whether it was what was picked
    synchronized void drafted(boolean right) {
        drafts++;
        accepted += right ? 1 : 0;
    }

    /// Takes a token, but where the text has ended meanwhile.
    ///
    /// @param step whether the model ran for it after the prompt
    /// @param nanos since the prompt was read
    synchronized void add(Token token, boolean step, long nanos) {
        if (!hasEnded()) {
            tokens.add(token);
            steps += step ? 1 : 0;
            decodeNanos = nanos;
            notifyAll();
        }
    }
}
