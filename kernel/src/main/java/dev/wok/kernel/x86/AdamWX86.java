package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VSQRTPS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.util.List;

final class AdamWX86 extends AdamW {
    private static final String OP = "AdamW";
    private static final int SUMS = 8;

    private enum Code {
        SQUARES,
        UPDATE
    }

    private final Workers workers;
    private final Arguments arguments;
    private final Program squares;
    private final Program update;

    AdamWX86(Programs programs) {
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        squares = programs.get(Code.SQUARES, AdamWX86::writeSquares);
        update = programs.get(Code.UPDATE, AdamWX86::writeUpdate);
    }

    @Override
    protected double[] squares(Tensor gradient) {
        Span span = Span.read(OP, gradient);
        double[] sums = new double[Tasks.blocks(gradient.elements())];
        Tasks.blocks(workers, gradient.elements(), (from, count, worker) -> {
            squares.call(span.at(from), count, arguments.address(worker));
            sums[Tasks.block(from)] = arguments.result(worker, 0);
        });
        Span.keep(span);
        return sums;
    }

    /* The squares of a block are summed in float32, lane by lane, the blocks' sums in double and in order. */
    @Override
    protected void norm(List<Tensor> gradients, double maxNorm, Tensor normAndClip) {
        Span result = Span.written(OP, normAndClip);
        double total = 0;
        for (Tensor gradient : gradients) {
            for (double sum : squares(gradient)) {
                total += sum;
            }
        }
        double norm = Math.sqrt(total);
        normAndClip.set(0, norm);
        normAndClip.set(1, Math.min(1, maxNorm / (norm + 1e-6)));
        Span.keep(result);
    }

    private static void writeSquares(Lanes lanes) {
        for (int i = 0; i < SUMS; i++) {
            lanes.zero(lanes.v(i));
        }
        lanes.each(RAX, RSI, R10, SUMS, copy -> {
            Vec value = lanes.v(SUMS + copy % 4);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.fma(lanes.v(copy), value, value);
        });
        for (int half = SUMS / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                lanes.add(lanes.v(i), lanes.v(i), lanes.v(i + half));
            }
        }
        lanes.sum(lanes.v(0), lanes.v(1));
        lanes.x.op(VMOVSS, Mem.at(RDX), xmm(0));
        lanes.end();
    }

    @Override
    protected void apply(
            Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip) {
        Span p = Span.written(OP, parameter);
        Span g = Span.read(OP, gradient);
        Span m = Span.written(OP, mean);
        Span v = Span.written(OP, meanSquare);
        long clip = bits(normAndClip.get(1));
        long beta1 = bits(step.beta1());
        long beta2 = bits(step.beta2());
        long rest1 = bits(1 - step.beta1());
        long rest2 = bits(1 - step.beta2());
        long rate = bits(step.rate());
        long root = bits(step.root());
        long eps = bits(step.eps());
        long decay = bits(1 - step.learningRate() * step.weightDecay());
        Tasks.blocks(
                workers,
                parameter.elements(),
                (from, count, worker) -> arguments.call(
                        update,
                        worker,
                        p.at(from),
                        g.at(from),
                        m.at(from),
                        v.at(from),
                        count,
                        clip,
                        beta1,
                        beta2,
                        rest1,
                        rest2,
                        rate,
                        root,
                        eps,
                        decay));
        Span.keep(p, g, m, v);
    }

    private static long bits(double value) {
        return Arguments.bits((float) value);
    }

    private static void writeUpdate(Lanes lanes) {
        Reg p = RSI;
        Reg g = RDX;
        Reg m = RCX;
        Reg v = R8;
        Reg n = R9;
        lanes.arguments(p, g, m, v, n);
        Vec[] factors = new Vec[9];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = lanes.v(i);
            lanes.argument(factors[i], 5 + i);
        }
        Vec clip = factors[0];
        Vec beta1 = factors[1];
        Vec beta2 = factors[2];
        Vec rest1 = factors[3];
        Vec rest2 = factors[4];
        Vec rate = factors[5];
        Vec root = factors[6];
        Vec eps = factors[7];
        Vec decay = factors[8];
        Vec gradient = lanes.v(9);
        Vec mean = lanes.v(10);
        Vec square = lanes.v(11);
        Vec t = lanes.v(12);
        Vec parameter = lanes.v(13);
        lanes.each(RAX, n, R10, 2, copy -> {
            lanes.load(gradient, lanes.at(g, RAX, copy));
            lanes.load(mean, lanes.at(m, RAX, copy));
            lanes.load(square, lanes.at(v, RAX, copy));
            lanes.load(parameter, lanes.at(p, RAX, copy));
            lanes.mul(gradient, gradient, clip);
            lanes.mul(mean, mean, beta1);
            lanes.fma(mean, gradient, rest1);
            lanes.store(lanes.at(m, RAX, copy), mean);
            lanes.mul(square, square, beta2);
            lanes.mul(gradient, gradient, gradient);
            lanes.fma(square, gradient, rest2);
            lanes.store(lanes.at(v, RAX, copy), square);
            lanes.x.op(VSQRTPS, t, square);
            lanes.scale(t, root, eps);
            lanes.mul(mean, mean, rate);
            lanes.div(mean, mean, t);
            lanes.mul(parameter, parameter, decay);
            lanes.sub(parameter, parameter, mean);
            lanes.store(lanes.at(p, RAX, copy), parameter);
        });
        lanes.end();
    }
}
