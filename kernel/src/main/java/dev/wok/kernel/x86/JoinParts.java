package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;

/// `to = scale (factor_0 row_0 + factor_1 row_1 + ..)`, in that order.
///
/// Arguments ([Arguments]): the first row, bytes to the next one, factors (floats), rows (1 or more), to, whole blocks
/// of columns, the scale.
///
/// @param lastColumns columns behind the whole blocks
record JoinParts(int lastColumns) {
    /// @return the columns of a block
    static int blockColumns(Isa isa) {
        return blockVectors(isa) * isa.lanes();
    }

    private static int blockVectors(Isa isa) {
        return isa.registers() / 2;
    }

    /// Writes the code.
    void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        Vec scale = l.v(l.isa().registers() - 2);
        l.argument(scale, 6);
        Label last = l.x.label();
        l.x.test(R10, R10);
        l.x.jump(Condition.EQUAL, last);
        l.repeat(R10, () -> {
            block(l, blockVectors(l.isa()), false, scale);
            l.x.add(RSI, blockColumns(l.isa()) * Float.BYTES);
            l.x.add(R9, blockColumns(l.isa()) * Float.BYTES);
        });
        l.x.bind(last);
        if (lastColumns > 0) {
            int tail = lastColumns % l.count();
            if (tail > 0) {
                l.x.mov(RAX, tail);
                l.setTail(RAX);
            }
            block(l, (lastColumns + l.count() - 1) / l.count(), tail > 0, scale);
        }
        l.end();
    }

    /// @param partial whether the last vector is
    private static void block(Lanes l, int vectors, boolean partial, Vec scale) {
        Vec factor = l.v(vectors);
        for (int v = 0; v < vectors; v++) {
            l.zero(l.v(v));
        }
        l.x.mov(RAX, RSI);
        l.x.xor(R11, R11);
        Label again = l.x.here();
        l.x.op(VBROADCASTSS, factor, Mem.at(RCX, R11, Float.BYTES, 0));
        for (int v = 0; v < vectors; v++) {
            l.fma(l.v(v), factor, Mem.at(RAX, v * l.isa().bytes()));
        }
        for (int at = 0; at < vectors * l.isa().bytes(); at += Ahead.LINE) {
            l.x.prefetch(Mem.at(RAX, RDX, 4, at));
        }
        l.x.add(RAX, RDX);
        l.x.add(R11, 1);
        l.x.cmp(R11, R8);
        l.x.jump(Condition.LESS, again);
        for (int v = 0; v < vectors; v++) {
            l.mul(l.v(v), l.v(v), scale);
            Mem to = Mem.at(R9, v * l.isa().bytes());
            Vec mean = l.v(v);
            if (partial && v == vectors - 1) {
                l.inTailAsSet(() -> l.store(to, mean));
            } else {
                l.store(to, mean);
            }
        }
    }
}
