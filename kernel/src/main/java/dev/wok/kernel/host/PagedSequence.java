package dev.wok.kernel.host;

import dev.wok.kernel.PageTable;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A sequence of a batch, as kernels of the host find it in a [PageTable].
///
/// @param from its first token in the batch
/// @param positions of its tokens, -1 for one that sees nothing
/// @param pages where its rows lie
/// @param pageRows rows of a page
public record PagedSequence(int from, int[] positions, int[] pages, int pageRows) {

    /// @param positions `[tokens]`
    /// @param cache `[pages, rows, ...]`
    /// @throws IllegalArgumentException where the table points to what is not there
    public static List<PagedSequence> of(PageTable table, Tensor positions, Tensor cache) {
        int[] starts = table.starts().toInts();
        int[] at = positions.toInts();
        if (starts.length == 0 || starts[0] != 0 || starts[starts.length - 1] != at.length) {
            throw new IllegalArgumentException("a page table for the tokens %s, expected from 0 to %d"
                    .formatted(Arrays.toString(starts), at.length));
        }
        List<PagedSequence> sequences = new ArrayList<>();
        for (int s = 0; s + 1 < starts.length; s++) {
            int[] own = Arrays.copyOfRange(at, starts[s], starts[s + 1]);
            int[] pages = table.pages().select(0, s).toInts();
            PagedSequence sequence = new PagedSequence(starts[s], own, pages, cache.size(1));
            sequence.require(cache.size(0));
            sequences.add(sequence);
        }
        return sequences;
    }

    private void require(int there) {
        int rows = rows();
        int needed = rows == 0 ? 0 : Math.ceilDiv(rows, pageRows);
        boolean inside =
                needed <= pages.length && Arrays.stream(pages, 0, needed).allMatch(page -> page >= 0 && page < there);
        if (!inside) {
            throw new IllegalArgumentException("a sequence of %d rows in the pages %s, expected %d of 0 to %d"
                    .formatted(rows, Arrays.toString(pages), needed, there - 1));
        }
    }

    /// @return behind its last token in the batch
    public int to() {
        return from + positions.length;
    }

    /// @return the rows that its tokens see
    public int rows() {
        return Arrays.stream(positions).max().orElse(-1) + 1;
    }

    /// A token of the batch and its row in the cache.
    public interface Place {
        void visit(int token, int row);
    }

    /// Visits the tokens that have a row.
    public void each(Place body) {
        for (int i = 0; i < positions.length; i++) {
            if (positions[i] >= 0) {
                body.visit(from + i, positions[i]);
            }
        }
    }

    /// @return the page of a row
    public int page(int row) {
        return pages[row / pageRows];
    }

    /// @return a row's number in its page
    public int within(int row) {
        return row % pageRows;
    }

    /// @return how many rows from `row` on, and before `end`, lie in one page
    public int together(int row, int end) {
        return Math.min(pageRows - within(row), end - row);
    }
}
