package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPMOVZXWD;
import static dev.wok.emit.x86.Op.VPSLLD;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBP;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.tensor.DType;

/// Packs a piece of a matrix whose rows run along the columns of a tile: some vectors of its columns, row after row of
/// the common dimension.
///
/// Arguments: table of row addresses, target, bytes to skip in each row, columns of the last vector (1 or more; zeros
/// are written behind them), rows (1 or more), bytes between the target's groups. With many panels: how many instead of
/// the columns, all of them whole, and bytes between them instead of between groups; each row is then read from end to
/// end.
///
/// @param whole vectors of columns before the last one
record PackColumns(Cast cast, int whole, boolean many) {
    private static final int ROWS_AHEAD = 16;
    private static final int LINES_AHEAD = 6;

    /// Writes the code.
    void write(Lanes l) {
        l.x.push(RBX);
        l.x.push(RBP);
        if (!many) {
            l.x.mov(RBX, RCX);
            l.setTail(RCX);
        }
        pairs().each(l, second -> step(l, second), () -> {
            if (many) {
                l.x.add(RSI, (whole + 1) * l.isa().bytes());
            } else {
                l.x.add(RSI, R9);
            }
        });
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    private RowPairs pairs() {
        return new RowPairs(cast, false);
    }

    private void step(Lanes l, boolean second) {
        point(l, RAX, 0);
        if (second) {
            point(l, R10, 1);
        }
        l.x.mov(RBP, RSI);
        if (!many) {
            panel(l, second);
            return;
        }
        l.x.mov(RBX, RCX);
        Label again = l.x.here();
        panel(l, second);
        l.x.add(RAX, (whole + 1) * bytes(l));
        if (second) {
            l.x.add(R10, (whole + 1) * bytes(l));
        }
        l.x.add(RBP, R9);
        l.x.sub(RBX, 1);
        l.x.jump(Condition.NOT_EQUAL, again);
    }

    private void panel(Lanes l, boolean second) {
        for (int vector = 0; vector <= whole; vector++) {
            one(l, vector, second);
        }
    }

    /// Points to a row's columns, and asks for those of a row further on.
    private void point(Lanes l, Reg at, int which) {
        l.x.mov(at, Mem.at(RDI, (which + ROWS_AHEAD) * Long.BYTES));
        int ahead = many ? LINES_AHEAD * 64 : (whole + 1) * bytes(l);
        for (int line = 0; line < ahead; line += 64) {
            l.x.prefetch(Mem.at(at, RDX, 1, line));
        }
        l.x.mov(at, Mem.at(RDI, which * Long.BYTES));
        l.x.add(at, RDX);
    }

    /// What a vector of columns takes in a row.
    private int bytes(Lanes l) {
        return l.count() * cast.from().bytes();
    }

    private void one(Lanes l, int vector, boolean second) {
        Vec low = l.v(0);
        Vec high = l.v(1);
        row(l, low, RAX, vector);
        if (second) {
            row(l, high, R10, vector);
        }
        pairs().group(l, low, high, second);
        Mem to = Mem.at(RBP, vector * l.isa().bytes());
        l.x.op(VMOVUPS, to, low);
    }

    /// Reads one row's columns: float32, or for bf16 pairs the bits.
    private void row(Lanes l, Vec to, Reg at, int vector) {
        boolean isLast = vector == whole && !many;
        Mem from = Mem.at(at, vector * bytes(l));
        if (cast.from() == DType.F32) {
            if (isLast) {
                l.inTailAsSet(() -> l.load(to, from));
            } else {
                l.load(to, from);
            }
        } else if (l.isa().hasMasks() || !isLast) {
            l.x.op(VPMOVZXWD, isLast ? to.zeroed(K1) : to, from);
            if (cast.kind() == Tile.Kind.F32) {
                l.x.op(VPSLLD, to, to, imm(16));
            }
        } else {
            l.x.lea(R11, from);
            Cast.loadWords(l, to, R11, RBX);
        }
    }
}
