package dev.wok.kernel.x86;

import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VMOVSS;
import static dev.wok.emit.Op.VMOVUPS;
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

/// Divides rows of weighted sums by the sums of their weights.
final class DivideRows {
    static final int FROM = 0;
    static final int FROM_STRIDE = 8;
    static final int TO = 16;
    static final int TO_STRIDE = 24;
    /// A vector for each row; its lanes' sum replaces the first lane.
    static final int SUMS = 32;
    static final int ROWS = 40;
    static final int COLUMNS = 48;
    static final int COUNT = 7;

    private DivideRows() {}

    /// Writes the code; its argument is the address of such [Slots].
    static void write(Lanes l) {
        l.x.mov(RSI, Mem.at(RDI, FROM));
        l.x.mov(RDX, Mem.at(RDI, TO));
        l.x.mov(RCX, Mem.at(RDI, SUMS));
        l.x.mov(R8, Mem.at(RDI, ROWS));
        l.x.mov(R9, Mem.at(RDI, COLUMNS));
        Label row = l.x.here();
        l.x.op(VMOVUPS, l.v(0), Mem.at(RCX));
        l.sum(l.v(0), l.v(1));
        l.x.op(VMOVSS, Mem.at(RCX), l.v(0).as(16));
        l.x.op(VBROADCASTSS, l.v(0), l.v(0).as(16));
        l.broadcast(l.v(1), 1f);
        l.div(l.v(0), l.v(1), l.v(0));
        l.each(R10, R9, RAX, () -> {
            l.load(l.v(1), Mem.at(RSI, R10, 4, 0));
            l.mul(l.v(1), l.v(1), l.v(0));
            l.store(Mem.at(RDX, R10, 4, 0), l.v(1));
        });
        l.x.add(RSI, Mem.at(RDI, FROM_STRIDE));
        l.x.add(RDX, Mem.at(RDI, TO_STRIDE));
        l.x.add(RCX, l.isa().bytes());
        l.x.sub(R8, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
