package dev.wok.generate;

import dev.wok.generate.json.Trie;
import java.util.List;

/// The bytes of a model's tokens, arranged for a [Constraint]. Made once for a model; unchangeable and safe
/// for many threads.
///
/// Tokens of more than 32 bytes, long runs of white space mostly, are picked under a constraint only where text
/// is free.
public final class Vocabulary {
    private final Trie trie;

    private Vocabulary(List<byte[]> tokens) {
        trie = new Trie(tokens);
    }

    /// @param tokens the bytes of each id, in the order of the ids; empty for an id without text, such as a
    ///     stop token
    public static Vocabulary of(List<byte[]> tokens) {
        return new Vocabulary(tokens);
    }

    /// @return how many ids there are
    public int size() {
        return trie.size();
    }

    Trie trie() {
        return trie;
    }
}
