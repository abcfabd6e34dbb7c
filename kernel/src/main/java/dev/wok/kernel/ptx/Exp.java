package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// `e^x` to a few units in the last place, from products and sums alone: the same bits on every chip.
///
/// `e^x` is `2^k * e^r` with `|r| <= ln 2 / 2`, reduced with `ln 2` in two parts (W. Cody and W. Waite,
/// 1980), and `e^r` its Taylor series up to `r^7 / 7!`, whose rest is below `2^-26`. Below the smallest
/// normal number it is 0, above the greatest it is infinite, and NaN stays NaN.
final class Exp {
    private static final float LOG2_E = 1.4426950408889634f;

    /// The upper digits of `ln 2`, few enough that their product with `k` is exact.
    private static final float LN2_HIGH = 0x1.62e4p-1f;

    private static final float LN2_LOW = (float) (Math.log(2) - 0x1.62e4p-1);

    private static final float LEAST = -87.33654f;

    /// The greatest number whose power is finite.
    private static final float MOST = 88.72283f;

    private static final float[] SERIES = {1f / 5040, 1f / 720, 1f / 120, 1f / 24, 1f / 6, 0.5f, 1, 1};

    private static final int FRACTION_BITS = 23;

    /// What is added to this is rounded to a whole number, which the lowest bits of the sum hold.
    private static final float WHOLE = 0x1.8p23f;

    private Exp() {}

    /// @param x not positive, or NaN; unchanged
    /// @return a new register
    static Reg ofNegative(PtxKernel k, Reg x) {
        return of(k, x, false);
    }

    /// @param x any number; unchanged
    /// @return a new register
    static Reg of(PtxKernel k, Reg x) {
        return of(k, x, true);
    }

    private static Reg of(PtxKernel k, Reg x, boolean mayBePositive) {
        Reg power = k.reg(Type.F32, "power");
        Reg whole = k.reg(Type.F32, "whole");
        Reg count = k.reg(Type.F32, "count");
        Reg rest = k.reg(Type.F32, "rest");
        k.mov(power, x);
        Reg isTiny = k.compare(Compare.LT, power, LEAST);
        k.onlyIf(isTiny, () -> k.mov(power, LEAST));
        k.mul(whole, power, LOG2_E);
        k.add(whole, whole, WHOLE);
        k.sub(count, whole, WHOLE);
        k.fma(rest, count, -LN2_HIGH, power);
        k.fma(rest, count, -LN2_LOW, rest);
        k.mov(power, SERIES[0]);
        for (int i = 1; i < SERIES.length; i++) {
            k.fma(power, power, rest, SERIES[i]);
        }
        if (mayBePositive) {
            k.comment("2^128 does not exist: 2^127 and once more 2");
            Reg isLarge = k.compare(Compare.GT, count, 127f);
            k.onlyIf(isLarge, () -> k.mov(whole, WHOLE + 127));
            k.onlyIf(isLarge, () -> k.add(power, power, power));
        }
        Reg bits = k.reg(Type.S32, "bits");
        k.op("mov.b32", bits, whole);
        k.shl(bits, bits, FRACTION_BITS);
        k.add(bits, bits, Float.floatToRawIntBits(1));
        k.op("mov.b32", whole, bits);
        k.mul(power, power, whole);
        k.onlyIf(isTiny, () -> k.mov(power, 0f));
        if (mayBePositive) {
            k.onlyIf(k.compare(Compare.GT, x, MOST), () -> k.mov(power, Float.POSITIVE_INFINITY));
        }
        return power;
    }
}
