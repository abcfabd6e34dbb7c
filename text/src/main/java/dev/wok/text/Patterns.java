package dev.wok.text;

import java.util.List;

/// Expressions that cut text into words.
final class Patterns {
    /// What ByteLevel cuts by, after GPT-2.
    static final String GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    /// What a trained tokenizer cuts by: words and punctuation with the blanks of their line before them, numbers
    /// by three digits, ends of lines. Letters never share a word with the bracket or dot before them, so a prompt
    /// may end there.
    static final List<String> TRAINED = List.of("[^\\S\\r\\n]*[\\p{L}\\p{M}]+"
            + "| ?\\p{N}{1,3}"
            + "|[^\\S\\r\\n]*[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    private Patterns() {}
}
