package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed.Element;

/// Widens elements of a [dev.wok.kernel.Packed] weight, exactly, by bits and sums that every chip has.
final class PackedValues {
    /// bf16: 128, 256 and 136, 2^120, -1 and 1, twice each.
    private static final int BF16_128 = 0x4300_4300;

    private static final int BF16_256 = 0x4380_4380;
    private static final int BF16_MINUS_136 = 0xC308_C308;
    private static final int BF16_2_120 = 0x7B80_7B80;
    private static final int BF16_ONE = 0x3F80_3F80;
    private static final int BF16_MINUS_ONE = 0xBF80_BF80;
    private static final int BF16_MINUS_ZERO = 0x8000_8000;

    /// Bits of 2^23, whose last bit counts 1.
    private static final int F32_2_23 = 0x4B00_0000;

    private PackedValues() {}

    /// Two neighbours of E4M3 as bf16.
    ///
    /* The bits of exponent and fraction four places lower are those of bf16 that is 2^120 times smaller, below the
     * smallest normal number too.
     */
    /// @param which 0 for the lower two of the word, 1 for the upper two
    static void fp8Pair(PtxKernel k, Reg pair, Reg word, int which) {
        Reg bits = k.reg(Type.B32, "bits");
        Reg sign = k.reg(Type.B32, "sign");
        k.op("prmt.b32", bits, word, 0, which == 0 ? 0x1404 : 0x3424);
        k.and(sign, bits, 0x8000_8000);
        k.and(bits, bits, 0x7F00_7F00);
        k.shr(bits, bits, 4);
        k.or(bits, bits, sign);
        fma(k, pair, bits, BF16_2_120, BF16_MINUS_ZERO);
    }

    /// Two neighbours of INT8 as bf16: seven bits on top of 128, less 128 or 256.
    ///
    /// @param which 0 for the lower two of the word, 1 for the upper two
    static void int8Pair(PtxKernel k, Reg pair, Reg word, int which) {
        Reg bits = k.reg(Type.B32, "bits");
        Reg less = k.reg(Type.B32, "less");
        k.op("prmt.b32", bits, word, 0, which == 0 ? 0x4140 : 0x4342);
        k.and(less, bits, 0x0080_0080);
        k.xor(less, less, BF16_256);
        k.and(bits, bits, 0x007F_007F);
        k.or(bits, bits, BF16_128);
        Reg minusOne = k.reg(Type.B32, "minus_one", BF16_MINUS_ONE);
        k.op("fma.rn.bf16x2", pair, less, minusOne, bits);
    }

    /// Elements `which` and `which + 4` of INT4 as bf16: four bits on top of 128, less 136.
    static void int4Pair(PtxKernel k, Reg pair, Reg word, int which) {
        Reg bits = k.reg(Type.B32, "bits");
        k.shr(bits, word, 4 * which);
        k.and(bits, bits, 0x000F_000F);
        k.or(bits, bits, BF16_128);
        fma(k, pair, bits, BF16_ONE, BF16_MINUS_136);
    }

    private static void fma(PtxKernel k, Reg pair, Reg a, int b, int c) {
        Reg factor = k.reg(Type.B32, "factor", b);
        Reg addend = k.reg(Type.B32, "addend", c);
        k.op("fma.rn.bf16x2", pair, a, factor, addend);
    }

    /// One element of a step as float32.
    ///
    /// @param at which of the step's elements
    static void single(PtxKernel k, Element element, Reg value, Reg word, int at) {
        Reg bits = k.reg(Type.B32, "bits");
        switch (element) {
            case F32 -> k.op("mov.b32", value, word);
            case BF16 -> {
                if (at == 0) {
                    k.shl(bits, word, 16);
                } else {
                    k.and(bits, word, 0xFFFF_0000);
                }
                k.op("mov.b32", value, bits);
            }
            case FP8 -> {
                Reg sign = k.reg(Type.B32, "sign");
                k.shl(bits, word, 24 - 8 * at);
                k.and(sign, bits, 0x8000_0000);
                k.and(bits, bits, 0x7F00_0000);
                k.shr(bits, bits, 4);
                k.or(bits, bits, sign);
                k.op("mov.b32", value, bits);
                k.mul(value, value, 0x1p120f);
            }
            case INT8 -> {
                k.op("prmt.b32", bits, word, F32_2_23, 0x7650 | at);
                k.op("mov.b32", value, bits);
                k.sub(value, value, 0x1p23f + 128);
            }
            case INT4 -> {
                k.shr(bits, word, 4 * at);
                k.and(bits, bits, 0xF);
                k.or(bits, bits, F32_2_23);
                k.op("mov.b32", value, bits);
                k.sub(value, value, 0x1p23f + 8);
            }
        }
    }
}
