package dev.wok.tune;

import dev.wok.generate.Decoding;
import dev.wok.generate.Engine;
import dev.wok.generate.Generation;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.generate.Token;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.tensor.Rng;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/// Draws answers from a model that is learning, on the weights that it has at that moment.
final class Rollouts implements AutoCloseable {
    /// Tokens of a prompt that are worth waiting for.
    private static final int LONG = 32;

    private final Engine engine;
    private final Set<Integer> stopIds;

    /// @param model stays the caller's
    /// @param sequences texts at once, at most
    Rollouts(Model model, Tokenizer tokenizer, int sequences) {
        engine = new Engine(
                model,
                Engine.Settings.on(model.kernels().stream().device())
                        .withSequences(Math.clamp(sequences, 1, Model.CHUNK))
                        .withSpeculation(Engine.Speculation.NEVER));
        stopIds = stopIds(model.config(), tokenizer);
    }

    /// @return the tokens that end an answer: what the model's configuration and its tokenizer say
    static Set<Integer> stopIds(ModelConfig config, Tokenizer tokenizer) {
        Set<Integer> stops = new HashSet<>(config.eosTokenIds());
        tokenizer.eosId().ifPresent(stops::add);
        return Set.copyOf(stops);
    }

    /// @return which draws, for those who ask it themselves
    Engine engine() {
        return engine;
    }

    /// Draws answers to prompts, all at once.
    ///
    /// @param each answers of a prompt, one after another in the result
    /// @param sampling at a temperature, without filters; its seed is not looked at
    /// @param maxTokens of an answer, the stop token included
    /// @param rng of the draws; an answer's depend on the places of its prompt and of itself alone
    /// @return in order
    List<Rollout> draw(List<int[]> prompts, int each, Sampling sampling, int maxTokens, Rng rng) {
        Decoding[] decodings = new Decoding[prompts.size() * each];
        for (int i = 0; i < each; i++) {
            for (int p = 0; p < prompts.size(); p++) {
                Request request = Request.of(prompts.get(p))
                        .withMaxTokens(maxTokens)
                        .withStopIds(stopIds)
                        .withLogprobs(OptionalInt.of(0))
                        .withSampling(sampling.withSeed(rng.split(p).bits(i)));
                decodings[p * each + i] = engine.submit(request);
            }
            if (i == 0 && each > 1) {
                awaitPrompts(prompts, decodings, each);
            }
        }
        List<Rollout> drawn = new ArrayList<>();
        for (int i = 0; i < decodings.length; i++) {
            drawn.add(rollout(prompts.get(i / each), decodings[i]));
        }
        return drawn;
    }

    /// What one answer has read of a long prompt, the others to it need not read.
    private static void awaitPrompts(List<int[]> prompts, Decoding[] decodings, int each) {
        for (int p = 0; p < prompts.size(); p++) {
            if (prompts.get(p).length >= LONG) {
                var _ = decodings[p * each].next();
            }
        }
    }

    private static Rollout rollout(int[] prompt, Decoding decoding) {
        Generation generation = decoding.await();
        List<Token> tokens = new ArrayList<>(generation.tokens());
        decoding.stopToken().ifPresent(tokens::add);
        return new Rollout(
                prompt,
                tokens.stream().mapToInt(Token::id).toArray(),
                tokens.stream().mapToDouble(Token::logprob).toArray(),
                generation.finishReason() == Generation.FinishReason.LENGTH);
    }

    /// Runs something that uses or changes the model, while nothing is drawn; what was known of texts
    /// is forgotten.
    void learning(Runnable use) {
        engine.between(use);
        engine.forget();
    }

    @Override
    public void close() {
        engine.close();
    }
}
