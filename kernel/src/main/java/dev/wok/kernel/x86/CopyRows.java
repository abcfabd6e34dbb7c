package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;

/// Copies rows of float32, or adds them to what is there.
///
/// Arguments: source, bytes between its rows, target, bytes between its rows, rows (1 or more), columns.
record CopyRows(boolean add) {
    /// Writes the code.
    void write(Lanes l) {
        Label row = l.x.here();
        l.each(R10, R9, RAX, () -> {
            l.load(l.v(0), Mem.at(RDI, R10, 4, 0));
            if (add) {
                l.load(l.v(1), Mem.at(RDX, R10, 4, 0));
                l.add(l.v(0), l.v(1), l.v(0));
            }
            l.store(Mem.at(RDX, R10, 4, 0), l.v(0));
        });
        l.x.add(RDI, RSI);
        l.x.add(RDX, RCX);
        l.x.sub(R8, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
