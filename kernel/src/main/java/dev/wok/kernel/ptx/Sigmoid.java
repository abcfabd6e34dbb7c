package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// `1 / (1 + e^-x)` to a few units in the last place, from products and sums alone: the same bits on every chip.
///
/// `e^-|x|` is `2^k * e^r` with `|r| <= ln 2 / 2`, reduced with `ln 2` in two parts (W. Cody and W. Waite, 1980), and
/// `e^r` its Taylor series up to `r^7 / 7!`, whose rest is below `2^-26`. Below the smallest normal number it is 0.
final class Sigmoid {
    private static final float LOG2_E = 1.4426950408889634f;

    /// The upper digits of `ln 2`, few enough that their product with `k` is exact.
    private static final float LN2_HIGH = 0x1.62e4p-1f;

    private static final float LN2_LOW = (float) (Math.log(2) - 0x1.62e4p-1);

    private static final float LEAST = -87.33654f;

    private static final float[] SERIES = {1f / 5040, 1f / 720, 1f / 120, 1f / 24, 1f / 6, 0.5f, 1, 1};

    private static final int FRACTION_BITS = 23;

    private Sigmoid() {}

    /// @param x unchanged
    /// @return a new register
    static Reg of(PtxKernel k, Reg x) {
        Reg power = k.reg(Type.F32, "power");
        Reg count = k.reg(Type.F32, "count");
        Reg rest = k.reg(Type.F32, "rest");
        Reg shift = k.reg(Type.S32, "shift");
        Reg sigmoid = k.reg(Type.F32, "sigmoid");
        k.abs(power, x);
        k.neg(power, power);
        Reg isTiny = k.compare(Compare.LT, power, LEAST);
        k.onlyIf(isTiny, () -> k.mov(power, LEAST));
        k.mul(count, power, LOG2_E);
        k.op("cvt.rni.f32.f32", count, count);
        k.fma(rest, count, -LN2_HIGH, power);
        k.fma(rest, count, -LN2_LOW, rest);
        k.mov(power, SERIES[0]);
        for (int i = 1; i < SERIES.length; i++) {
            k.fma(power, power, rest, SERIES[i]);
        }
        k.op("cvt.rzi.s32.f32", shift, count);
        k.shl(shift, shift, FRACTION_BITS);
        Reg bits = k.reg(Type.S32, "bits");
        k.op("mov.b32", bits, power);
        k.add(bits, bits, shift);
        k.op("mov.b32", power, bits);
        k.onlyIf(isTiny, () -> k.mov(power, 0f));
        k.comment("e^-|x| / (1 + e^-|x|) left of zero, 1 / (1 + e^-|x|) right of it");
        Reg isLeft = k.compare(Compare.LT, x, 0f);
        k.add(rest, power, 1f);
        k.selp(sigmoid, power, 1f, isLeft);
        k.div(sigmoid, sigmoid, rest);
        return sigmoid;
    }
}
