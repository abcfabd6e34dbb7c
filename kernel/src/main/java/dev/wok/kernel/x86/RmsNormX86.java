package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VADDSD;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VCVTSD2SS;
import static dev.wok.emit.x86.Op.VCVTSS2SD;
import static dev.wok.emit.x86.Op.VDIVSD;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VSQRTPD;
import static dev.wok.emit.x86.Op.VXORPS;
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
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.RmsNorm;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;

final class RmsNormX86 extends RmsNorm {
    private static final String OP = "RmsNorm";

    /// The weight's gradient is summed over this many blocks of rows at most.
    private static final int MOST_BLOCKS = 64;

    private static final int LEAST_ROWS_PER_BLOCK = 16;
    private static final int COLUMNS_PER_TASK = 1024;
    private static final int COPIES = 4;

    /// Bytes.
    private static final int AHEAD = 1024;

    private record Forward(boolean past) {}

    private record Backward(boolean accumulate, boolean past) {}

    private final Programs programs;
    private final Workers workers;
    private final Arguments arguments;
    private MemorySegment sums = MemorySegment.NULL;

    RmsNormX86(Programs programs) {
        this.programs = programs;
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
    }

    @Override
    protected void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {
        Span in = Span.read(OP, x);
        Span factors = Span.read(OP, weight);
        Span out = Span.written(OP, y);
        Span roots = Span.written(OP, rstd);
        int n = x.size(1);
        boolean past = out.isStream(in);
        Program forward = programs.get(new Forward(past), lanes -> writeForward(lanes, past));
        Tasks.rows(
                workers,
                x.size(0),
                n,
                (from, to, worker) -> arguments.call(
                        forward,
                        worker,
                        in.row(from),
                        factors.address(),
                        out.row(from),
                        roots.row(from),
                        n,
                        to - from,
                        in.stride(0),
                        out.stride(0),
                        Double.doubleToRawLongBits(n),
                        Double.doubleToRawLongBits(eps)));
        Span.keep(in, factors, out, roots);
    }

    /// While a row is written the squares of the next one are added up: memory is read and written all the time.
    private static void writeForward(Lanes lanes, boolean past) {
        X86 x = lanes.x;
        Reg in = RSI;
        Reg weight = RDX;
        Reg out = RCX;
        Reg roots = R8;
        Reg n = R9;
        Reg rows = R11;
        Reg next = RBX;
        Vec root = lanes.v(COPIES);
        x.push(RBX);
        lanes.arguments(in, weight, out, roots, n, rows);
        zeroSums(lanes);
        lanes.each(RAX, n, R10, COPIES, copy -> addSquare(lanes, in, copy));
        lanes.repeat(rows, () -> {
            addUp(lanes);
            inverseRoot(lanes);
            x.op(VMOVSS, Mem.at(roots), xmm(0));
            x.op(VBROADCASTSS, root, xmm(0));
            zeroSums(lanes);
            Label last = x.label();
            x.mov(next, in);
            x.cmp(rows, 1);
            x.jump(Condition.EQUAL, last);
            x.add(next, lanes.argument(6));
            x.bind(last);
            lanes.each(RAX, n, R10, COPIES, copy -> {
                Vec value = lanes.v(COPIES + 1 + copy);
                Vec factor = lanes.v(2 * COPIES + 1 + copy);
                x.prefetch(lanes.at(next, RAX, copy).plus(AHEAD));
                addSquare(lanes, next, copy);
                lanes.load(value, lanes.at(in, RAX, copy));
                lanes.load(factor, lanes.at(weight, RAX, copy));
                lanes.mul(value, value, root);
                lanes.mul(value, value, factor);
                lanes.store(lanes.at(out, RAX, copy), value, past);
            });
            x.add(in, lanes.argument(6));
            x.add(out, lanes.argument(7));
            x.add(roots, Float.BYTES);
        });
        x.pop(RBX);
        lanes.end();
    }

    private static void zeroSums(Lanes lanes) {
        for (int i = 0; i < COPIES; i++) {
            lanes.zero(lanes.v(i));
        }
    }

    private static void addSquare(Lanes lanes, Reg row, int copy) {
        Vec value = lanes.v(COPIES + 1 + copy);
        lanes.load(value, lanes.at(row, RAX, copy));
        lanes.fma(lanes.v(copy), value, value);
    }

    /// The sum of all lanes of the first vectors, in the lowest lane of the first.
    private static void addUp(Lanes lanes) {
        lanes.add(lanes.v(0), lanes.v(0), lanes.v(1));
        lanes.add(lanes.v(2), lanes.v(2), lanes.v(3));
        lanes.add(lanes.v(0), lanes.v(0), lanes.v(2));
        lanes.sum(lanes.v(0), lanes.v(1));
    }

    /// `a = 1 / sqrt(a / n + eps)` of the lowest lane, in double precision.
    private static void inverseRoot(Lanes lanes) {
        X86 x = lanes.x;
        x.op(VCVTSS2SD, xmm(0), xmm(0), xmm(0));
        x.op(VDIVSD, xmm(0), xmm(0), lanes.argument(8));
        x.op(VADDSD, xmm(0), xmm(0), lanes.argument(9));
        x.op(VSQRTPD, xmm(0), xmm(0));
        x.op(VMOVSS, xmm(1), x.constant(1f));
        x.op(VCVTSS2SD, xmm(1), xmm(1), xmm(1));
        x.op(VDIVSD, xmm(0), xmm(1), xmm(0));
        x.op(VCVTSD2SS, xmm(0), xmm(0), xmm(0));
    }

