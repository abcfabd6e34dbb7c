package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;

/// Looks for infinities and NaN in rows of float32, and for what becomes an infinity as bf16.
///
/// Arguments: rows, bytes between them, how many (1 or more), columns, a float that becomes 0 where there are none and
/// NaN elsewhere.
final class FiniteRows {
    /// Takes the largest bf16 number, and a little less, beyond float32.
    private static final float BEYOND = 1.0078125f;

    private FiniteRows() {}

    /// Writes the code.
    static void write(Lanes l) {
        for (int i = 0; i < 3; i++) {
            l.zero(l.v(i));
        }
        l.broadcast(l.v(3), BEYOND);
        Label row = l.x.here();
        l.each(R10, RCX, RAX, 2, copy -> {
            l.load(l.v(4 + copy), l.at(RDI, R10, copy));
            l.mul(l.v(4 + copy), l.v(4 + copy), l.v(3));
            l.fma(l.v(copy), l.v(4 + copy), l.v(2));
        });
        l.x.add(RDI, RSI);
        l.x.sub(RDX, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.add(l.v(0), l.v(0), l.v(1));
        l.sum(l.v(0), l.v(1));
        l.x.op(VMOVSS, Mem.at(R8), l.v(0).as(16));
        l.end();
    }
}
