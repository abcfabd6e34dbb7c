package dev.wok.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A page of the cache as a node in the tree of known texts: a path from the root spells a text, page by
/// page. Guarded by its [PagePool].
final class Page {
    /// The ids of a full page, by which it is found below its parent.
    record Ids(int[] values) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Ids ids && Arrays.equals(values, ids.values);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(values);
        }
    }

    /// Its place in the cache.
    final int number;

    final int[] ids;
    final Map<Ids, Page> full = new HashMap<>();

    /// Children that are not full: some are being written, others were left so.
    final List<Page> partial = new ArrayList<>();

    @Nullable
    Page parent;

    /// Of a full page, where pages are kept in files.
    String key = "";

    int count;

    /// Tables that it is in.
    int users;

    /// When nobody used it any more.
    long left;

    Page(int number, int tokens, @Nullable Page parent) {
        this.number = number;
        this.parent = parent;
        ids = new int[tokens];
    }

    boolean isFull() {
        return count == ids.length;
    }

    boolean isLeaf() {
        return full.isEmpty() && partial.isEmpty();
    }

    /// @return how many of a text's ids from an index on are the first of this page
    int common(int[] text, int from, int to) {
        int most = Math.min(count, to - from);
        int differs = Arrays.mismatch(ids, 0, most, text, from, from + most);
        return differs < 0 ? most : differs;
    }
}
