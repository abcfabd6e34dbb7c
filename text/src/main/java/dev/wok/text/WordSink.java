package dev.wok.text;

/// Takes the words that a [PreTokenizer] cuts.
interface WordSink {

    /// @param text holds the word; its content may change after the call
    /// @param from first char of the word
    /// @param to end of the word, after `from`
    void word(char[] text, int from, int to);
}
