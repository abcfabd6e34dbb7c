package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Where the sequences of a batch lie in the pages of a cache (W. Kwon et al., PagedAttention, 2023). A page
/// holds so many rows of neighbouring positions, and a sequence's rows fill its pages in the order in which
/// the table names them: its row `j` is row `j % rows` of its page `j / rows`. Sequences may share pages.
///
/// A page's rows are even in number where a sequence has more than one page.
///
/// @param starts `[sequences + 1]`, I32, from 0 to the batch's tokens: sequence `s` has those from `starts[s]`
///     (inclusive) to `starts[s + 1]` (exclusive)
/// @param pages `[sequences, most]`, I32: the pages of each sequence; those behind the ones that its tokens see are not
///     looked at
public record PageTable(Tensor starts, Tensor pages) {
    /// @return the table of one sequence on the host, whose cache is one page
    public static PageTable onePage(int tokens) {
        return new PageTable(Tensor.of(0, tokens), Tensor.of(0).reshape(1, 1));
    }

    /// Requires a table that can point into a cache.
    ///
    /// @param cache `[pages, rows, ...]`
    void require(String op, Tensor cache, String name) {
        Shape.require(op, starts, "starts", -1);
        Shape.require(op, pages, "pages", Math.max(0, starts.dim(0) - 1), -1);
        Shape.requireRows(op, starts, "starts", DType.I32);
        Shape.requireRows(op, pages, "pages", DType.I32);
        if (pages.dim(1) > 1 && cache.dim(1) % 2 != 0) {
            throw new IllegalArgumentException(
                    "%s: the pages of %s are %s, expected an even number of rows".formatted(op, name, cache));
        }
    }
}
