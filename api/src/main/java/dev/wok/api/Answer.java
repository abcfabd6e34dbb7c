package dev.wok.api;

import dev.wok.generate.Constraint;
import dev.wok.generate.Decoding;
import dev.wok.generate.Engine;
import dev.wok.generate.Generation;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.generate.Token;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/// What a [Model] answers. Nothing is computed before it is asked for, by [#iterator] or [#text]; then
/// it goes on beside the model's other answers, whether or not anyone reads it. The figures are there
/// once the answer was read to its end or cancelled.
///
/// ```java
/// Answer answer = model.generate("Once upon a time");
/// for (String piece : answer) {
///     System.out.print(piece);
/// }
/// System.out.println(answer.finishReason());
///
/// List<Answer> together = prompts.stream().map(p -> model.generate(p).begin()).toList();
/// together.forEach(one -> System.out.println(one.text()));
/// ```
///
/// One thread reads an answer; [#cancel] may be called from any.
public final class Answer implements Iterable<String> {

    /// How a model shall answer: [#defaults], changed by the `with` methods.
    ///
    /// ```java
    /// Answer.Options.defaults().withMaxTokens(100).withStops("\n\n").withSampling(Sampling.greedy())
    /// ```
    ///
    /// @param maxTokens new tokens at most; [Request#ALL] for as many as there is room for
    /// @param sampling how tokens are picked
    /// @param stops text that ends the answer and is left out of it, as is what follows; special tokens
    ///     are no text
    /// @param stopIds tokens that end the answer, beside those that the model knows
    /// @param ignoreEos whether to go on after the tokens with which the model ends a text
    /// @param logprobs how many alternatives each token comes with, 0 to 20, beside its own
    ///     log-probability; empty for neither
    /// @param constraint what the text must be, but where it is ended before it is whole; empty for
    ///     anything
    /// @param promptLogprobs whether the prompt's tokens come with what `logprobs` says, too
    /// @param deadline how long after its beginning the answer is ended at the latest; empty for never
    public record Options(
            int maxTokens,
            Sampling sampling,
            List<String> stops,
            Set<Integer> stopIds,
            boolean ignoreEos,
            OptionalInt logprobs,
            Optional<Constraint> constraint,
            boolean promptLogprobs,
            Optional<Duration> deadline) {
        private static final int MAX_TOKENS = 1024;

        public Options {
            stops = List.copyOf(stops);
            stopIds = Set.copyOf(stopIds);
            if (stops.contains("")) {
                throw new BadInput("a stop string is empty, expected one character or more.");
            }
        }

        /// @return up to 1024 tokens, picked as is usual, until the model ends the text
        public static Options defaults() {
            return new Options(
                    MAX_TOKENS,
                    Sampling.usual(),
                    List.of(),
                    Set.of(),
                    false,
                    OptionalInt.empty(),
                    Optional.empty(),
                    false,
                    Optional.empty());
        }

        /// @return these with another limit
        public Options withMaxTokens(int value) {
            return new Options(
                    value, sampling, stops, stopIds, ignoreEos, logprobs, constraint, promptLogprobs, deadline);
        }

        /// @return these with tokens picked in another way
        public Options withSampling(Sampling value) {
            return new Options(
                    maxTokens, value, stops, stopIds, ignoreEos, logprobs, constraint, promptLogprobs, deadline);
        }

        /// @return these with other stop strings
        public Options withStops(String... values) {
            return new Options(
                    maxTokens,
                    sampling,
                    List.of(values),
                    stopIds,
                    ignoreEos,
                    logprobs,
                    constraint,
                    promptLogprobs,
                    deadline);
        }

        /// @return these with other stop tokens
        public Options withStopIds(int... values) {
            Set<Integer> ids = new HashSet<>(IntStream.of(values).boxed().toList());
            return new Options(
                    maxTokens, sampling, stops, ids, ignoreEos, logprobs, constraint, promptLogprobs, deadline);
        }

        /// @return these, going on where the model would end, or not
        public Options withIgnoreEos(boolean value) {
            return new Options(
                    maxTokens, sampling, stops, stopIds, value, logprobs, constraint, promptLogprobs, deadline);
        }

        /// @param alternatives for each token, 0 to 20
        /// @return these with log-probabilities
        public Options withLogprobs(int alternatives) {
            return new Options(
                    maxTokens,
                    sampling,
                    stops,
                    stopIds,
                    ignoreEos,
                    OptionalInt.of(alternatives),
                    constraint,
                    promptLogprobs,
                    deadline);
        }

        /// @param value such as `Constraint.schema(json)` or `Constraint.anyJson()`
        /// @return these for an answer that is what the constraint allows
        public Options withConstraint(Constraint value) {
            return new Options(
                    maxTokens,
                    sampling,
                    stops,
                    stopIds,
                    ignoreEos,
                    logprobs,
                    Optional.of(value),
                    promptLogprobs,
                    deadline);
        }

        /// @return these, with log-probabilities of the prompt's tokens too
        public Options withPromptLogprobs(boolean value) {
            return new Options(maxTokens, sampling, stops, stopIds, ignoreEos, logprobs, constraint, value, deadline);
        }

        /// @return these for an answer that is ended so long after its beginning
        public Options withDeadline(Duration value) {
            return new Options(
                    maxTokens,
                    sampling,
                    stops,
                    stopIds,
                    ignoreEos,
                    logprobs,
                    constraint,
                    promptLogprobs,
                    Optional.of(value));
        }
    }

