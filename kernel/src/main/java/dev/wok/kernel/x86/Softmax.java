package dev.wok.kernel.x86;

import static dev.wok.emit.Condition.EQUAL;
import static dev.wok.emit.Imm.imm;
import static dev.wok.emit.Mask.K2;
import static dev.wok.emit.Op.KORTESTW;
import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VCMPPS;
import static dev.wok.emit.Op.VMOVMSKPS;
import static dev.wok.emit.Op.VMOVSS;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;
import static dev.wok.emit.Vec.xmm;

import dev.wok.device.Program;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;
import dev.wok.emit.Vec;
import dev.wok.emit.X86;

/// The two passes of a softmax over a row.
///
/* The first pass reads the row once: each lane keeps the largest value it has seen and the sum of exponentials relative
 * to it. Only where a group of vectors holds a larger value, which soon becomes rare, is the sum scaled to the new one
 * (M. Milakov and N. Gimelshein, 2018). The largest value starts at the smallest finite number instead of minus infinity,
 * so that a row of minus infinities has a sum of zero; it ignores what is no number, which the sum shows.
 */
final class Softmax {
    private static final int GREATER = 14;

    /// How exact the exponentials are.
    enum Accuracy {
        /// As [Lanes#exp].
        EXACT,
        /// As [Lanes#expInSum]: for rows so long that exponentials take all the time.
        IN_SUM
    }

    private record Measure(Accuracy accuracy) {}

    private record Exponentials(Accuracy accuracy) {}

    private Softmax() {}

    private static void exp(Lanes lanes, Accuracy accuracy, Vec a, Vec n, Vec p) {
        switch (accuracy) {
            case EXACT -> lanes.exp(a, n, p);
            case IN_SUM -> lanes.expInSum(a, n, p);
        }
    }

    /// Writes `max x` and `sum e^(x - max)`: called with the addresses of the row and of the two floats, and the number
    /// of elements between them.
    static Program measure(Programs programs, Accuracy accuracy) {
        return programs.get(new Measure(accuracy), lanes -> writeMeasure(lanes, accuracy));
    }

    private static void writeMeasure(Lanes lanes, Accuracy accuracy) {
        X86 x = lanes.x;
        Vec max = lanes.v(0);
        Vec even = lanes.v(1);
        Vec odd = lanes.v(2);
        Vec larger = lanes.v(3);
        Vec t = lanes.v(4);
        Vec s = lanes.v(5);
        lanes.broadcast(max, -Float.MAX_VALUE);
        lanes.zero(even);
        lanes.zero(odd);
        lanes.inGroups(RAX, RSI, R10, lanes.isa().registers() / 4, size -> {
            lanes.move(larger, max);
            for (int i = 0; i < size; i++) {
                Vec value = lanes.v(6 + i);
                lanes.load(value, lanes.at(RDI, RAX, i));
                lanes.fillTail(value, Float.NEGATIVE_INFINITY, t);
                lanes.max(larger, value, larger);
            }
            Label same = x.label();
            if (lanes.isa().hasMasks()) {
                x.op(VCMPPS, K2, larger, max, imm(GREATER));
                x.op(KORTESTW, K2, K2);
            } else {
                x.op(VCMPPS, t, larger, max, imm(GREATER));
                x.op(VMOVMSKPS, R8, t);
                x.test(R8, R8);
            }
            x.jump(EQUAL, same);
            lanes.sub(max, max, larger);
            exp(lanes, accuracy, max, t, s);
            lanes.mul(even, even, max);
            lanes.mul(odd, odd, max);
            lanes.move(max, larger);
            x.bind(same);
            for (int i = 0; i < size; i++) {
                Vec value = lanes.v(6 + i);
                lanes.sub(value, value, max);
                exp(lanes, accuracy, value, t, s);
                Vec sum = i % 2 == 0 ? even : odd;
                lanes.add(sum, sum, value);
            }
        });
        lanes.add(even, even, odd);
        lanes.move(larger, max);
        lanes.largest(larger, t);
        x.op(VMOVSS, Mem.at(RDX), xmm(3));
        x.op(VBROADCASTSS, larger, xmm(3));
        lanes.sub(max, max, larger);
        exp(lanes, accuracy, max, t, s);
        lanes.mul(even, even, max);
        lanes.sum(even, t);
        x.op(VMOVSS, Mem.at(RDX, Float.BYTES), xmm(1));
        lanes.end();
    }

    /// `y = e^(x - max) * factor`: called with the addresses of x and y, the number of elements, and the bits of the
    /// two floats.
    static Program exponentials(Programs programs, Accuracy accuracy) {
        return programs.get(new Exponentials(accuracy), lanes -> writeExponentials(lanes, accuracy));
    }

    private static void writeExponentials(Lanes lanes, Accuracy accuracy) {
        Vec max = lanes.v(0);
        Vec factor = lanes.v(1);
        lanes.broadcast(max, RCX);
        lanes.broadcast(factor, R8);
        lanes.each(RAX, RDX, R10, 4, copy -> {
            Vec value = lanes.v(2 + 3 * copy);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.sub(value, value, max);
            exp(lanes, accuracy, value, lanes.v(3 + 3 * copy), lanes.v(4 + 3 * copy));
            lanes.mul(value, value, factor);
            lanes.store(lanes.at(RSI, RAX, copy), value);
        });
        lanes.end();
    }
}
