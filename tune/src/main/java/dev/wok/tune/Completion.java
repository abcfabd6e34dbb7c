package dev.wok.tune;

/// What a model wrote after a prompt.
///
/// @param text without the token that ended it
/// @param tokens how many, the one that ended it included
/// @param truncated whether it was cut off by the limit of tokens
public record Completion(String text, int tokens, boolean truncated) {}
