package dev.wok.generate;

import java.util.List;

/// A token that was generated.
///
/// Log-probabilities are the model's own: the logarithm of the softmax of its logits, in double
/// precision, before bias, penalties and temperature.
///
/// @param id in the vocabulary
/// @param logprob its log-probability, or NaN where none was asked for
/// @param alternatives the likeliest tokens in its place, likeliest first, as many as were asked for;
///     this token may be one of them
public record Token(int id, double logprob, List<Alternative> alternatives) {

    /// A token that could have been generated.
    ///
    /// @param id in the vocabulary
    /// @param logprob its log-probability
    public record Alternative(int id, double logprob) {}

    public Token {
        alternatives = List.copyOf(alternatives);
    }
}
