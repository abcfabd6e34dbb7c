package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;

/// Powers whose exponents are taken less the greatest.
final class Softmax {
    private Softmax() {}

    /// What is taken from exponents: the greatest, or 0 where all are negative infinity, whose powers are then 0.
    static void base(PtxKernel k, Reg base, Reg greatest) {
        k.mov(base, greatest);
        k.onlyIf(k.compare(Compare.EQ, greatest, Float.NEGATIVE_INFINITY), () -> k.mov(base, 0f));
    }
}
