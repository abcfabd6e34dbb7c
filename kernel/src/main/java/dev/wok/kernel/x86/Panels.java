package dev.wok.kernel.x86;

import java.lang.foreign.MemorySegment;

/// The right operand of a product, `[n, k]` or `[k, n]`, in the panels that [Tile] reads.
///
/* Blocks of the common dimension, DEPTH groups each (the last one less), one after another. A block holds its panels one
 * after another: vectors * lanes columns each, the last one rounded up to whole vectors. A panel holds its groups one
 * after another, a group holds one 32-bit group per column.
 *
 *   block 0: | panel 0: g0 c0 c1 .. c47, g1 c0 .. | panel 1 | .. | last panel |   block 1: ...
 */
///
/// @param n columns
/// @param k length of the common dimension
/// @param vectors of a panel
/// @param lanes of a vector
record Panels(MemorySegment memory, Tile.Kind kind, int n, int k, int vectors, int lanes) {
    /// Groups of the common dimension in a block: so many that results are seldom added to, so few that a panel and the
    /// packed rows stay in the second-level cache, which gives a tile its panel as fast as it is used up.
    static final int DEPTH = 512;

    static long bytes(Tile.Kind kind, int n, int k, int lanes) {
        return (long) kind.groups(k) * padded(n, lanes) * Integer.BYTES;
    }

    private static int padded(int n, int lanes) {
        return (n + lanes - 1) / lanes * lanes;
    }

    int width() {
        return vectors * lanes;
    }

    /// @return how many blocks the common dimension has
    int blocks() {
        return (kind.groups(k) + DEPTH - 1) / DEPTH;
    }

    /// @return the groups of a block
    int groups(int block) {
        return Math.min(DEPTH, kind.groups(k) - block * DEPTH);
    }

    /// @return the elements of the common dimension in a block
    int depth(int block) {
        return Math.min(DEPTH * kind.perGroup(), k - block * DEPTH * kind.perGroup());
    }

    /// @return the address of a panel's part in a block
    long panel(int block, int panel) {
        return memory.address()
                + (long) block * DEPTH * padded(n, lanes) * Integer.BYTES
                + (long) panel * groups(block) * width() * Integer.BYTES;
    }

    /// @return the bytes between panels of a block
    long stride(int block) {
        return (long) groups(block) * width() * Integer.BYTES;
    }

    int wholePanels() {
        return n / width();
    }

    /// @return the vectors of the last, narrower panel, 0 for none
    int lastVectors() {
        return (n % width() + lanes - 1) / lanes;
    }

    /// @return the bytes between a panel's groups
    int groupStride(int panel) {
        return (panel < wholePanels() ? vectors : lastVectors()) * lanes * Integer.BYTES;
    }
}
