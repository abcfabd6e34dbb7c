package dev.wok.text;

/// Expressions that cut text into words.
final class Patterns {
    /// What ByteLevel cuts by, after GPT-2.
    static final String GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    private Patterns() {}
}
