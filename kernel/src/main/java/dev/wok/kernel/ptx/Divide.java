package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;

/// Whole numbers of 32 bits in two digits.
final class Divide {
    private Divide() {}

    /// @param quotient written
    /// @param rest holds the number, and then what is left over
    static void by(PtxKernel k, Reg quotient, Reg rest, Reg divisor) {
        Reg whole = k.reg(rest.type(), "whole");
        k.div(quotient, rest, divisor);
        k.mul(whole, quotient, divisor);
        k.sub(rest, rest, whole);
    }
}
