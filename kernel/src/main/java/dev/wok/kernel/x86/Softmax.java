package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Condition.EQUAL;
import static dev.wok.emit.x86.Condition.GREATER_OR_EQUAL;
import static dev.wok.emit.x86.Condition.NOT_EQUAL;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VUCOMISS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;

/// The passes of a softmax over a row.
///
/* The first pass takes the row in pieces that stay in the first-level cache: finds a piece's largest value, scales the sum
 * so far where that is a new one (M. Milakov and N. Gimelshein, 2018), and adds the piece's exponentials relative to it.
 * They can be kept in the row's place; each piece then waits for a factor only. The largest value starts at the smallest
 * finite number instead of minus infinity, so that a row of minus infinities has a sum of zero; it ignores what is no
 * number, which the sum shows.
 */
final class Softmax {
    /// The elements of a piece.
    static final int PIECE = 1024;

    private static final int COPIES = 4;

    /// How exact the exponentials are.
    enum Accuracy {
        /// As [Lanes#exp].
        EXACT,
        /// As [Lanes#expInSum]: for rows so long that exponentials take all the time.
        IN_SUM
    }

    private record Measure(Accuracy accuracy, boolean kept) {}

    private record Exponentials(Accuracy accuracy) {}

    private record Scale() {}

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
        return programs.get(new Measure(accuracy, false), lanes -> writeMeasure(lanes, accuracy, false));
    }

    /// As [#measure], and replaces the row by exponentials. A fourth argument is the address of a float for each
    /// [#PIECE]: the largest value that its exponentials are relative to.
    static Program measureAndKeep(Programs programs, Accuracy accuracy) {
        return programs.get(new Measure(accuracy, true), lanes -> writeMeasure(lanes, accuracy, true));
    }

    private static void writeMeasure(Lanes lanes, Accuracy accuracy, boolean kept) {
        X86 x = lanes.x;
        Vec max = lanes.v(0);
        Vec larger = lanes.v(5);
        Vec t = lanes.v(9);
        Vec s = lanes.v(10);
        Label done = x.label();
        lanes.broadcast(max, -Float.MAX_VALUE);
        for (int i = 0; i < COPIES; i++) {
            lanes.zero(lanes.v(1 + i));
        }
        x.test(RSI, RSI);
        x.jump(EQUAL, done);
        Label piece = x.here();
        Label whole = x.label();
        x.mov(R8, PIECE);
        x.cmp(RSI, PIECE);
        x.jump(GREATER_OR_EQUAL, whole);
        x.mov(R8, RSI);
        x.bind(whole);
        for (int i = 0; i < COPIES; i++) {
            lanes.move(lanes.v(5 + i), max);
        }
        lanes.each(RAX, R8, R10, COPIES, copy -> {
            Vec value = lanes.v(11 + copy);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.fillTail(value, Float.NEGATIVE_INFINITY, t);
            lanes.max(lanes.v(5 + copy), value, lanes.v(5 + copy));
        });
        for (int i = 1; i < COPIES; i++) {
            lanes.max(larger, lanes.v(5 + i), larger);
        }
        lanes.largest(larger, t);
        Label same = x.label();
        x.op(VUCOMISS, larger.as(16), max.as(16));
        x.jump(EQUAL, same);
        x.op(VBROADCASTSS, larger, larger.as(16));
        lanes.sub(max, max, larger);
        exp(lanes, accuracy, max, t, s);
        for (int i = 0; i < COPIES; i++) {
            lanes.mul(lanes.v(1 + i), lanes.v(1 + i), max);
        }
        lanes.move(max, larger);
        x.bind(same);
        if (kept) {
            x.op(VMOVSS, Mem.at(RCX), max.as(16));
            x.add(RCX, Float.BYTES);
        }
        lanes.each(RAX, R8, R10, COPIES, copy -> {
            Vec value = lanes.v(11 + copy);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.fillTail(value, Float.NEGATIVE_INFINITY, t);
            lanes.sub(value, value, max);
            exp(lanes, accuracy, value, t, s);
            lanes.add(lanes.v(1 + copy), lanes.v(1 + copy), value);
            if (kept) {
                lanes.store(lanes.at(RDI, RAX, copy), value);
            }
            x.prefetch(lanes.at(RDI, RAX, copy).plus(1 * PIECE * Float.BYTES));
        });
        x.lea(RDI, Mem.at(RDI, R8, Float.BYTES, 0));
        x.sub(RSI, R8);
        x.jump(NOT_EQUAL, piece);
        x.bind(done);
        x.op(VMOVSS, Mem.at(RDX), max.as(16));
        lanes.add(lanes.v(1), lanes.v(1), lanes.v(2));
        lanes.add(lanes.v(3), lanes.v(3), lanes.v(4));
        lanes.add(lanes.v(1), lanes.v(1), lanes.v(3));
        lanes.sum(lanes.v(1), t);
        x.op(VMOVSS, Mem.at(RDX, Float.BYTES), lanes.v(1).as(16));
        lanes.end();
    }

    /// `x *= factor`: called with the address of x, the number of elements, and the bits of the factor.
    static Program scale(Programs programs) {
        return programs.get(Scale.class, lanes -> {
            lanes.broadcast(lanes.v(0), RDX);
            lanes.each(RAX, RSI, R10, COPIES, copy -> {
                lanes.load(lanes.v(1 + copy), lanes.at(RDI, RAX, copy));
                lanes.mul(lanes.v(1 + copy), lanes.v(1 + copy), lanes.v(0));
                lanes.store(lanes.at(RDI, RAX, copy), lanes.v(1 + copy));
            });
            lanes.end();
        });
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