    /* dx is per row. The weight's gradient is summed over blocks of rows, and the blocks' sums are added in order, so that
     * its bits do not depend on which thread did which block. They have one memory, so one caller at a time.
     */
    @Override
    protected synchronized void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Span in = Span.read(OP, x);
        Span factors = Span.read(OP, weight);
        Span roots = Span.read(OP, rstd);
        Span dOut = Span.read(OP, dy);
        Span dIn = Span.written(OP, dx);
        Span dFactors = Span.written(OP, dWeight);
        int n = x.size(1);
        int step = Math.max(LEAST_ROWS_PER_BLOCK, Math.ceilDiv(x.size(0), MOST_BLOCKS));
        int blocks = Math.ceilDiv(x.size(0), step);
        long rowBytes = (long) n * Float.BYTES;
        MemorySegment partial = sums(blocks * rowBytes);
        boolean past = !accumulate && dIn.isStream();
        Program backward =
                programs.get(new Backward(accumulate, past), lanes -> writeBackward(lanes, accumulate, past));
        Tasks.ranges(workers, x.size(0), step, (from, to, worker) -> {
            MemorySegment sum = partial.asSlice(from / step * rowBytes, rowBytes);
            sum.fill((byte) 0);
            arguments.call(
                    backward,
                    worker,
                    in.row(from),
                    factors.address(),
                    dOut.row(from),
                    dIn.row(from),
                    sum.address(),
                    roots.row(from),
                    n,
                    to - from,
                    in.stride(0),
                    dOut.stride(0),
                    dIn.stride(0),
                    Arguments.bits(n));
        });
        Program add = Rows.sum(programs, true);
        Tasks.ranges(
                workers,
                n,
                COLUMNS_PER_TASK,
                (from, to, _) -> add.call(
                        partial.address() + (long) from * Float.BYTES, rowBytes, blocks, dFactors.at(from), to - from));
        Span.keep(in, factors, roots, dOut, dIn, dFactors);
    }

    private MemorySegment sums(long bytes) {
        if (sums.byteSize() < bytes) {
            sums = programs.device().scratch(Math.max(bytes, 2 * sums.byteSize()));
        }
        return sums;
    }

    private static void writeBackward(Lanes lanes, boolean accumulate, boolean past) {
        X86 x = lanes.x;
        Reg in = RSI;
        Reg weight = RDX;
        Reg dOut = RCX;
        Reg dIn = R8;
        Reg sum = R9;
        Reg roots = RBX;
        Reg n = R11;
        Reg rows = RBP;
        x.push(RBX);
        x.push(RBP);
        lanes.arguments(in, weight, dOut, dIn, sum, roots, n, rows);
        Vec root = lanes.v(5);
        Vec mean = lanes.v(0);
        lanes.repeat(rows, () -> {
            zeroSums(lanes);
            lanes.each(RAX, n, R10, COPIES, copy -> {
                Vec g = lanes.v(COPIES + 2 * copy);
                Vec w = lanes.v(COPIES + 2 * copy + 1);
                lanes.load(g, lanes.at(dOut, RAX, copy));
                lanes.load(w, lanes.at(weight, RAX, copy));
                lanes.mul(g, g, w);
                lanes.load(w, lanes.at(in, RAX, copy));
                lanes.fma(lanes.v(copy), g, w);
            });
            addUp(lanes);
            x.op(VBROADCASTSS, root, Mem.at(roots));
            x.op(VBROADCASTSS, mean, xmm(0));
            lanes.argument(lanes.v(1), 11);
            lanes.mul(mean, mean, root);
            lanes.div(mean, mean, lanes.v(1));
            lanes.mul(mean, mean, root);
            x.op(VXORPS, mean, mean, lanes.c(0x80000000));
            lanes.each(RAX, n, R10, 2, copy -> {
                Vec d = lanes.v(6 + 4 * copy);
                Vec h = lanes.v(7 + 4 * copy);
                Vec g = lanes.v(8 + 4 * copy);
                Vec old = lanes.v(9 + 4 * copy);
                lanes.load(d, lanes.at(dOut, RAX, copy));
                lanes.load(h, lanes.at(in, RAX, copy));
                lanes.load(g, lanes.at(weight, RAX, copy));
                lanes.mul(g, d, g);
                lanes.fma(g, h, mean);
                lanes.mul(g, g, root);
                if (accumulate) {
                    lanes.load(old, lanes.at(dIn, RAX, copy));
                    lanes.add(g, g, old);
                }
                lanes.store(lanes.at(dIn, RAX, copy), g, past);
                lanes.load(old, lanes.at(sum, RAX, copy));
                lanes.mul(h, h, root);
                lanes.fma(old, h, d);
                lanes.store(lanes.at(sum, RAX, copy), old);
            });
            x.add(in, lanes.argument(8));
            x.add(dOut, lanes.argument(9));
            x.add(dIn, lanes.argument(10));
            x.add(roots, Float.BYTES);
        });
        x.pop(RBP);
        x.pop(RBX);
        lanes.end();
    }
}
