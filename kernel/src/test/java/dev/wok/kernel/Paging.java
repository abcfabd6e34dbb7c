package dev.wok.kernel;

import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Random pages of a cache: sequences that have them in any order and share them, tokens that see any number of rows.
///
/// @param pages how many there are
/// @param rows of a page
/// @param starts of the sequences' tokens, one more than there are sequences
/// @param tables the pages of each sequence
/// @param positions of each token
record Paging(int pages, int rows, int[] starts, int[][] tables, int[] positions) {

    /// Adds what [#of] asks a case for.
    static Property sizes(Property property) {
        return property.size("tokens", 0, 9)
                .size("sequences", 1, 4)
                .size("half page", 1, 40)
                .flag("one page");
    }

    /// @param c has `tokens` in all, and `keys`, which is what a token sees at most
    static Paging of(Case c) {
        Rng rng = c.rng("paging");
        int keys = c.size("keys");
        int rows = c.flag("one page") ? keys : 2 * c.size("half page");
        int most = keys == 0 ? 0 : Math.ceilDiv(keys, rows);
        int sequences = c.size("sequences");
        int pages = sequences * most + 1;
        int[] starts = new int[sequences + 1];
        starts[sequences] = c.size("tokens");
        for (int s = 1; s < sequences; s++) {
            starts[s] = rng.below(s, c.size("tokens") + 1);
        }
        Arrays.sort(starts);
        int[][] tables = new int[sequences][c.flag("one page") ? 1 : most + 1];
        for (int s = 0; s < sequences; s++) {
            int first = 100 + s * (most + 1);
            Arrays.setAll(tables[s], i -> i < most ? rng.below(first + i, pages) : -7);
        }
        int[] positions = new int[c.size("tokens")];
        Arrays.setAll(positions, t -> rng.below(100_000 + t, keys + 1) - 1);
        return new Paging(pages, rows, starts, tables, positions);
    }

    PageTable table(Contract.Run run) {
        int most = tables[0].length;
        int[] flat = Arrays.stream(tables).flatMapToInt(Arrays::stream).toArray();
        return new PageTable(run.integers(starts), run.integers(flat).reshape(tables.length, most));
    }

    /// @return the table where kernels on the host are under test, a copy in their memory where they are on a GPU
    static PageTable seenBy(Kernels kernels, PageTable table) {
        return new PageTable(Contract.seenBy(kernels, table.starts()), Contract.seenBy(kernels, table.pages()));
    }

    /// A token of the batch, and where the rows that it sees lie.
    record Seen(int token, int[] page, int[] within) {
        int count() {
            return page.length;
        }
    }

    List<Seen> seen() {
        List<Seen> seen = new ArrayList<>();
        for (int s = 0; s < tables.length; s++) {
            int[] own = Arrays.copyOfRange(positions, starts[s], starts[s + 1]);
            PagedSequence sequence = new PagedSequence(starts[s], own, tables[s], rows);
            for (int i = 0; i < own.length; i++) {
                int[] page = new int[own[i] + 1];
                int[] within = new int[own[i] + 1];
                Arrays.setAll(page, sequence::page);
                Arrays.setAll(within, sequence::within);
                seen.add(new Seen(starts[s] + i, page, within));
            }
        }
        return seen;
    }

    /// @param rows `[rows, ..]`
    /// @return the same as the only page of a cache, `[1, rows, ..]`
    static Tensor asPage(Tensor rows) {
        return rows.dim(0) == 0 ? rows.reshape(prepended(rows)) : rows.split(0, rows.dim(0));
    }

    private static long[] prepended(Tensor rows) {
        long[] shape = new long[rows.rank() + 1];
        shape[0] = 1;
        System.arraycopy(rows.shape(), 0, shape, 1, rows.rank());
        return shape;
    }
}
