package dev.wok.kernel.x86;

import static dev.wok.emit.Op.VMOVSS;
import static dev.wok.emit.Reg.R10;
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

/// The dot products of rows with rows.
final class DotRows {
    static final int A = 0;
    static final int A_STRIDE = 8;
    static final int B = 16;
    static final int B_STRIDE = 24;
    /// A float every 8 bytes.
    static final int TO = 32;
    static final int ROWS = 40;
    static final int COLUMNS = 48;
    static final int COUNT = 7;

    private DotRows() {}

    /// Writes the code; its argument is the address of such [Slots].
    static void write(Lanes l) {
        l.x.mov(RSI, Mem.at(RDI, A));
        l.x.mov(RDX, Mem.at(RDI, B));
        l.x.mov(RCX, Mem.at(RDI, TO));
        l.x.mov(R8, Mem.at(RDI, ROWS));
        l.x.mov(R9, Mem.at(RDI, COLUMNS));
        Label row = l.x.here();
        l.zero(l.v(0));
        l.zero(l.v(1));
        l.each(R10, R9, RAX, 2, copy -> {
            l.load(l.v(2 + copy), Mem.at(RSI, R10, 4, copy * l.isa().bytes()));
            l.load(l.v(4 + copy), Mem.at(RDX, R10, 4, copy * l.isa().bytes()));
            l.fma(l.v(copy), l.v(2 + copy), l.v(4 + copy));
        });
        l.add(l.v(0), l.v(0), l.v(1));
        l.sum(l.v(0), l.v(1));
        l.x.op(VMOVSS, Mem.at(RCX), l.v(0).as(16));
        l.x.add(RSI, Mem.at(RDI, A_STRIDE));
        l.x.add(RDX, Mem.at(RDI, B_STRIDE));
        l.x.add(RCX, Long.BYTES);
        l.x.sub(R8, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
