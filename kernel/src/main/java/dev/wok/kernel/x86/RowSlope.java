package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VEXTRACTF128;
import static dev.wok.emit.x86.Op.VEXTRACTF64X4;
import static dev.wok.emit.x86.Op.VFMSUB213PS;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPBROADCASTD;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R12;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBP;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;

/// Turns a block of scores into probabilities `p = e^(scale s - lse)`, and `dp = dOut . v` into the scores' gradients
/// `ds = p (dp - delta) scale`. Both become left operands over the queries, in panels of [Blocks#panelRows] keys;
/// the gradients also one over the keys, in rows.
///
/// Rows go two at a time where a 32-bit group holds two; a second one that does not exist has no keys that count.
///
/// Arguments ([Arguments]): `s`, `dp`, ranges as for [RowSoftmax], each row's pair of floats lse and delta, the rows of
/// `ds`, the panels of `p` and of `ds`, how often one or two rows, columns (whole vectors), the scale.
///
/// @param kind what they become
/// @param rounds whether as float32 they are rounded to bf16
/// @param masked whether each row has a range of keys that count, as for [RowSoftmax]
/// @param scoresStride bytes between rows of `s` and of `dp`
/// @param rowStride bytes between rows of `ds`
/// @param panelStride bytes between panels
record RowSlope(Tile.Kind kind, boolean rounds, boolean masked, int scoresStride, int rowStride, int panelStride) {
    private static final int P = 0;
    private static final int DS = 2;
    private static final int LSE = 7;
    private static final int DELTA = 9;
    private static final int AFTER = 11;
    private static final int MORE = 16;

    /// Registers from 16 on serve a second row: there is one with AVX-512 only.
    private static Vec of(Lanes l, int first, int row) {
        return l.v(row == 0 ? first : MORE + first);
    }

    /// Writes the code.
    void write(Lanes l) {
        Vec scale = l.v(6);
        Vec order = l.v(31);
        l.x.push(RBX);
        l.x.push(RBP);
        l.x.push(R12);
        l.arguments(RSI, RDX, RCX, R8, R9, R10, R11, R12);
        l.argument(scale, 9);
        if (kind == Tile.Kind.BF16) {
            RowPairs.loadOrder(l, order);
        }
        int rows = kind.perGroup();
        Label step = l.x.here();
        for (int r = 0; r < rows; r++) {
            l.x.op(VBROADCASTSS, of(l, LSE, r), Mem.at(R8, r * Long.BYTES));
            l.x.op(VBROADCASTSS, of(l, DELTA, r), Mem.at(R8, r * Long.BYTES + 4));
            if (masked) {
                l.x.op(VPBROADCASTD, of(l, AFTER, r), Mem.at(RCX, r * Long.BYTES));
                l.x.op(VPBROADCASTD, of(l, AFTER + 1, r), Mem.at(RCX, r * Long.BYTES + 4));
            }
        }
        l.x.mov(RBX, R10);
        l.x.mov(RBP, R11);
        l.x.xor(RAX, RAX);
        l.x.align(32);
        Label again = l.x.here();
        for (int r = 0; r < rows; r++) {
            vector(l, r, scale);
        }
        Panelled panelled = new Panelled(kind, panelStride);
        panelled.store(l, RBX, of(l, P, 0), of(l, P, 1), order);
        panelled.store(l, RBP, of(l, DS, 0), of(l, DS, 1), order);
        l.x.add(RBX, 2 * panelStride);
        l.x.add(RBP, 2 * panelStride);
        l.x.add(RAX, l.count());
        l.x.cmp(RAX, l.argument(8));
        l.x.jump(Condition.LESS, again);
        l.x.add(RSI, rows * scoresStride);
        l.x.add(RDX, rows * scoresStride);
        l.x.add(RCX, rows * Long.BYTES);
        l.x.add(R8, rows * Long.BYTES);
        l.x.add(R9, rows * rowStride);
        l.x.add(R10, l.isa().bytes() / 2);
        l.x.add(R11, l.isa().bytes() / 2);
        l.x.sub(R12, 1);
        l.x.jump(Condition.NOT_EQUAL, step);
        l.x.pop(R12);
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    private void vector(Lanes l, int row, Vec scale) {
        Vec p = of(l, P, row);
        Vec ds = of(l, DS, row);
        Vec t = l.v(4);
        Vec s = l.v(5);
        KeyRange range = new KeyRange(l, l.v(13), l.v(14));
        l.load(p, Mem.at(RSI, RAX, 4, row * scoresStride));
        l.x.op(VFMSUB213PS, p, scale, of(l, LSE, row));
        l.exp(p, t, s);
        l.load(ds, Mem.at(RDX, RAX, 4, row * scoresStride));
        l.sub(ds, ds, of(l, DELTA, row));
        l.mul(ds, ds, p);
        l.mul(ds, ds, scale);
        if (masked) {
            KeyRange.columns(l, range.columns(), RAX);
            range.find(of(l, AFTER, row), of(l, AFTER + 1, row), t);
            range.zero(p);
            range.zero(ds);
        }
        if (kind == Tile.Kind.BF16) {
            l.toBf16(t, ds, t, s);
            l.x.op(VMOVUPS, Mem.at(R9, RAX, 2, row * rowStride), t.as(l.isa().bytes() / 2));
            return;
        }
        if (rounds) {
            l.roundToBf16(p, t, s);
            l.roundToBf16(ds, t, s);
        }
        l.store(Mem.at(R9, RAX, 4, 0), ds);
    }

    /// Stores a vector of columns as one group of two panels' rows.
    record Panelled(Tile.Kind kind, int panelStride) {
        /// @param order as [RowPairs#loadOrder] fills it
        /// @param first overwritten
        /// @param second the group's second element where it has two
        void store(Lanes l, Reg to, Vec first, Vec second, Vec order) {
            if (kind == Tile.Kind.BF16) {
                RowPairs.interleave(l, first, second, order);
            }
            l.x.op(VMOVUPS, Mem.at(to), first.as(l.isa().bytes() / 2));
            l.x.op(l.isa().hasMasks() ? VEXTRACTF64X4 : VEXTRACTF128, Mem.at(to, panelStride), first, imm(1));
        }
    }
}
