package dev.wok.device.emulated;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// A piece of emulated memory that has a name: an allocation, a variable, a block's shared memory. It knows which
/// of its bytes were written, and who touched them last.
final class Region {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    final String name;
    final long base;
    final long size;
    MemorySegment bytes;

    /// Whether programs may only read it.
    final boolean isConstant;

    /// A bit for each byte, or null where all were written.
    private long @Nullable [] written;

    /// The newest record of each word of four bytes, for [Races]; empty until somebody looks.
    int[] heads = {};

    /// The launch that the records belong to.
    int launch;

    /// Forgets the records of an earlier launch.
    void clearHeads(int ofLaunch) {
        if (heads.length == 0) {
            heads = new int[Math.toIntExact(size + 3 >>> 2)];
        } else {
            java.util.Arrays.fill(heads, 0);
        }
        launch = ofLaunch;
    }

    /// @param bytes as long as `size` at least
    Region(String name, long base, long size, MemorySegment bytes, boolean isWritten, boolean isConstant) {
        this.name = name;
        this.base = base;
        this.size = size;
        this.bytes = bytes;
        this.isConstant = isConstant;
        written = isWritten ? null : new long[Math.toIntExact(size + 63 >>> 6)];
    }

    /// @return bytes as an integer, zero-extended
    /// @param width 1, 2, 4 or 8
    long get(long offset, int width) {
        return switch (width) {
            case 1 -> bytes.get(ValueLayout.JAVA_BYTE, offset) & 0xFFL;
            case 2 -> bytes.get(SHORT, offset) & 0xFFFFL;
            case 4 -> bytes.get(INT, offset) & 0xFFFF_FFFFL;
            default -> bytes.get(LONG, offset);
        };
    }

    void set(long offset, int width, long value) {
        switch (width) {
            case 1 -> bytes.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
            case 2 -> bytes.set(SHORT, offset, (short) value);
            case 4 -> bytes.set(INT, offset, (int) value);
            default -> bytes.set(LONG, offset, value);
        }
    }

    boolean isWritten(long offset, int width) {
        if (written == null) {
            return true;
        }
        if ((offset & 63) + width <= 64) {
            long mask = mask(offset, width);
            return (written[(int) (offset >>> 6)] & mask) == mask;
        }
        for (long i = offset; i < offset + width; i++) {
            if ((written[(int) (i >>> 6)] >>> i & 1) == 0) {
                return false;
            }
        }
        return true;
    }

    void markWritten(long offset, long width) {
        if (written == null) {
            return;
        }
        if ((offset & 63) + width <= 64) {
            written[(int) (offset >>> 6)] |= mask(offset, (int) width);
            return;
        }
        for (long i = offset; i < offset + width; i++) {
            written[(int) (i >>> 6)] |= 1L << i;
        }
    }

    private static long mask(long offset, int width) {
        return (width == 64 ? -1L : (1L << width) - 1) << offset;
    }
}