    private final Engine engine;
    private final Request request;
    private final Optional<Tokenizer.Decoder> decoder;
    private final StopText stops;
    private final StringBuilder text = new StringBuilder();

    private final List<Heard> heard = new ArrayList<>();

    private int decoded;

    /// A token that came.
    ///
    /// @param start how much text there was before it
    record Heard(Token token, int start) {}

    /// What came since somebody looked last.
    ///
    /// @param text known to be the answer's
    /// @param decoded how much text the tokens so far are, what is held back included
    record News(String text, List<Heard> tokens, int decoded, boolean ended) {}

    private final ReentrantLock reading = new ReentrantLock();
    private boolean iterated;
    private volatile @Nullable Decoding decoding;
    private volatile @Nullable Generation ended;
    private volatile @Nullable RuntimeException failure;
    private volatile boolean cancelled;

    Answer(Engine engine, Request request, Optional<Tokenizer.Decoder> decoder, List<String> stops) {
        this.engine = engine;
        this.request = request;
        this.decoder = decoder;
        this.stops = new StopText(stops);
    }

    /// Begins to compute, where that was not asked for before, and does not wait: many answers that are
    /// begun before the first is read are computed together.
    ///
    /// @return this
    public Answer begin() {
        reading.lock();
        try {
            if (!hasEnded() && !cancelled) {
                begun();
            }
        } finally {
            reading.unlock();
        }
        return this;
    }

    /// Gives the text in pieces of whole characters, each as soon as it is known. A model without a
    /// tokenizer gives none.
    ///
    /// @throws IllegalStateException where the answer was iterated or read before: it is computed once
    @Override
    public Iterator<String> iterator() {
        if (iterated) {
            throw new IllegalStateException("the answer was read before and is computed once; text() has all of it");
        }
        iterated = true;
        Spliterator<Reply.Text> pieces = Spliterators.spliteratorUnknownSize(pieces(), Spliterator.ORDERED);
        return StreamSupport.stream(pieces, false)
                .map(Reply.Text::text)
                .filter(piece -> !piece.isEmpty())
                .iterator();
    }

    /// Gives the text in pieces with their tokens, each as soon as it is known. The tokens are those of
    /// [#tokens].
    ///
    /// @return the pieces, to be iterated once in place of the answer
    public Iterator<Reply.Text> pieces() {
        return new TokenPieces(this);
    }

    /// Waits for a token, where nothing has come that nobody looked at.
    ///
    /// @param characters of text that were looked at
    /// @param tokens that were looked at
    News news(int characters, int tokens) {
        iterated = true;
        if (!hasEnded() && heard.size() == tokens) {
            step();
        }
        reading.lock();
        try {
            return new News(
                    text.substring(characters), List.copyOf(heard.subList(tokens, heard.size())), decoded, hasEnded());
        } finally {
            reading.unlock();
        }
    }

    /// Waits for what is left.
    ///
    /// @return the whole text, what an iterator gave included
    public String text() {
        iterated = true;
        while (!hasEnded()) {
            step();
        }
        return text.toString();
    }

    private boolean hasEnded() {
        if (failure != null) {
            throw new IllegalStateException("the answer failed before: " + failure.getMessage(), failure);
        }
        return ended != null;
    }

    /// Waits for one token.
    private void step() {
        reading.lock();
        try {
            if (ended == null) {
                hear(cancelled ? Optional.empty() : begun().next());
            }
        } catch (RuntimeException | Error e) {
            failure = e instanceof RuntimeException exception ? exception : new IllegalStateException(e);
            throw e;
        } finally {
            reading.unlock();
        }
        endIfCancelled();
    }

