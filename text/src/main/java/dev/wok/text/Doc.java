package dev.wok.text;

/// A document of the corpus without its text: where it lies and what it hashes to.
///
/// @param entry index of its entry
/// @param line of a `.jsonl`, else 0
/// @param piece which piece of its text
/// @param from where the cleaned text begins in the raw document
/// @param to where it ends: the raw document's length
/// @param hash of the cleaned text
/// @param key hash of the text after the licence comments, stripped or not: what sampling and splitting go by
record Doc(int entry, long line, int piece, int from, int to, Hash hash, long key) {
    int bytes() {
        return to - from;
    }
}
