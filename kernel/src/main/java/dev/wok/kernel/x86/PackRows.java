package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
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
import dev.wok.emit.x86.Reg;

/// Copies parts of rows to [Tile.Layout#ROWS]. Writes whole vectors: up to one behind a row's groups.
///
/// Arguments: table of row addresses, target, bytes between the target's rows, bytes to skip in each row, elements,
/// rows (1 or more).
record PackRows(Cast cast) {
    private static final int ROWS_AHEAD = 6;
    /// Behind them the processor sees where it goes on.
    private static final int LINES_AHEAD = 16;

    /// Writes the code.
    void write(Lanes l) {
        Reg left = R11;
        Reg to = R10;
        Label row = l.x.here();
        // Rows lie apart: the processor does not guess where the next one is. Behind the table's end this asks for what
        // an earlier call wanted, which does no harm.
        l.x.mov(RAX, Mem.at(RDI, ROWS_AHEAD * Long.BYTES));
        l.x.add(RAX, RCX);
        for (int line = 0; line < LINES_AHEAD; line++) {
            l.x.prefetch(Mem.at(RAX, line * 64));
        }
        l.x.mov(RAX, Mem.at(RDI));
        l.x.add(RAX, RCX);
        l.x.mov(to, RSI);
        l.x.mov(left, R8);
        int step = cast.perVector(l);
        int bytes = step * cast.from().bytes();
        Label tail = l.x.label();
        Label next = l.x.label();
        l.x.sub(left, step);
        l.x.jump(Condition.LESS, tail);
        Label again = l.x.here();
        cast.load(l, l.v(0), RAX, null);
        l.store(Mem.at(to), l.v(0));
        l.x.add(RAX, bytes);
        l.x.add(to, l.isa().bytes());
        l.x.sub(left, step);
        l.x.jump(Condition.GREATER_OR_EQUAL, again);
        l.x.bind(tail);
        l.x.add(left, step);
        l.x.jump(Condition.EQUAL, next);
        cast.load(l, l.v(0), RAX, left);
        l.store(Mem.at(to), l.v(0));
        l.x.bind(next);
        l.x.add(RDI, Long.BYTES);
        l.x.add(RSI, RDX);
        l.x.sub(R9, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.end();
    }
}
