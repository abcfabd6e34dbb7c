package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.LatentKeys;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;

final class LatentKeysX86 extends LatentKeys {
    private static final String OP = "LatentKeys";

    private enum Code {
        JOIN,
        PART
    }

    private final Workers workers;
    private final Arguments arguments;
    private final Program join;
    private final Program part;
    private final Program sum;

    LatentKeysX86(Programs programs) {
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        join = programs.get(Code.JOIN, LatentKeysX86::writeJoin);
        part = programs.get(Code.PART, LatentKeysX86::writePart);
        sum = Rows.sum(programs, false);
    }

    @Override
    protected void join(Tensor nope, Tensor rope, Tensor k) {
        Span own = Span.read(OP, nope);
        Span shared = Span.read(OP, rope);
        Span keys = Span.written(OP, k);
        Tasks.rows(workers, k.size(0), k.dim(1) * k.dim(2), (from, to, worker) -> {
            for (int t = from; t < to; t++) {
                arguments.call(
                        join,
                        worker,
                        own.row(t),
                        shared.row(t),
                        keys.row(t),
                        nope.dim(2),
                        rope.dim(1),
                        k.dim(1),
                        own.stride(1),
                        keys.stride(1));
            }
        });
        Span.keep(own, shared, keys);
    }

    /// One token: the loop over its heads.
    private static void writeJoin(Lanes lanes) {
        X86 x = lanes.x;
        Reg own = RSI;
        Reg shared = RDX;
        Reg key = RCX;
        Reg nopeDim = R8;
        Reg ropeDim = R9;
        Reg heads = R11;
        Reg rotated = RBX;
        x.push(rotated);
        lanes.arguments(own, shared, key, nopeDim, ropeDim, heads);
        lanes.repeat(heads, () -> {
            x.lea(rotated, Mem.at(key, nopeDim, Float.BYTES, 0));
            copy(lanes, own, key, nopeDim);
            copy(lanes, shared, rotated, ropeDim);
            x.add(own, lanes.argument(6));
            x.add(key, lanes.argument(7));
        });
        x.pop(rotated);
        lanes.end();
    }

    private static void copy(Lanes lanes, Reg from, Reg to, Reg n) {
        lanes.each(RAX, n, R10, 4, i -> {
            lanes.load(lanes.v(i), lanes.at(from, RAX, i));
            lanes.store(lanes.at(to, RAX, i), lanes.v(i));
        });
    }

    @Override
    protected void part(Tensor dk, Tensor dNope, Tensor dRope) {
        Span keys = Span.read(OP, dk);
        Span own = Span.written(OP, dNope);
        Span shared = Span.written(OP, dRope);
        long nopeDim = dNope.dim(2);
        Tasks.rows(workers, dk.size(0), dk.dim(1) * dk.dim(2), (from, to, worker) -> {
            for (int t = from; t < to; t++) {
                arguments.call(
                        part, worker, keys.row(t), own.row(t), nopeDim, dk.dim(1), keys.stride(1), own.stride(1));
                long rotated = keys.row(t) + nopeDim * Float.BYTES;
                sum.call(rotated, keys.stride(1), dk.dim(1), shared.row(t), dRope.dim(1));
            }
        });
        Span.keep(keys, own, shared);
    }

    private static void writePart(Lanes lanes) {
        X86 x = lanes.x;
        Reg key = RSI;
        Reg own = RDX;
        Reg nopeDim = RCX;
        Reg heads = R8;
        lanes.arguments(key, own, nopeDim, heads);
        lanes.repeat(heads, () -> {
            copy(lanes, key, own, nopeDim);
            x.add(key, lanes.argument(4));
            x.add(own, lanes.argument(5));
        });
        lanes.end();
    }
}
