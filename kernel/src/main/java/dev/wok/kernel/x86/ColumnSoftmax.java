package dev.wok.kernel.x86;

import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VPADDD;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RBP;
import static dev.wok.emit.Reg.RBX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;
import dev.wok.emit.Vec;

/// As [RowSoftmax] for scores whose rows are keys and whose columns are queries. The exponentials become a left operand
/// over the keys, in panels of [Blocks#panelRows] queries.
///
/// @param kind what the exponentials become
/// @param rounds whether as float32 they are rounded to bf16
/// @param scoresStride bytes between rows
/// @param panelStride bytes between panels
record ColumnSoftmax(Tile.Kind kind, boolean rounds, int scoresStride, int panelStride) {
    static final int SCORES = 0;
    static final int WEIGHT_PANELS = 8;
    /// For each column how many rows count, in 32 bits.
    static final int ENDS = 16;
    /// A float for each column, as below.
    static final int LARGEST = 24;
    static final int SUMS = 32;
    /// Written: what earlier sums are to be scaled by.
    static final int FACTORS = 40;
    /// Groups of rows.
    static final int STEPS = 48;
    /// Whole vectors.
    static final int COLUMNS = 56;
    static final int SCALE = 64;
    static final int COUNT = 9;

    /// Writes the code; its argument is the address of such [Arguments].
    void write(Lanes l) {
        Vec t = l.v(2);
        Vec s = l.v(3);
        Vec largest = l.v(4);
        Vec sum = l.v(5);
        Vec scale = l.v(6);
        Vec end = l.v(7);
        Vec one = l.v(9);
        Vec infinity = l.v(10);
        Vec order = l.v(31);
        KeyRange range = new KeyRange(l, l.v(8), l.v(11));
        l.x.push(RBX);
        l.x.push(RBP);
        l.x.mov(RSI, Mem.at(RDI, SCORES));
        l.x.mov(RDX, Mem.at(RDI, WEIGHT_PANELS));
        l.x.mov(RCX, Mem.at(RDI, ENDS));
        l.x.mov(R8, Mem.at(RDI, LARGEST));
        l.x.mov(R9, Mem.at(RDI, SUMS));
        l.x.mov(R10, Mem.at(RDI, FACTORS));
        l.x.op(VBROADCASTSS, scale, Mem.at(RDI, SCALE));
        l.x.op(VBROADCASTSS, one, l.x.constant(1));
        l.broadcast(infinity, Float.NEGATIVE_INFINITY);
        if (kind == Tile.Kind.BF16) {
            RowSlope.Panelled.loadOrder(l, order);
        }
        l.x.xor(RAX, RAX);
        Label columns = l.x.here();
        l.load(end, Mem.at(RCX, RAX, 4, 0));
        l.move(largest, infinity);
        steps(l, range, one, (row, value) -> {
            score(l, row, value, scale, infinity, range, end);
            l.max(largest, value, largest);
        });
        l.load(s, Mem.at(R8, RAX, 4, 0));
        l.max(largest, largest, s);
        l.store(Mem.at(R8, RAX, 4, 0), largest);
        l.sub(s, s, largest);
        l.exp(s, t, l.v(0));
        l.store(Mem.at(R10, RAX, 4, 0), s);
        l.mul(sum, s, Mem.at(R9, RAX, 4, 0));
        l.x.mov(RBP, RDX);
        RowSlope.Panelled panelled = new RowSlope.Panelled(kind, panelStride);
        steps(l, range, one, (row, value) -> {
            score(l, row, value, scale, infinity, range, end);
            l.sub(value, value, largest);
            l.exp(value, t, s);
            l.add(sum, sum, value);
            if (row == kind.perGroup() - 1) {
                if (rounds && kind == Tile.Kind.F32) {
                    l.roundToBf16(value, t, s);
                }
                panelled.store(l, RBP, l.v(0), l.v(1), order);
                l.x.add(RBP, l.isa().bytes() / 2);
            }
        });
        l.store(Mem.at(R9, RAX, 4, 0), sum);
        l.x.add(RDX, 2 * panelStride);
        l.x.add(RSI, l.isa().bytes());
        l.x.add(RAX, l.count());
        l.x.cmp(RAX, Mem.at(RDI, COLUMNS));
        l.x.jump(Condition.LESS, columns);
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    private interface Row {
        void of(int row, Vec value);
    }

    /// All rows of a vector of columns, a group at a time.
    private void steps(Lanes l, KeyRange range, Vec one, Row body) {
        l.zero(range.columns());
        l.x.mov(RBX, RSI);
        l.x.mov(R11, Mem.at(RDI, STEPS));
        Label again = l.x.here();
        for (int row = 0; row < kind.perGroup(); row++) {
            body.of(row, l.v(row));
            l.x.op(VPADDD, range.columns(), range.columns(), one);
        }
        l.x.add(RBX, kind.perGroup() * scoresStride);
        l.x.sub(R11, 1);
        l.x.jump(Condition.NOT_EQUAL, again);
    }

    private void score(Lanes l, int row, Vec value, Vec scale, Vec infinity, KeyRange range, Vec end) {
        l.mul(value, scale, Mem.at(RBX, row * scoresStride));
        range.findBelow(end);
        range.fill(value, infinity);
    }
}
