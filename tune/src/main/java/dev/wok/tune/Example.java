package dev.wok.tune;

/// A text to learn from.
///
/// @param ids the whole of it, its beginning and end tokens included
/// @param learn for each token whether it is to be predicted; false for the first, and for what
///     others wrote
public record Example(int[] ids, boolean[] learn) {
    public Example {
        if (ids.length != learn.length || ids.length == 0 || learn[0]) {
            throw new IllegalArgumentException("an example of %d tokens with %d marks, the first is no target"
                    .formatted(ids.length, learn.length));
        }
    }

    /// @return how many tokens are to be predicted
    public int targets() {
        int count = 0;
        for (boolean one : learn) {
            count += one ? 1 : 0;
        }
        return count;
    }
}
