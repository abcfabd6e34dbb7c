package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VMOVSS;
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

/// The dot products of rows with rows.
///
/// Arguments ([Arguments]): both rows, the products (a float every 8 bytes), rows (1 or more), columns, bytes between
/// the rows of either.
final class DotRows {
    private DotRows() {}

    /// Writes the code.
    static void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9);
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
        l.x.add(RSI, l.argument(5));
        l.x.add(RDX, l.argument(6));
        l.x.add(RCX, Long.BYTES);
        l.x.sub(R8, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
