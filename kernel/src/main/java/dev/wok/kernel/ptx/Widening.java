package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Fragments of E4M3 as fragments of float16, for chips whose tensor cores do not know E4M3.
///
/// E4M3 with its exponent and mantissa where float16 has its own is 2^-8 times the number, for those
/// below the smallest normal number too. NaN becomes NaN. A register holds four neighbours along `k`;
/// the first two go where an instruction for 16 of `k` expects the first half of them, the others where
/// it expects the second. As both operands are treated so, the products are the same ones.
final class Widening {
    /// What sums of products of widened numbers are multiplied by.
    static final float FACTOR = 0x1p16f;

    private static final int SIGNS = 0x8000_8000;
    private static final int MAGNITUDES = 0x7F00_7F00;

    /// What carries from the bits of NaN into the highest bit of the exponent, and from those of no number.
    private static final int AFTER_LARGEST = 0x0080_0080;

    private static final int HIGHEST_EXPONENTS = 0x4000_4000;

    private Widening() {}

    /// @param fragments of 16 rows by 32 of `k`, four registers each
    /// @return fragments of the first and of the second 16 of `k`
    static Reg[][] left(PtxKernel k, Reg[] fragments) {
        Reg[][] halves = new Reg[2][fragments.length];
        for (int i = 0; i < fragments.length; i += 4) {
            for (int j = 0; j < 4; j++) {
                Reg[] pairs = pairs(k, fragments[i + j]);
                int row = j % 2;
                halves[j / 2][i + row] = pairs[0];
                halves[j / 2][i + 2 + row] = pairs[1];
            }
        }
        return halves;
    }

    /// @param fragments of 32 of `k` by 8 columns, two registers each
    /// @return fragments of the first and of the second 16 of `k`
    static Reg[][] right(PtxKernel k, Reg[] fragments) {
        Reg[][] halves = new Reg[2][fragments.length];
        for (int i = 0; i < fragments.length; i++) {
            Reg[] pairs = pairs(k, fragments[i]);
            halves[i % 2][i / 2 * 2] = pairs[0];
            halves[i % 2][i / 2 * 2 + 1] = pairs[1];
        }
        return halves;
    }

    private static Reg[] pairs(PtxKernel k, Reg four) {
        return new Reg[] {pair(k, four, 0x1404), pair(k, four, 0x3424)};
    }

    /// @param bytes where each byte of the result comes from; 4 is zero
    private static Reg pair(PtxKernel k, Reg four, int bytes) {
        Reg pair = k.reg(Type.B32, "pair");
        Reg sign = k.reg(Type.B32, "sign");
        Reg carry = k.reg(Type.U32, "carry");
        k.op("prmt.b32", pair, four, 0, bytes);
        k.and(sign, pair, SIGNS);
        k.and(pair, pair, MAGNITUDES);
        k.op("shr.u32", pair, pair, 1);
        k.op("add.u32", carry, pair, AFTER_LARGEST);
        k.and(carry, carry, HIGHEST_EXPONENTS);
        k.or(pair, pair, sign);
        k.or(pair, pair, carry);
        return pair;
    }
}
