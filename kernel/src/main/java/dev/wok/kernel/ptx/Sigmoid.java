package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// `1 / (1 + e^-x)` to a few units in the last place: the same bits on every chip.
final class Sigmoid {
    private Sigmoid() {}

    /// @param x unchanged
    /// @return a new register
    static Reg of(PtxKernel k, Reg x) {
        Reg negative = k.reg(Type.F32, "negative");
        Reg rest = k.reg(Type.F32, "below");
        Reg sigmoid = k.reg(Type.F32, "sigmoid");
        k.abs(negative, x);
        k.neg(negative, negative);
        Reg power = Exp.ofNegative(k, negative);
        k.comment("e^-|x| / (1 + e^-|x|) left of zero, 1 / (1 + e^-|x|) right of it");
        Reg isLeft = k.compare(Compare.LT, x, 0f);
        k.add(rest, power, 1f);
        k.selp(sigmoid, power, 1f, isLeft);
        k.div(sigmoid, sigmoid, rest);
        return sigmoid;
    }
}
