package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VMAXSS;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPBROADCASTD;
import static dev.wok.emit.x86.Op.VUCOMISS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
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
import dev.wok.emit.x86.Vec;

/// Turns a block of scores, row by row, into exponentials relative to the row's largest score so far, which become a
/// left operand in rows; keeps the largest and the sums, and scales what was summed up under an earlier largest one.
///
/* The largest begins at the lowest number instead of minus infinity: a row whose scores are all minus infinity then has
 * exponentials and a sum of zero. No number in a row makes its sums none.
 */
///
/// Arguments ([Arguments]): scores, weights, ranges (a row's pair of 32-bit numbers: the column before the first that
/// counts, and the one behind the last), the largest (a float for each row), the sums (a vector for each row), what was
/// summed up, bytes between its rows, its columns (0 where there is nothing yet), bytes between rows of scores, and of
/// weights, rows (1 or more), columns (whole vectors), the scale.
///
/// @param kind what the exponentials become
/// @param rounds whether as float32 they are rounded to bf16
/// @param masked whether each row has a range of keys that count
record RowSoftmax(Tile.Kind kind, boolean rounds, boolean masked) {
    static final float LOWEST = -Float.MAX_VALUE;

    /// Writes the code.
    void write(Lanes l) {
        Vec value = l.v(0);
        Vec n = l.v(1);
        Vec p = l.v(2);
        Vec largest = l.v(3);
        Vec scale = l.v(4);
        Vec infinity = l.v(5);
        Vec sum = l.v(6);
        Vec after = l.v(7);
        Vec end = l.v(8);
        Vec before = l.v(9);
        KeyRange range = new KeyRange(l, l.v(10), l.v(11));
        l.x.push(RBX);
        l.x.push(RBP);
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        l.x.mov(RBX, l.argument(10));
        l.x.mov(RBP, l.argument(11));
        l.argument(scale, 12);
        l.broadcast(infinity, Float.NEGATIVE_INFINITY);
        Label row = l.x.here();
        if (masked) {
            l.x.op(VPBROADCASTD, after, Mem.at(RCX));
            l.x.op(VPBROADCASTD, end, Mem.at(RCX, 4));
        }
        l.move(largest, infinity);
        columns(l, () -> {
            l.mul(value, scale, Mem.at(RSI, RAX, 4, 0));
            if (masked) {
                KeyRange.columns(l, range.columns(), RAX);
                range.find(after, end, n);
                range.fill(value, infinity);
                l.store(Mem.at(RSI, RAX, 4, 0), value);
            }
            l.max(largest, value, largest);
        });
        l.largest(largest, n);
        l.x.op(VMOVSS, before.as(16), Mem.at(R8));
        l.x.op(VMAXSS, largest.as(16), largest.as(16), before.as(16));
        l.x.op(VMOVSS, Mem.at(R8), largest.as(16));
        l.x.op(VBROADCASTSS, largest, largest.as(16));
        l.zero(sum);
        columns(l, () -> {
            l.load(value, Mem.at(RSI, RAX, 4, 0));
            if (!masked) {
                l.mul(value, value, scale);
            }
            l.sub(value, value, largest);
            l.exp(value, n, p);
            l.add(sum, sum, value);
            storeWeights(l, value, n, p);
        });
        Label same = l.x.label();
        l.x.op(VUCOMISS, largest.as(16), before.as(16));
        l.x.jump(Condition.EQUAL, same);
        l.x.op(VBROADCASTSS, value, before.as(16));
        l.sub(value, value, largest);
        l.exp(value, n, p);
        l.mul(n, value, Mem.at(R9));
        l.x.op(VMOVUPS, Mem.at(R9), n);
        scaleOut(l, value, n);
        l.x.bind(same);
        l.add(sum, sum, Mem.at(R9));
        l.x.op(VMOVUPS, Mem.at(R9), sum);
        l.x.add(RSI, l.argument(8));
        l.x.add(RDX, l.argument(9));
        l.x.add(R10, l.argument(6));
        l.x.add(RCX, Long.BYTES);
        l.x.add(R8, Float.BYTES);
        l.x.add(R9, l.isa().bytes());
        l.x.sub(RBX, 1);
        l.x.jump(Condition.NOT_EQUAL, row);
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    private static void columns(Lanes l, Runnable body) {
        l.x.xor(RAX, RAX);
        l.x.align(32);
        Label again = l.x.here();
        body.run();
        l.x.add(RAX, l.count());
        l.x.cmp(RAX, RBP);
        l.x.jump(Condition.LESS, again);
    }

    private void storeWeights(Lanes l, Vec value, Vec t, Vec s) {
        if (kind == Tile.Kind.BF16) {
            l.toBf16(value, value, t, s);
            l.x.op(VMOVUPS, Mem.at(RDX, RAX, 2, 0), value.as(l.isa().bytes() / 2));
            return;
        }
        if (rounds) {
            l.roundToBf16(value, t, s);
        }
        l.store(Mem.at(RDX, RAX, 4, 0), value);
    }

    private static void scaleOut(Lanes l, Vec factor, Vec t) {
        Label none = l.x.label();
        l.x.mov(R11, l.argument(7));
        l.x.xor(RAX, RAX);
        l.x.test(R11, R11);
        l.x.jump(Condition.EQUAL, none);
        Label again = l.x.here();
        l.mul(t, factor, Mem.at(R10, RAX, 4, 0));
        l.x.op(VMOVUPS, Mem.at(R10, RAX, 4, 0), t);
        l.x.add(RAX, l.count());
        l.x.cmp(RAX, R11);
        l.x.jump(Condition.LESS, again);
        l.x.bind(none);
    }
}
