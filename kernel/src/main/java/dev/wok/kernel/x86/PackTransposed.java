package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VPERM2F128;
import static dev.wok.emit.x86.Op.VSHUFF32X4;
import static dev.wok.emit.x86.Op.VUNPCKHPD;
import static dev.wok.emit.x86.Op.VUNPCKHPS;
import static dev.wok.emit.x86.Op.VUNPCKLPD;
import static dev.wok.emit.x86.Op.VUNPCKLPS;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;

/// Packs a piece of a matrix whose rows are the columns of a tile: a vector of rows, transposed.
///
/// Arguments: table of a vector of row addresses (zero for a row of zeros), target, bytes to skip in each row,
/// elements (1 or more), bytes between the target's groups.
record PackTransposed(Cast cast) {
    /// Bytes to the same row of the next vector of rows, which is asked for meanwhile.
    private static final Reg NEXT = R9;

    /// Writes the code.
    void write(Lanes l) {
        int n = l.count();
        int step = cast.perVector(l);
        Label again = l.x.label();
        Label tail = l.x.label();
        Label done = l.x.label();
        l.x.push(RBX);
        l.x.mov(NEXT, Mem.at(RDI, Long.BYTES));
        l.x.mov(RAX, Mem.at(RDI));
        l.x.sub(NEXT, RAX);
        l.x.shl(NEXT, Integer.numberOfTrailingZeros(n));
        l.x.bind(again);
        l.x.cmp(RCX, step);
        l.x.jump(Condition.LESS, tail);
        for (int i = 0; i < n; i++) {
            row(l, i, false);
        }
        transpose(l);
        for (int g = 0; g < n; g++) {
            l.store(Mem.at(RSI), l.v(g));
            l.x.add(RSI, R8);
        }
        l.x.add(RDX, step * cast.from().bytes());
        l.x.sub(RCX, step);
        l.x.jump(again);
        l.x.bind(tail);
        l.x.test(RCX, RCX);
        l.x.jump(Condition.EQUAL, done);
        for (int i = 0; i < n; i++) {
            row(l, i, true);
        }
        transpose(l);
        for (int g = 0; g < n; g++) {
            l.x.cmp(RCX, g * cast.kind().perGroup());
            l.x.jump(Condition.LESS_OR_EQUAL, done);
            l.store(Mem.at(RSI), l.v(g));
            l.x.add(RSI, R8);
        }
        l.x.bind(done);
        l.x.pop(RBX);
        l.end();
    }

    private void row(Lanes l, int i, boolean last) {
        Label absent = l.x.label();
        l.zero(l.v(i));
        l.x.mov(RAX, Mem.at(RDI, i * Long.BYTES));
        l.x.test(RAX, RAX);
        l.x.jump(Condition.EQUAL, absent);
        l.x.add(RAX, RDX);
        for (int line = 0; line < cast.perVector(l) * cast.from().bytes(); line += 64) {
            l.x.prefetch2(Mem.at(RAX, NEXT, 1, line));
        }
        cast.load(l, l.v(i), RAX, last ? RCX : null);
        l.x.bind(absent);
    }

    /// Registers 0 to [Lanes#count] hold rows of 32-bit values and then their columns.
    private static void transpose(Lanes l) {
        int n = l.count();
        for (int i = 0; i < n; i += 2) {
            l.x.op(VUNPCKLPS, l.v(n + i), l.v(i), l.v(i + 1));
            l.x.op(VUNPCKHPS, l.v(n + i + 1), l.v(i), l.v(i + 1));
        }
        for (int i = 0; i < n; i += 4) {
            l.x.op(VUNPCKLPD, l.v(i), l.v(n + i), l.v(n + i + 2));
            l.x.op(VUNPCKHPD, l.v(i + 1), l.v(n + i), l.v(n + i + 2));
            l.x.op(VUNPCKLPD, l.v(i + 2), l.v(n + i + 1), l.v(n + i + 3));
            l.x.op(VUNPCKHPD, l.v(i + 3), l.v(n + i + 1), l.v(n + i + 3));
        }
        for (int c = 0; c < 4; c++) {
            if (n == 8) {
                l.x.op(VPERM2F128, l.v(8 + c), l.v(c), l.v(4 + c), imm(0x20));
                l.x.op(VPERM2F128, l.v(4 + c), l.v(c), l.v(4 + c), imm(0x31));
                l.move(l.v(c), l.v(8 + c));
            } else {
                l.x.op(VSHUFF32X4, l.v(16), l.v(c), l.v(4 + c), imm(0x88));
                l.x.op(VSHUFF32X4, l.v(17), l.v(c), l.v(4 + c), imm(0xDD));
                l.x.op(VSHUFF32X4, l.v(18), l.v(8 + c), l.v(12 + c), imm(0x88));
                l.x.op(VSHUFF32X4, l.v(19), l.v(8 + c), l.v(12 + c), imm(0xDD));
                l.x.op(VSHUFF32X4, l.v(c), l.v(16), l.v(18), imm(0x88));
                l.x.op(VSHUFF32X4, l.v(4 + c), l.v(17), l.v(19), imm(0x88));
                l.x.op(VSHUFF32X4, l.v(8 + c), l.v(16), l.v(18), imm(0xDD));
                l.x.op(VSHUFF32X4, l.v(12 + c), l.v(17), l.v(19), imm(0xDD));
            }
        }
    }
}
