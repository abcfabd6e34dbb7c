package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;

/// Divides rows of weighted sums by the sums of their weights.
///
/// Arguments ([Arguments]): the rows, where the quotients go, the sums (a vector for each row, whose
/// lanes' sum replaces the first lane), rows (1 or more), columns, bytes between rows of the sums, and
/// between those of the quotients.
final class DivideRows {
    private DivideRows() {}

    /// Writes the code.
    static void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9);
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
        l.x.add(RSI, l.argument(5));
        l.x.add(RDX, l.argument(6));
        l.x.add(RCX, l.isa().bytes());
        l.x.sub(R8, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
