package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VANDPS;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VCVTDQ2PS;
import static dev.wok.emit.x86.Op.VCVTPS2DQ;
import static dev.wok.emit.x86.Op.VCVTTPS2DQ;
import static dev.wok.emit.x86.Op.VEXTRACTF128;
import static dev.wok.emit.x86.Op.VMINPS;
import static dev.wok.emit.x86.Op.VMOVD;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VPACKSSDW;
import static dev.wok.emit.x86.Op.VPACKSSWB;
import static dev.wok.emit.x86.Op.VPERMD;
import static dev.wok.emit.x86.Op.VPMOVDB;
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
import dev.wok.emit.x86.Vec;

/// Rounds a row of float32 to groups of 8 bits, as [dev.wok.kernel.Activations#quantize] does.
///
/// Arguments: the row, zeros behind it up to a whole vector; the bytes; for each group a float32, its scale, and an
/// int32, what [GroupTile] begins its sums with; groups (1 or more); vectors of a group; vectors of the last group.
///
/// @param bits of the weights
record QuantizeRow(int bits) {
    private static final float MOST = 127;

    /// What the weights' values have too much in panels.
    private int bias() {
        return bits == 8 ? 128 : 8;
    }

    /// Writes the code.
    void write(Lanes l) {
        Vec scale = l.v(0);
        Vec spoiled = l.v(1);
        Vec zero = l.v(2);
        Vec value = l.v(3);
        Vec temporary = l.v(4);
        Vec sum = l.v(5);
        Vec least = l.v(6);
        Vec most = l.v(7);
        Vec factor = l.v(9);
        l.zero(zero);
        l.broadcast(least, -MOST);
        l.broadcast(most, MOST);
        if (bits == 4) {
            l.load(l.v(8), l.x.constant(evenFirst(l.count())));
        }
        Label group = l.x.here();
        l.x.mov(R10, R8);
        l.x.cmp(RCX, 1);
        l.x.cmov(Condition.EQUAL, R10, R9);
        l.zero(scale);
        l.zero(spoiled);
        l.x.mov(RAX, RDI);
        l.x.mov(R11, R10);
        Label measure = l.x.here();
        l.load(value, Mem.at(RAX));
        l.fma(spoiled, value, zero);
        l.x.op(VANDPS, value, value, l.c(0x7FFFFFFF));
        l.max(scale, value, scale);
        l.x.add(RAX, l.isa().bytes());
        l.x.sub(R11, 1);
        l.x.jump(Condition.NOT_EQUAL, measure);
        l.largest(scale, temporary);
        l.sum(spoiled, temporary);
        l.div(factor, most, scale);
        l.x.op(VBROADCASTSS, factor, factor.as(16));
        l.div(scale, scale, l.c(MOST));
        l.add(scale, scale, spoiled);
        l.x.op(VMOVSS, Mem.at(RDX), scale.as(16));
        l.zero(sum);
        Label round = l.x.here();
        l.load(value, Mem.at(RDI));
        l.mul(value, value, factor);
        l.max(value, value, least);
        l.x.op(VMINPS, value, value, most);
        l.x.op(VCVTPS2DQ, value, value);
        l.x.op(VCVTDQ2PS, temporary, value);
        l.add(sum, sum, temporary);
        if (bits == 4) {
            l.x.op(VPERMD, value, l.v(8), value);
        }
        storeBytes(l, value, temporary);
        l.x.add(RDI, l.isa().bytes());
        l.x.add(RSI, l.count());
        l.x.sub(R10, 1);
        l.x.jump(Condition.NOT_EQUAL, round);
        l.sum(sum, temporary);
        l.mul(sum, sum, l.c((float) -bias()));
        l.x.op(VCVTTPS2DQ, sum, sum);
        l.x.op(VMOVD, Mem.at(RDX, Float.BYTES), sum.as(16));
        l.x.add(RDX, Float.BYTES + Integer.BYTES);
        l.x.sub(RCX, 1);
        l.x.jump(Condition.NOT_EQUAL, group);
        l.end();
    }

    /// Of eight values first those that meet the weights' lower half bytes, then the others.
    private static int[] evenFirst(int lanes) {
        int[] order = new int[lanes];
        for (int i = 0; i < lanes; i++) {
            order[i] = i / 8 * 8 + i % 4 * 2 + i / 4 % 2;
        }
        return order;
    }

    private static void storeBytes(Lanes l, Vec value, Vec temporary) {
        if (l.isa().hasMasks()) {
            l.x.op(VPMOVDB, Mem.at(RSI), value);
            return;
        }
        l.x.op(VPACKSSDW, value, value, value);
        l.x.op(VPACKSSWB, value, value, value);
        l.x.op(VMOVD, Mem.at(RSI), value.as(16));
        l.x.op(VEXTRACTF128, temporary.as(16), value, imm(1));
        l.x.op(VMOVD, Mem.at(RSI, Integer.BYTES), temporary.as(16));
    }
}
