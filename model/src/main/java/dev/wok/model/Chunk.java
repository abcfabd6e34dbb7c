package dev.wok.model;

/// Tokens of one sequence that are read together, beside those of others.
///
/// @param pages where the sequence's cache lies: page `i` holds its tokens from `i * CachePages.TOKENS` on; those that
///     are read are written there, so nobody else may have the pages that these fall into
/// @param from how many of its tokens were read before
/// @param ids one or more that follow
/// @param logits for how many of the last ones logits are wanted, 0 to all
public record Chunk(int[] pages, int from, int[] ids, int logits) {
    public Chunk {
        if (from < 0 || ids.length == 0 || logits < 0 || logits > ids.length) {
            throw new IllegalArgumentException(
                    "a chunk of %d tokens from %d on with logits of %d".formatted(ids.length, from, logits));
        }
        if (pages.length < CachePages.pages(from + ids.length)) {
            throw new IllegalArgumentException(
                    "a chunk of %d tokens from %d on in %d pages".formatted(ids.length, from, pages.length));
        }
    }

    int to() {
        return from + ids.length;
    }
}
