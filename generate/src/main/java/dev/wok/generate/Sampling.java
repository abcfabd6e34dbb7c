package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// How a token is picked from logits: [#greedy], [#usual] or [#atTemperature], changed by the `with`
/// methods.
///
/// ```java
/// Sampling.atTemperature(0.7).withTopK(50).withSeed(1)
/// ```
///
/// The steps apply in this order. To the logits, in double precision and rounded to float32 after all of
/// them: bias, repetition penalty, frequency and presence penalty. Then temperature, top-k, top-p over
/// what top-k left, min-p, and a draw among what is left in proportion to its probabilities.
///
/// @param temperature divides the logits; 0 takes the likeliest token and ignores the filters
/// @param topK keeps so many of the likeliest tokens; 0 keeps all
/// @param topP keeps the likeliest tokens until their probabilities sum to this; 1 keeps all
/// @param minP drops tokens less likely than this share of the likeliest one; 0 keeps all
/// @param repetitionPenalty divides positive and multiplies negative logits of tokens that are in the
///     text already, the prompt included (N. Keskar et al., CTRL, 2019); 1 for none
/// @param frequencyPenalty is subtracted from a token's logit for each time that it was generated, -2 to
///     2
/// @param presencePenalty is subtracted once from the logit of a token that was generated, -2 to 2
/// @param logitBias is added to the logits of these ids, -100 to 100; the ends as good as forbid a token
///     or force it
/// @param seed of the draws
public record Sampling(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        double frequencyPenalty,
        double presencePenalty,
        Map<Integer, Double> logitBias,
        long seed) {
    private static final double MOST_PENALTY = 2;
    private static final double MOST_BIAS = 100;

    public Sampling {
        require("temperature", temperature, temperature >= 0 && temperature < 1e6, "0 or more");
        require("top-k", topK, topK >= 0, "0 (all) or more");
        require("top-p", topP, topP > 0 && topP <= 1, "above 0, at most 1");
        require("min-p", minP, minP >= 0 && minP <= 1, "0 to 1");
        require("repetition penalty", repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty < 1e6, "above 0");
        require("frequency penalty", frequencyPenalty, Math.abs(frequencyPenalty) <= MOST_PENALTY, "-2 to 2");
        require("presence penalty", presencePenalty, Math.abs(presencePenalty) <= MOST_PENALTY, "-2 to 2");
        logitBias = Map.copyOf(logitBias);
        new TreeMap<>(logitBias).forEach((id, bias) -> {
            require("a token id in the logit bias", id, id >= 0, "0 or more");
            require("the logit bias of token " + id, bias, Math.abs(bias) <= MOST_BIAS, "-100 to 100");
        });
    }

    private static void require(String name, Number given, boolean holds, String expected) {
        if (!holds) {
            throw new BadInput("%s is %s, expected %s.".formatted(name, given, expected));
        }
    }

    /// @return the likeliest token, always
    public static Sampling greedy() {
        return atTemperature(0);
    }

    /// @return temperature 0.8 and top-p 0.95
    public static Sampling usual() {
        return atTemperature(0.8).withTopP(0.95);
    }

    /// @return draws from all tokens
    public static Sampling atTemperature(double temperature) {
        return new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(), 0);
    }

    /// Reads how those who made a model want tokens picked: `temperature`, `top_p`, `top_k`, `min_p` and
    /// `repetition_penalty` of a folder's `generation_config.json`.
    ///
    /// @param folderOrFile a model folder, or something else, which says nothing
    /// @return [#atTemperature] 1 but for what is said there; nothing where none of them is
    /// @throws BadInput where the file cannot be read, or a value has no meaning
    public static Optional<Sampling> load(Path folderOrFile) {
        return SamplingFile.read(folderOrFile.resolve("generation_config.json"));
    }

    /// @return this at another temperature
    public Sampling withTemperature(double value) {
        return new Sampling(
                value, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    /// @return this from so many of the likeliest tokens
    public Sampling withTopK(int value) {
        return new Sampling(
                temperature, value, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    /// @return this from the likeliest tokens whose probabilities sum to a value
    public Sampling withTopP(double value) {
        return new Sampling(
                temperature, topK, value, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    /// @return this from tokens that are not too much less likely than the likeliest
    public Sampling withMinP(double value) {
        return new Sampling(
                temperature, topK, topP, value, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    /// @return this with another penalty on what is in the text already
    public Sampling withRepetitionPenalty(double value) {
        return new Sampling(temperature, topK, topP, minP, value, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    /// @return this with another penalty on how often a token was generated
    public Sampling withFrequencyPenalty(double value) {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, value, presencePenalty, logitBias, seed);
    }

    /// @return this with another penalty on whether a token was generated
    public Sampling withPresencePenalty(double value) {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, value, logitBias, seed);
    }

    /// @return this with other biases in place of those before
    public Sampling withLogitBias(Map<Integer, Double> value) {
        return new Sampling(
                temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, value, seed);
    }

    /// @return this with other draws
    public Sampling withSeed(long value) {
        return new Sampling(
                temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, value);
    }
}
