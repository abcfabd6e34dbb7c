package dev.wok.kernel.x86;

import dev.wok.kernel.Packed;
import java.lang.foreign.MemorySegment;

/// The right operand of a product, `[n, k]` or `[k, n]`, in the panels that [Tile] reads: packed for
/// it, or a [Packed] weight as it lies.
///
/* Blocks of the common dimension, DEPTH groups each (the last one less), one after another. A block holds its panels one
 * after another: vectors * lanes columns each, the last one rounded up to whole vectors. A panel holds its groups one
 * after another, a group holds one 32-bit group per column.
 *
 *   block 0: | panel 0: g0 c0 c1 .. c47, g1 c0 .. | panel 1 | .. | last panel |   block 1: ...
 *
 * A weight that lies packed has panels of its own width, each with the whole common dimension: here one panel is some of
 * them side by side, and a block a stretch of each.
 */
///
/// @param n columns
/// @param k length of the common dimension
/// @param vectors of a panel
/// @param lanes of a vector
/// @param packedBytes of a packed weight's panel; 0 where this was packed for tiles
record Panels(MemorySegment memory, Tile.Kind kind, int n, int k, int vectors, int lanes, long packedBytes) {
    /// Groups of the left operand in a block: so many that results are seldom added to, so few that a
    /// panel and the packed rows stay in the second-level cache, which gives a tile its panel as fast
    /// as it is used up.
    static final int DEPTH = 512;

    /// A [Packed] matrix of floats.
    static Panels of(Packed w, Tile.Kind kind, int vectors, int lanes) {
        Span.address(w.values());
        return new Panels(w.values().memory(), kind, w.n(), w.k(), vectors, lanes, w.panelBytes());
    }

    /// @return the groups of a whole block
    static int depth(Tile.Kind kind) {
        return DEPTH * Integer.BYTES / kind.leftBytes();
    }

    static long bytes(Tile.Kind kind, int n, int k, int lanes) {
        return (long) kind.groups(k) * padded(n, lanes) * Integer.BYTES;
    }

    private static int padded(int n, int lanes) {
        return (n + lanes - 1) / lanes * lanes;
    }

    int width() {
        return vectors * lanes;
    }

    /// @return the bytes of a whole panel, about
    long panelSize() {
        return (long) kind.groups(k) * width() * Integer.BYTES;
    }

    /// @return how many blocks the common dimension has
    int blocks() {
        return (kind.groups(k) + depth(kind) - 1) / depth(kind);
    }

    /// @return the groups of a block
    int groups(int block) {
        return Math.min(depth(kind), kind.groups(k) - block * depth(kind));
    }

    /// @return the elements of the common dimension in a block
    int depth(int block) {
        return Math.min(depth(kind) * kind.perGroup(), k - from(block));
    }

    /// @return the first element of the common dimension in a block
    int from(int block) {
        return block * depth(kind) * kind.perGroup();
    }

    private int packedPanels() {
        return width() / Packed.ROWS;
    }

    /// @return the address of a panel's part in a block
    long panel(int block, int panel) {
        if (packedBytes > 0) {
            return memory.address()
                    + panel * packedPanels() * packedBytes
                    + (long) block * depth(kind) * Packed.STEP_BYTES;
        }
        return memory.address()
                + (long) block * DEPTH * padded(n, lanes) * Integer.BYTES
                + (long) panel * groups(block) * width() * Integer.BYTES;
    }

    /// @return the bytes between panels of a block
    long stride(int block) {
        return packedBytes > 0 ? packedPanels() * packedBytes : (long) groups(block) * width() * Integer.BYTES;
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
