package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Mask.K4;
import static dev.wok.emit.x86.Op.KMOVW;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VMASKMOVPS;
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
import java.util.Arrays;

/// Packs a piece of a matrix whose columns are the rows of tiles: [Tile.Layout#PANELS]. Goes through the matrix row by
/// row, each a stretch of memory of which every tile gets its part.
///
/// Arguments: table of row addresses, target, bytes to skip in each row, columns (1 or more), rows (1 or more), bytes
/// between tiles. Factors for the rows, float32 in 8 bytes each, lie [#FACTORS] bytes behind the table.
///
/// @param tileRows rows of a tile, fewer than a vector has lanes; those of the last one that do not exist become zeros
/// @param scaled whether there are factors
record PackPanels(Cast cast, int tileRows, boolean scaled) {
    static final int FACTORS = 8 * Gemm.DEPTH_MOST;

    private static final int ROWS_AHEAD = 16;
    private static final int LINES_AHEAD = 6;

    private static final int WHOLE = 14;

    /// Writes the code.
    void write(Lanes l) {
        l.x.push(RBX);
        l.x.push(RBP);
        setMasks(l);
        pairs().each(l, second -> step(l, second), () -> l.x.add(RSI, tileRows * Integer.BYTES));
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    private RowPairs pairs() {
        return new RowPairs(cast, scaled);
    }

    /// One mask for the columns of the last tile and one for those of the others.
    private void setMasks(Lanes l) {
        Label again = l.x.label();
        Label found = l.x.label();
        l.x.mov(RBX, RCX);
        l.x.bind(again);
        l.x.cmp(RBX, tileRows);
        l.x.jump(Condition.LESS_OR_EQUAL, found);
        l.x.sub(RBX, tileRows);
        l.x.jump(again);
        l.x.bind(found);
        l.setTail(RBX);
        if (l.isa().hasMasks()) {
            l.x.mov(RAX, (1 << tileRows) - 1);
            l.x.op(KMOVW, K4, RAX);
        } else {
            int[] ones = new int[l.count()];
            Arrays.fill(ones, 0, tileRows, -1);
            l.x.op(VMOVUPS, l.v(WHOLE), l.x.constant(ones));
        }
    }

    /// One row, or two that make pairs.
    private void step(Lanes l, boolean second) {
        point(l, RAX, 0);
        if (second) {
            point(l, R10, 1);
        }
        l.x.mov(RBX, RCX);
        l.x.mov(RBP, RSI);
        Label last = l.x.label();
        l.x.sub(RBX, tileRows);
        l.x.jump(Condition.LESS_OR_EQUAL, last);
        Label again = l.x.here();
        tile(l, second, false);
        int bytes = tileRows * cast.from().bytes();
        l.x.add(RAX, bytes);
        if (second) {
            l.x.add(R10, bytes);
        }
        l.x.add(RBP, R9);
        l.x.sub(RBX, tileRows);
        l.x.jump(Condition.GREATER, again);
        l.x.bind(last);
        tile(l, second, true);
    }

    /// Points to a row's columns, and asks for those of a row further on.
    private void point(Lanes l, Reg at, int which) {
        l.x.mov(at, Mem.at(RDI, (which + ROWS_AHEAD) * Long.BYTES));
        for (int line = 0; line < LINES_AHEAD; line++) {
            l.x.prefetch(Mem.at(at, RDX, 1, line * 64));
        }
        l.x.mov(at, Mem.at(RDI, which * Long.BYTES));
        l.x.add(at, RDX);
        if (scaled) {
            l.x.op(VBROADCASTSS, l.v(4 + which), Mem.at(RDI, FACTORS + which * Long.BYTES));
        }
    }

    private void tile(Lanes l, boolean second, boolean last) {
        Vec low = l.v(0);
        Vec high = l.v(1);
        row(l, low, RAX, 0, last);
        if (second) {
            row(l, high, R10, 1, last);
        }
        pairs().group(l, low, high, second);
        if (l.isa().hasMasks()) {
            l.x.op(VMOVUPS, Mem.at(RBP).under(K4), low);
        } else {
            l.x.op(VMASKMOVPS, Mem.at(RBP), l.v(WHOLE), low);
        }
    }

    /// Reads a tile's part of one row: float32, or for unscaled bf16 pairs the bits.
    private void row(Lanes l, Vec to, Reg at, int which, boolean last) {
        Mem from = Mem.at(at);
        if (cast.from() == DType.F32) {
            if (last) {
                l.inTailAsSet(() -> l.load(to, from));
            } else if (l.isa().hasMasks()) {
                l.x.op(VMOVUPS, to.zeroed(K4), from);
            } else {
                l.x.op(VMASKMOVPS, to, l.v(WHOLE), from);
            }
        } else if (l.isa().hasMasks()) {
            l.x.op(VPMOVZXWD, to.zeroed(last ? K1 : K4), from);
            if (cast.kind() == Tile.Kind.F32 || scaled) {
                l.x.op(VPSLLD, to, to, imm(16));
            }
        } else {
            l.x.mov(R11, tileRows);
            if (last) {
                l.x.add(R11, RBX);
            }
            Cast.loadWords(l, to, at, R11);
        }
        if (scaled) {
            l.mul(to, to, l.v(4 + which));
        }
    }
}
