package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Condition.GREATER;
import static dev.wok.emit.x86.Condition.GREATER_OR_EQUAL;
import static dev.wok.emit.x86.Condition.LESS;
import static dev.wok.emit.x86.Condition.LESS_OR_EQUAL;
import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VFMADD213PS;
import static dev.wok.emit.x86.Op.VFMADDSUB213PS;
import static dev.wok.emit.x86.Op.VFMSUB213PS;
import static dev.wok.emit.x86.Op.VMOVSD;
import static dev.wok.emit.x86.Op.VMOVSLDUP;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPERMILPS;
import static dev.wok.emit.x86.Op.VPMOVZXDQ;
import static dev.wok.emit.x86.Op.VXORPS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Operand;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.Rotary;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

final class RotaryX86 extends Rotary {
    private static final String OP = "Rotary";
    private static final int COST_OF_AN_ANGLE = 64;
    private static final int SIGN = 6;

    /// `(x1, x0)` of each pair of neighbours.
    private static final int SWAP = 0xB1;

    private final Workers workers;
    private final Arguments arguments;
    private final Program neighbours;
    private final Program halves;

    RotaryX86(Programs programs) {
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        neighbours = programs.get(Pairing.INTERLEAVED, lanes -> writeHeads(lanes, RotaryX86::writeNeighbours));
        halves = programs.get(Pairing.HALVES, lanes -> writeHeads(lanes, RotaryX86::writeHalves));
    }

