package dev.wok.generate;

import dev.wok.notice.BadInput;

/// How a token is picked from logits. The steps apply in this order: repetition penalty, temperature, top-k, top-p,
/// min-p, then a draw.
///
/// @param temperature divides the logits; 0 takes the likeliest token and ignores the rest
/// @param topK keeps so many of the likeliest tokens; 0 keeps all
/// @param topP keeps the likeliest tokens until their probabilities sum to this; 1 keeps all
/// @param minP drops tokens less likely than this share of the likeliest one; 0 keeps all
/// @param repetitionPenalty divides positive and multiplies negative logits of tokens that are in the text already
///     (N. Keskar et al., CTRL, 2019); 1 for none
/// @param seed of the draws
public record Sampling(double temperature, int topK, double topP, double minP, double repetitionPenalty, long seed) {
    public Sampling {
        require("temperature", temperature, temperature >= 0 && temperature < 1e6, "0 or more");
        require("top-k", topK, topK >= 0, "0 (all) or more");
        require("top-p", topP, topP > 0 && topP <= 1, "above 0, at most 1");
        require("min-p", minP, minP >= 0 && minP <= 1, "0 to 1");
        require("repetition penalty", repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty < 1e6, "above 0");
    }

    private static void require(String name, double given, boolean holds, String expected) {
        if (!holds) {
            throw new BadInput("%s is %s, expected %s.".formatted(name, given, expected));
        }
    }

    /// @return the likeliest token, always
    public static Sampling greedy() {
        return new Sampling(0, 0, 1, 0, 1, 0);
    }
}
