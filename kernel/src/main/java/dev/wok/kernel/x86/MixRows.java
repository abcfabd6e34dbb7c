package dev.wok.kernel.x86;

import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VMOVUPS;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;

/// `to = a to` or `to = a to + b from`, with factors for each row; rows of whole vectors.
///
/// Arguments ([Arguments]): to, from, the floats a, the floats b, rows (1 or more), columns, bytes between rows.
record MixRows(boolean adds) {
    private static final int ONE = 0x3F800000;

    /// Writes the code.
    void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        Label row = l.x.here();
        Label next = l.x.label();
        if (!adds) {
            l.x.mov32(RAX, Mem.at(RCX));
            l.x.cmp(RAX, ONE);
            l.x.jump(Condition.EQUAL, next);
        }
        l.x.op(VBROADCASTSS, l.v(0), Mem.at(RCX));
        if (adds) {
            l.x.op(VBROADCASTSS, l.v(1), Mem.at(R8));
        }
        l.x.xor(RAX, RAX);
        Label again = l.x.here();
        l.mul(l.v(2), l.v(0), Mem.at(RSI, RAX, 4, 0));
        if (adds) {
            l.fma(l.v(2), l.v(1), Mem.at(RDX, RAX, 4, 0));
        }
        l.x.op(VMOVUPS, Mem.at(RSI, RAX, 4, 0), l.v(2));
        l.x.add(RAX, l.count());
        l.x.cmp(RAX, R10);
        l.x.jump(Condition.LESS, again);
        l.x.bind(next);
        l.x.mov(R11, l.argument(6));
        l.x.add(RSI, R11);
        l.x.add(RDX, R11);
        l.x.add(RCX, Float.BYTES);
        l.x.add(R8, Float.BYTES);
        l.x.sub(R9, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