    /* Each angle is used by every head of its token in every layer: plain loops. */
    @Override
    protected void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {
        Span at = Span.read(OP, positions, DType.I32);
        Span turns = Span.read(OP, frequencies);
        Span cosines = Span.written(OP, cos);
        Span sines = Span.written(OP, sin);
        int half = cos.size(1);
        Tasks.rows(workers, cos.size(0), (long) half * COST_OF_AN_ANGLE, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (int i = 0; i < half; i++) {
                    float angle = positions.getInt(t) * (float) frequencies.get(i);
                    cos.set(t * cos.stride(0) + i, Math.cos(angle) * scaling);
                    sin.set(t * sin.stride(0) + i, Math.sin(angle) * scaling);
                }
            }
        });
        Span.keep(at, turns, cosines, sines);
    }

    @Override
    protected void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {
        Span rows = Span.written(OP, x);
        Span cosines = Span.read(OP, cos);
        Span sines = Span.read(OP, sin);
        Program program = pairing == Pairing.INTERLEAVED ? neighbours : halves;
        long sign = Arguments.bits(backward ? -0f : 0f);
        Tasks.rows(workers, x.size(0), x.dim(1) * x.dim(2), (from, to, worker) -> {
            for (int t = from; t < to; t++) {
                arguments.call(
                        program,
                        worker,
                        rows.row(t),
                        cosines.row(t),
                        sines.row(t),
                        cos.dim(1),
                        x.dim(1),
                        rows.stride(1),
                        sign);
            }
        });
        Span.keep(rows, cosines, sines);
    }

    private static final Reg X = RSI;
    private static final Reg COS = RDX;
    private static final Reg SIN = RCX;
    private static final Reg HALF = R8;

    private interface Head {
        void write(Lanes lanes, Vec sign);
    }

    /// One token: the loop over its heads.
    private static void writeHeads(Lanes lanes, Head head) {
        Reg heads = R9;
        Vec sign = lanes.v(14);
        lanes.arguments(X, COS, SIN, HALF, heads);
        lanes.argument(sign, SIGN);
        lanes.repeat(heads, () -> {
            head.write(lanes, sign);
            lanes.x.add(X, lanes.argument(5));
        });
        lanes.end();
    }

    private static void writeHalves(Lanes lanes, Vec sign) {
        X86 x = lanes.x;
        Reg second = R11;
        x.lea(second, Mem.at(X, HALF, Float.BYTES, 0));
        lanes.each(RAX, HALF, R10, 2, copy -> {
            Vec x0 = lanes.v(6 * copy);
            Vec x1 = lanes.v(6 * copy + 1);
            Vec c = lanes.v(6 * copy + 2);
            Vec s = lanes.v(6 * copy + 3);
            Vec t0 = lanes.v(6 * copy + 4);
            Vec t1 = lanes.v(6 * copy + 5);
            lanes.load(x0, lanes.at(X, RAX, copy));
            lanes.load(x1, lanes.at(second, RAX, copy));
            lanes.load(c, lanes.at(COS, RAX, copy));
            lanes.load(s, lanes.at(SIN, RAX, copy));
            x.op(VXORPS, s, s, sign);
            lanes.mul(t0, x1, s);
            lanes.mul(t1, x0, s);
            x.op(VFMSUB213PS, x0, c, t0);
            x.op(VFMADD213PS, x1, c, t1);
            lanes.store(lanes.at(X, RAX, copy), x0);
            lanes.store(lanes.at(second, RAX, copy), x1);
        });
    }

    /* Half a vector of cosines serves a vector of pairs. Pairs behind the last whole vector go one by one. */
    private static void writeNeighbours(Lanes lanes, Vec sign) {
        X86 x = lanes.x;
        int pairs = lanes.count() / 2;
        Label single = x.label();
        Label done = x.label();
        x.xor(RAX, RAX);
        x.lea(R10, Mem.at(RAX, pairs));
        x.cmp(R10, HALF);
        x.jump(GREATER, single);
        Label again = x.here();
        spread(lanes, lanes.v(2), Mem.at(COS, RAX, Float.BYTES, 0));
        spread(lanes, lanes.v(3), Mem.at(SIN, RAX, Float.BYTES, 0));
        x.op(VMOVUPS, lanes.v(0), Mem.at(X, RAX, 2 * Float.BYTES, 0));
        turn(lanes, lanes.isa().bytes(), sign);
        x.op(VMOVUPS, Mem.at(X, RAX, 2 * Float.BYTES, 0), lanes.v(0));
        x.add(RAX, pairs);
        x.lea(R10, Mem.at(RAX, pairs));
        x.cmp(R10, HALF);
        x.jump(LESS_OR_EQUAL, again);
        x.bind(single);
        x.cmp(RAX, HALF);
        x.jump(GREATER_OR_EQUAL, done);
        Label next = x.here();
        x.op(VBROADCASTSS, xmm(2), Mem.at(COS, RAX, Float.BYTES, 0));
        x.op(VBROADCASTSS, xmm(3), Mem.at(SIN, RAX, Float.BYTES, 0));
        x.op(VMOVSD, xmm(0), Mem.at(X, RAX, 2 * Float.BYTES, 0));
        turn(lanes, 16, sign);
        x.op(VMOVSD, Mem.at(X, RAX, 2 * Float.BYTES, 0), xmm(0));
        x.add(RAX, 1);
        x.cmp(RAX, HALF);
        x.jump(LESS, next);
        x.bind(done);
    }

    /// Each of half as many floats twice.
    private static void spread(Lanes lanes, Vec to, Operand from) {
        lanes.x.op(VPMOVZXDQ, to, from);
        lanes.x.op(VMOVSLDUP, to, to);
    }

    /// Turns the pairs in register 0 by the cosines and sines in registers 2 and 3.
    private static void turn(Lanes lanes, int bytes, Vec sign) {
        X86 x = lanes.x;
        Vec pairs = lanes.v(0).as(bytes);
        Vec swapped = lanes.v(1).as(bytes);
        Vec cos = lanes.v(2).as(bytes);
        Vec sin = lanes.v(3).as(bytes);
        x.op(VXORPS, sin, sin, sign.as(bytes));
        x.op(VPERMILPS, swapped, pairs, imm(SWAP));
        lanes.mul(swapped, swapped, sin);
        x.op(VFMADDSUB213PS, pairs, cos, swapped);
    }
}
