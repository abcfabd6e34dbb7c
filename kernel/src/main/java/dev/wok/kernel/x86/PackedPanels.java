package dev.wok.kernel.x86;

import dev.wok.kernel.Packed;

/// A [Packed] matrix of elements with scales as [GroupTile] reads it: some of its panels side by side, as many
/// as a tile has columns.
///
/// @param values the address of the first panel's values
/// @param scales the address of the first panel's scales
/// @param n columns of the product
/// @param panelBytes of values
/// @param scaleBytes of a panel's scales
/// @param width columns of a tile: whole panels
/// @param lanes of a vector
record PackedPanels(long values, long scales, int n, long panelBytes, long scaleBytes, int width, int lanes) {
    private static final int SCALES_BYTES = Packed.ROWS * Short.BYTES;

    static PackedPanels of(Packed w, int width, int lanes) {
        return new PackedPanels(
                Span.address(w.values()),
                Span.address(w.scales()),
                w.n(),
                w.panelBytes(),
                (long) w.groups() * SCALES_BYTES,
                width,
                lanes);
    }

    /// @return tiles next to each other, the last one may be narrower
    int tiles() {
        return (n + width - 1) / width;
    }

    int wholeTiles() {
        return n / width;
    }

    /// @return the vectors of the last, narrower tile, 0 for none
    int lastVectors() {
        return (n % width + lanes - 1) / lanes;
    }

    /// @return the lanes of the last tile's last vector that are columns
    int lastLanes() {
        return n % width - (lastVectors() - 1) * lanes;
    }

    /// @return the bytes between tiles' values
    long valuesStride() {
        return width / Packed.ROWS * panelBytes;
    }

    /// @return the bytes between tiles' scales
    long scalesStride() {
        return width / Packed.ROWS * scaleBytes;
    }

    /// @return the address of a tile's values from a step on
    long values(int tile, int step) {
        return values + tile * valuesStride() + (long) step * Packed.STEP_BYTES;
    }

    /// @return the address of a tile's scales from a group on
    long scales(int tile, int g) {
        return scales + tile * scalesStride() + (long) g * SCALES_BYTES;
    }
}
