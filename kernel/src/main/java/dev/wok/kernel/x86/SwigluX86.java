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
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.Swiglu;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;

final class SwigluX86 extends Swiglu {
    private static final String OP = "Swiglu";

    /// Floats in a line of the caches.
    private static final int LINE = 16;

    private record Forward(boolean past) {}

    private record Backward(boolean past) {}

    private final Programs programs;
    private final Workers workers;
    private final Arguments arguments;

    SwigluX86(Programs programs) {
        this.programs = programs;
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
    }

    @Override
    protected void activate(Tensor gateUp, Tensor out) {
        Span in = Span.read(OP, gateUp);
        Span product = Span.written(OP, out);
        int n = out.size(1);
        boolean past = product.isStream();
        Program forward = programs.get(new Forward(past), lanes -> writeForward(lanes, past));
        Tasks.rows(
                workers,
                out.size(0),
                4L * n,
                (from, to, worker) -> arguments.call(
                        forward,
                        worker,
                        in.row(from),
                        product.row(from),
                        n,
                        to - from,
                        in.stride(0),
                        product.stride(0)));
        Span.keep(in, product);
    }

    private static void writeForward(Lanes lanes, boolean past) {
        X86 x = lanes.x;
        Reg gate = RSI;
        Reg out = RDX;
        Reg n = RCX;
        Reg rows = R8;
        Reg up = R9;
        lanes.arguments(gate, out, n, rows);
        lanes.repeat(rows, () -> {
            x.lea(up, Mem.at(gate, n, Float.BYTES, 0));
            lanes.each(RAX, n, R10, 2, copy -> {
                Vec g = lanes.v(5 * copy);
                Vec s = lanes.v(5 * copy + 1);
                Vec u = lanes.v(5 * copy + 2);
                lanes.load(g, lanes.at(gate, RAX, copy));
                lanes.load(u, lanes.at(up, RAX, copy));
                lanes.move(s, g);
                lanes.sigmoid(s, lanes.v(5 * copy + 3), lanes.v(5 * copy + 4));
                lanes.mul(g, g, s);
                lanes.mul(g, g, u);
                lanes.store(lanes.at(out, RAX, copy), g, past);
            });
            x.add(gate, lanes.argument(4));
            x.add(out, lanes.argument(5));
        });
        lanes.end();
    }

    @Override
    protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        Span in = Span.read(OP, gateUp);
        Span d = Span.read(OP, dOut);
        Span out = Span.written(OP, dGateUp);
        int n = dOut.size(1);
        boolean past = n % LINE == 0 && out.isStream(in);
        Program backward = programs.get(new Backward(past), lanes -> writeBackward(lanes, past));
        Tasks.rows(
                workers,
                dOut.size(0),
                4L * n,
                (from, to, worker) -> arguments.call(
                        backward,
                        worker,
                        in.row(from),
                        d.row(from),
                        out.row(from),
                        n,
                        to - from,
                        in.stride(0),
                        d.stride(0),
                        out.stride(0)));
        Span.keep(in, d, out);
    }

    /* With s = sigmoid(g): dg = d up s (1 + g (1 - s)) = d up (s (g - g s) + s), dup = d g s. */
    private static void writeBackward(Lanes lanes, boolean past) {
        X86 x = lanes.x;
        Reg gate = RSI;
        Reg dOut = RDX;
        Reg dGate = RCX;
        Reg n = R8;
        Reg rows = R9;
        Reg up = R11;
        Reg dUp = RBX;
        x.push(dUp);
        lanes.arguments(gate, dOut, dGate, n, rows);
        lanes.repeat(rows, () -> {
            x.lea(up, Mem.at(gate, n, Float.BYTES, 0));
            x.lea(dUp, Mem.at(dGate, n, Float.BYTES, 0));
            lanes.each(RAX, n, R10, 2, copy -> {
                Vec g = lanes.v(7 * copy);
                Vec s = lanes.v(7 * copy + 1);
                Vec u = lanes.v(7 * copy + 2);
                Vec d = lanes.v(7 * copy + 3);
                Vec silu = lanes.v(7 * copy + 4);
                lanes.load(g, lanes.at(gate, RAX, copy));
                lanes.load(u, lanes.at(up, RAX, copy));
                lanes.load(d, lanes.at(dOut, RAX, copy));
                lanes.move(s, g);
                lanes.sigmoid(s, lanes.v(7 * copy + 5), lanes.v(7 * copy + 6));
                lanes.mul(silu, g, s);
                lanes.sub(g, g, silu);
                lanes.scale(g, s, s);
                lanes.mul(u, d, u);
                lanes.mul(u, u, g);
                lanes.store(lanes.at(dGate, RAX, copy), u, past);
                lanes.mul(silu, d, silu);
                lanes.store(lanes.at(dUp, RAX, copy), silu, past);
            });
            x.add(gate, lanes.argument(5));
            x.add(dOut, lanes.argument(6));
            x.add(dGate, lanes.argument(7));
        });
        x.pop(dUp);
        lanes.end();
    }
}
