package dev.wok.generate;

import java.util.ArrayList;
import java.util.List;

/// Which pages of the cache a sequence has, in their order, and how many of its tokens they hold. Changed by
/// its [PagePool] alone.
final class Table {
    final List<Page> pages = new ArrayList<>();
    int tokens;

    /// @return how many of its tokens are in the cache
    int tokens() {
        return tokens;
    }

    /// @return the pages' numbers
    int[] numbers() {
        return pages.stream().mapToInt(page -> page.number).toArray();
    }
}
