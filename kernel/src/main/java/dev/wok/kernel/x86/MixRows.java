package dev.wok.kernel.x86;

import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VMOVUPS;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;

/// `to = a to` or `to = a to + b from`, with factors for each row; rows of whole vectors.
record MixRows(boolean adds) {
    static final int TO = 0;
    static final int FROM = 8;
    /// Of both.
    static final int STRIDE = 16;
    /// Floats.
    static final int A = 24;
    static final int B = 32;
    static final int ROWS = 40;
    static final int COLUMNS = 48;
    static final int COUNT = 7;

    private static final int ONE = 0x3F800000;

    /// Writes the code; its argument is the address of such [Arguments].
    void write(Lanes l) {
        l.x.mov(RSI, Mem.at(RDI, TO));
        l.x.mov(RDX, Mem.at(RDI, FROM));
        l.x.mov(RCX, Mem.at(RDI, A));
        l.x.mov(R8, Mem.at(RDI, B));
        l.x.mov(R9, Mem.at(RDI, ROWS));
        l.x.mov(R10, Mem.at(RDI, COLUMNS));
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
        l.x.mov(R11, Mem.at(RDI, STRIDE));
        l.x.add(RSI, R11);
        l.x.add(RDX, R11);
        l.x.add(RCX, Float.BYTES);
        l.x.add(R8, Float.BYTES);
        l.x.sub(R9, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
