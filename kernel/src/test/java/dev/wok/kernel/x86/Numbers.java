package dev.wok.kernel.x86;

import dev.wok.emit.x86.Reg;
import dev.wok.tensor.Rng;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Random operands of instructions, among them all that are special.
final class Numbers {
    private static final int[] FLOATS = {
        0,
        0x8000_0000,
        1,
        0x807F_FFFF,
        0x0080_0000,
        0x3F80_0000,
        0xBF80_0000,
        0x3F00_0000,
        0xC020_0000,
        0x4B00_0001,
        0x4EFF_FFFF,
        0x4F00_0000,
        0xCF00_0000,
        0x7F7F_FFFF,
        0xFF7F_FFFF,
        0x7F80_0000,
        0xFF80_0000,
        0x7FC0_0001,
        0xFFC1_2345,
        0x7F80_0001,
        0xFFA0_0000,
        0x3300_0000,
        0x3880_0001,
        0x477F_E001
    };
    private static final double[] DOUBLES = {
        0,
        -0.0,
        1,
        -1.5,
        0x1p-126,
        0x1.8p-149,
        0x1p-150,
        -0x1.fffffffp127,
        0x1p128,
        0x1p-1060,
        Double.MAX_VALUE,
        1 / 3.0
    };
    private static final long[] DOUBLE_BITS = {
        0x7FF0L << 48, 0xFFF0L << 48, 0x7FF8L << 48 | 77L << 30, 0xFFF0L << 48 | 1, 0x7FF4L << 48
    };

    private final Rng rng;
    private long drawn;

    Numbers(Rng rng) {
        this.rng = rng;
    }

    int below(int bound) {
        return rng.below(drawn++, bound);
    }

    long bits() {
        return rng.bits(drawn++);
    }

    int of(int... values) {
        return values[below(values.length)];
    }

    Reg of(Reg... values) {
        return values[below(values.length)];
    }

    /// @return 64 bytes of one kind of number
    byte[] block() {
        ByteBuffer block = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        int kind = below(5);
        for (int i = 0; i < 8; i++) {
            switch (kind) {
                case 0 -> block.putLong(8 * i, bits());
                case 1 -> block.putLong(8 * i, real());
                default -> {
                    block.putInt(8 * i, kind == 2 ? small() : single());
                    block.putInt(8 * i + 4, kind == 2 ? small() : single());
                }
            }
        }
        return block.array();
    }

    private int single() {
        return switch (below(4)) {
            case 0 -> (int) bits();
            case 1 -> of(FLOATS);
            default -> Float.floatToRawIntBits((float) (rng.normal(drawn++) * Math.scalb(1, below(40) - 20)));
        };
    }

    private long real() {
        return switch (below(4)) {
            case 0 -> Double.doubleToRawLongBits(DOUBLES[below(DOUBLES.length)]);
            case 1 -> DOUBLE_BITS[below(DOUBLE_BITS.length)];
            default -> Double.doubleToRawLongBits(rng.normal(drawn++) * Math.scalb(1.0, below(300) - 150));
        };
    }

    /// Words and bytes that saturate, or as floats are denormal.
    private int small() {
        return of(0x7FFF_8000, 0x8000_7FFF, 0x807F_FF01, 0xFF80, -1, 1, 0x8000_0000, below(1 << 20), below(70) - 35);
    }
}