    private Decoding begun() {
        Decoding begun = decoding;
        if (begun == null) {
            begun = engine.submit(request);
            decoding = begun;
            if (cancelled) {
                begun.cancel();
            }
        }
        return begun;
    }

    private void hear(Optional<Token> token) {
        if (token.isEmpty()) {
            end();
            return;
        }
        heard.add(new Heard(token.get(), decoded));
        int id = token.get().id();
        decoder.ifPresent(d -> take(d.append(id)));
        if (stops.found()) {
            end();
        }
    }

    private void take(String piece) {
        decoded += piece.length();
        text.append(stops.append(piece));
    }

    private void end() {
        if (!stops.found()) {
            decoder.ifPresent(d -> take(d.finish()));
            text.append(stops.finish());
        }
        Decoding begun = decoding;
        if (begun != null && stops.found()) {
            begun.stop();
        }
        ended = begun == null
                ? new Generation(List.of(), Generation.FinishReason.CANCELLED, 0, 0, 0, 0, Generation.Drafts.NONE)
                : known(begun.result());
    }

    /// Leaves out what was generated after the text had ended, or was not heard of.
    private Generation known(Generation all) {
        int count = stops.found()
                ? (int) heard.stream()
                        .filter(one -> one.start < stops.released())
                        .count()
                : heard.size();
        return new Generation(
                all.tokens().subList(0, count),
                reason(all),
                all.promptTokens(),
                all.prefillSeconds(),
                all.decodeSteps(),
                all.decodeSeconds(),
                all.drafts());
    }

    /// What was generated before it was cancelled may have ended for another reason that nobody heard of.
    private Generation.FinishReason reason(Generation all) {
        if (stops.found()) {
            return Generation.FinishReason.STOP;
        }
        return heard.size() < all.tokens().size() ? Generation.FinishReason.CANCELLED : all.finishReason();
    }

    /// Ends the answer after the step in progress, with the text so far; from any thread, also where
    /// nobody reads it. An answer that has ended stays as it is.
    public void cancel() {
        cancelled = true;
        Decoding begun = decoding;
        if (begun != null) {
            begun.cancel();
        }
        endIfCancelled();
    }

    /// Whoever is reading does it after the step; without a reader it is done here.
    private void endIfCancelled() {
        if (cancelled && ended == null && failure == null && reading.tryLock()) {
            try {
                if (ended == null && failure == null) {
                    end();
                }
            } finally {
                reading.unlock();
            }
        }
    }

    private Generation ended() {
        Generation generation = hasEnded() ? ended : null;
        if (generation == null) {
            throw new IllegalStateException("the answer has not ended; read it to its end, or call text() first");
        }
        return generation;
    }

    /// @return the new tokens; without the one that ended the text, and without those that lie wholly
    ///     in a stop string or after it
    /// @throws IllegalStateException where the answer has not ended
    public int[] ids() {
        return ended().ids();
    }

    /// @return the tokens of [#ids], with log-probabilities where these were asked for
    /// @throws IllegalStateException where the answer has not ended
    public List<Token> tokens() {
        return ended().tokens();
    }

    /// @return why the answer ended
    /// @throws IllegalStateException where it has not
    public Generation.FinishReason finishReason() {
        return ended().finishReason();
    }

    /// @return the prompt's tokens with their log-probabilities, where they were asked for and the
    ///     prompt was read; the first has none (NaN)
    /// @throws IllegalStateException where the answer has not ended
    public List<Token> promptLogprobs() {
        ended();
        Decoding begun = decoding;
        return begun == null ? List.of() : begun.prompt();
    }

    /// @return the stop string that ended the answer
    /// @throws IllegalStateException where the answer has not ended
    public Optional<String> stoppedBy() {
        ended();
        return stops.stop();
    }

    /// @return tokens of the prompt
    public int promptTokens() {
        return request.prompt().length;
    }

    /// @return tokens of the prompt that had been read for another answer
    /// @throws IllegalStateException where the answer has not ended
    public int knownTokens() {
        ended();
        Decoding begun = decoding;
        return begun == null ? 0 : begun.knownTokens();
    }

    /// @return tokens of the prompt read per second, those known before left out
    /// @throws IllegalStateException where the answer has not ended
    public double prefillTokensPerSecond() {
        return ended().prefillTokensPerSecond();
    }

    /// @return new tokens per second after the first
    /// @throws IllegalStateException where the answer has not ended
    public double decodeTokensPerSecond() {
        return ended().decodeTokensPerSecond();
    }

    /// @return what speculative decoding did
    /// @throws IllegalStateException where the answer has not ended
    public Generation.Drafts drafts() {
        return ended().drafts();
    }
}
