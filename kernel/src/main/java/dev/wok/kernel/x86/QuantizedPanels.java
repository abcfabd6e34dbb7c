package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.kernel.Quantized;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// A [Quantized] matrix as [GroupTile] reads it: panel after panel of some vectors of columns, so that a product of few
/// rows reads its bytes once, in order.
///
/* A panel holds its steps one after another, a step 32 bits of each of its columns: four bytes, each plus 128, or eight
 * half bytes. The last panel is as narrow as whole vectors allow.
 *
 *   values: | panel 0: s0 c0 c1 .. c47, s1 c0 .. | panel 1 | .. | last panel |
 *   scales: | panel 0: g0 c0 c1 .. c47, g1 c0 .. | panel 1 | .. | last panel |     bf16
 */
///
/// @param n columns
/// @param steps of 32 bits along the common dimension
/// @param groups along the common dimension
/// @param vectors of a panel
/// @param lanes of a vector
record QuantizedPanels(
        MemorySegment values, MemorySegment scales, int n, int steps, int groups, int vectors, int lanes) {
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PLUS_128 = 0x80808080;

    /// @return the elements of the common dimension in 32 bits
    static int perStep(int bits) {
        return Integer.SIZE / bits;
    }

    /// What the common dimension is rounded up to: whole vectors of the left operand, whole rounds of [GroupTile].
    static final int UNIT = 32;

    static int padded(int k) {
        return (k + UNIT - 1) / UNIT * UNIT;
    }

    /// Packs a matrix.
    static QuantizedPanels of(Quantized w, HostDevice device, int vectors, int lanes) {
        int n = Math.toIntExact(w.rows());
        int perStep = perStep(w.bits());
        int steps = padded(w.k()) / perStep;
        long padded = (n + lanes - 1L) / lanes * lanes;
        Arena arena = Arena.ofAuto();
        QuantizedPanels to = new QuantizedPanels(
                device.scratch(arena, Math.max(1, padded * steps * Integer.BYTES)),
                device.scratch(arena, Math.max(1, padded * w.groups() * Short.BYTES)),
                n,
                steps,
                w.groups(),
                vectors,
                lanes);
        device.workers().run(to.panels(), (panel, _) -> to.fill(w, panel));
        return to;
    }

    private void fill(Quantized w, int panel) {
        int width = vectors(panel) * lanes;
        int columns = Math.min(width, n - panel * vectors * lanes);
        long rowBytes = w.values().dim(1);
        int flip = w.bits() == 8 ? PLUS_128 : 0;
        for (int c = 0; c < columns; c++) {
            long row = (long) panel * vectors * lanes + c;
            MemorySegment from = w.values().memory().asSlice(row * rowBytes, rowBytes);
            long to = valuesOffset(panel) + (long) c * Integer.BYTES;
            for (int s = 0; s < steps; s++) {
                int word = word(from, (long) s * Integer.BYTES);
                values.set(WORD, to + (long) s * width * Integer.BYTES, word ^ flip);
            }
            for (int g = 0; g < groups; g++) {
                short scale =
                        w.scales().memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, (row * groups + g) * Short.BYTES);
                scales.set(
                        ValueLayout.JAVA_SHORT_UNALIGNED,
                        scalesOffset(panel) + ((long) g * width + c) * Short.BYTES,
                        scale);
            }
        }
    }

    /// Four bytes of a row, zeros behind its end.
    private static int word(MemorySegment row, long from) {
        if (from + Integer.BYTES <= row.byteSize()) {
            return row.get(WORD, from);
        }
        int word = 0;
        for (long at = row.byteSize() - 1; at >= from; at--) {
            word = word << Byte.SIZE | row.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
        }
        return word;
    }

    int width() {
        return vectors * lanes;
    }

    int panels() {
        return (n + width() - 1) / width();
    }

    int wholePanels() {
        return n / width();
    }

    /// @return the vectors of a panel
    private int vectors(int panel) {
        return panel < wholePanels() ? vectors : lastVectors();
    }

    /// @return the vectors of the last, narrower panel, 0 for none
    int lastVectors() {
        return (n % width() + lanes - 1) / lanes;
    }

    private long valuesOffset(int panel) {
        return panel * valuesStride();
    }

    private long scalesOffset(int panel) {
        return panel * scalesStride();
    }

    /// @return the bytes between panels of values
    long valuesStride() {
        return (long) steps * width() * Integer.BYTES;
    }

    /// @return the bytes between panels of scales
    long scalesStride() {
        return (long) groups * width() * Short.BYTES;
    }

    /// @return the address of a panel's values from a step on
    long values(int panel, int step) {
        return values.address() + valuesOffset(panel) + (long) step * vectors(panel) * lanes * Integer.BYTES;
    }

    /// @return the address of a panel's scales from a group on
    long scales(int panel, int g) {
        return scales.address() + scalesOffset(panel) + (long) g * vectors(panel) * lanes * Short.BYTES;
    }
}
