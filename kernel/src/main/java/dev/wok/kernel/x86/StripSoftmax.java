package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VPADDD;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;

/// Turns the scores of a vector of a strip's queries, as [StripScores] leaves them, into exponentials relative to each
/// query's largest score, as [StripSums] reads them; keeps the largest and the sums. Scales the scores in their place.
///
/* The largest begins at the lowest number and passes over what is none, as in RowSoftmax. */
///
/// Arguments ([Arguments]): scores, keys (1 or more), weights, the largest (a vector), the sums (a vector), the scale,
/// how many keys each query sees (a vector of 32-bit numbers).
///
/// @param kind of the product that reads the exponentials
/// @param rounds whether as float32 they are rounded to bf16
/// @param masked whether some query does not see all keys
record StripSoftmax(Tile.Kind kind, boolean rounds, boolean masked) {
    /// Writes the code.
    void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9);
        largest(l);
        l.arguments(RSI, RDX);
        exponentials(l);
        l.end();
    }

    private void largest(Lanes l) {
        Vec value = l.v(0);
        Vec largest = largestScore(l);
        Vec scale = l.v(2);
        Vec infinity = l.v(3);
        Vec ends = l.v(4);
        KeyRange range = new KeyRange(l, l.v(5), l.v(6));
        Vec one = l.v(7);
        l.argument(scale, 5);
        l.broadcast(largest, RowSoftmax.LOWEST);
        if (masked) {
            l.broadcast(infinity, Float.NEGATIVE_INFINITY);
            l.x.mov(R10, l.argument(6));
            l.load(ends, Mem.at(R10));
            l.zero(range.columns());
            l.broadcast(one, Float.intBitsToFloat(1));
        }
        l.repeat(RDX, () -> {
            l.mul(value, scale, Mem.at(RSI));
            if (masked) {
                range.findBefore(ends);
                range.fill(value, infinity);
                l.x.op(VPADDD, range.columns(), range.columns(), one);
            }
            l.store(Mem.at(RSI), value);
            l.max(largest, value, largest);
            l.x.add(RSI, StripScores.STRIP_BYTES);
        });
        l.store(Mem.at(R8), largest);
    }

    private static Vec largestScore(Lanes l) {
        return l.v(1);
    }

    private void exponentials(Lanes l) {
        Vec first = l.v(0);
        Vec second = l.v(2);
        Vec sum = l.v(3);
        Vec order = l.v(6);
        l.zero(sum);
        if (!inPairs()) {
            l.repeat(RDX, () -> {
                exponential(l, first, 0, sum);
                if (rounds) {
                    l.roundToBf16(first, l.v(4), l.v(5));
                }
                next(l, first);
            });
        } else {
            RowPairs.loadOrder(l, order);
            Label single = l.x.label();
            Label done = l.x.label();
            l.x.sub(RDX, 2);
            l.x.jump(Condition.LESS, single);
            Label again = l.x.here();
            exponential(l, first, 0, sum);
            exponential(l, second, 1, sum);
            RowPairs.interleave(l, first, second, order);
            next(l, first);
            l.x.sub(RDX, 2);
            l.x.jump(Condition.GREATER_OR_EQUAL, again);
            l.x.bind(single);
            l.x.add(RDX, 2);
            l.x.jump(Condition.EQUAL, done);
            exponential(l, first, 0, sum);
            l.zero(second);
            RowPairs.interleave(l, first, second, order);
            next(l, first);
            l.x.bind(done);
        }
        l.store(Mem.at(R9), sum);
    }

    private boolean inPairs() {
        return kind == Tile.Kind.BF16;
    }

    private static void exponential(Lanes l, Vec value, int key, Vec sum) {
        l.load(value, Mem.at(RSI, key * StripScores.STRIP_BYTES));
        l.sub(value, value, largestScore(l));
        l.exp(value, l.v(4), l.v(5));
        l.add(sum, sum, value);
    }

    private void next(Lanes l, Vec group) {
        l.store(Mem.at(RCX), group);
        l.x.add(RCX, StripScores.STRIP_BYTES);
        l.x.add(RSI, kind.perGroup() * StripScores.STRIP_BYTES);
    }
}
