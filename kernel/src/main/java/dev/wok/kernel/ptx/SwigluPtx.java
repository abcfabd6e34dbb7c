package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Swiglu;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// A thread for each number, or for four that lie side by side; a row of blocks for each token.
final class SwigluPtx extends Swiglu {
    private static final int THREADS = 128;
    private static final int MOST_ROWS = 65535;

    private final Programs programs;

    SwigluPtx(Programs programs) {
        this.programs = programs;
    }

    private record Forward(Elements elements) {}

    private record Backward(Elements elements) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        return List.of(k -> forward(k, elements), k -> backward(k, elements));
    }

    private static Launch launch(int tokens, int n, Elements elements) {
        int perBlock = THREADS * elements.count();
        return Launch.of(1, THREADS).withGrid((n + perBlock - 1) / perBlock, Math.min(tokens, MOST_ROWS), 1);
    }

    @Override
    protected void activate(Tensor gateUp, Tensor out) {
        Elements elements = Elements.of(out.size(1), gateUp, out);
        programs.gpu().stream()
                .launch(
                        programs.get(new Forward(elements), "swiglu", k -> forward(k, elements)),
                        launch(out.size(0), out.size(1), elements),
                        gateUp,
                        Elements.rowBytes(gateUp),
                        out,
                        Elements.rowBytes(out),
                        out.size(0),
                        out.size(1));
    }

    /// Takes each token's part of a thread: its column, and where gate and up lie.
    private interface Part {
        void at(Reg token, Reg column, Reg gateAt, Reg upAt);
    }

    private static void eachToken(
            PtxKernel k, Elements elements, Reg gateUp, Reg rowBytes, Reg tokens, Reg n, Part body) {
        Reg column = k.reg(Type.U32, "column", Special.CTAID_X);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg token = k.reg(Type.U32, "first_token", Special.CTAID_Y);
        Reg step = k.reg(Type.U32, "token_step", Special.NCTAID_Y);
        k.mad(column, column, THREADS, tid);
        k.mul(column, column, elements.count());
        k.when(k.compare(Compare.GE, column, n), k::ret);
        Reg up = k.reg(Type.U32, "up_column");
        k.add(up, column, n);
        k.loop("token", token, tokens, step, t -> {
            Reg wide = k.reg(Type.U64, "wide");
            Reg row = k.reg(Type.U64, "row");
            Reg gateAt = k.reg(Type.U64, "gate_at");
            Reg upAt = k.reg(Type.U64, "up_at");
            k.op("cvt.u64.u32", wide, t);
            k.mad(row, wide, rowBytes, gateUp);
            k.madWide(gateAt, column, elements.bytes(), row);
            k.madWide(upAt, up, elements.bytes(), row);
            body.at(wide, column, gateAt, upAt);
        });
    }

    private static void forward(PtxKernel k, Elements elements) {
        Reg gateUp = k.param("gate_up", Type.U64);
        Reg rowBytes = k.param("gate_up_row_bytes", Type.U64);
        Reg out = k.param("out", Type.U64);
        Reg outRow = k.param("out_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        eachToken(k, elements, gateUp, rowBytes, tokens, n, (token, column, gateAt, upAt) -> {
            Reg[] gates = elements.load(k, "gate", gateAt);
            Reg[] ups = elements.load(k, "up", upAt);
            for (int i = 0; i < gates.length; i++) {
                k.comment("out = gate * sigmoid(gate) * up");
                k.mul(gates[i], gates[i], Sigmoid.of(k, gates[i]));
                k.mul(gates[i], gates[i], ups[i]);
            }
            Reg to = k.reg(Type.U64, "to");
            k.mad(to, token, outRow, out);
            k.madWide(to, column, elements.bytes(), to);
            elements.store(k, to, gates);
        });
    }

    @Override
    protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        Elements elements = Elements.of(dOut.size(1), gateUp, dOut, dGateUp);
        programs.gpu().stream()
                .launch(
                        programs.get(new Backward(elements), "swiglu_gradient", k -> backward(k, elements)),
                        launch(dOut.size(0), dOut.size(1), elements),
                        gateUp,
                        Elements.rowBytes(gateUp),
                        dOut,
                        Elements.rowBytes(dOut),
                        dGateUp,
                        Elements.rowBytes(dGateUp),
                        dOut.size(0),
                        dOut.size(1));
    }

    private static void backward(PtxKernel k, Elements elements) {
        Reg gateUp = k.param("gate_up", Type.U64);
        Reg rowBytes = k.param("gate_up_row_bytes", Type.U64);
        Reg dOut = k.param("dout", Type.U64);
        Reg dOutRow = k.param("dout_row_bytes", Type.U64);
        Reg dGateUp = k.param("dgate_up", Type.U64);
        Reg dRow = k.param("dgate_up_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        eachToken(k, elements, gateUp, rowBytes, tokens, n, (token, column, gateAt, upAt) -> {
            Reg dOutAt = k.reg(Type.U64, "dout_at");
            k.mad(dOutAt, token, dOutRow, dOut);
            k.madWide(dOutAt, column, elements.bytes(), dOutAt);
            Reg[] gates = elements.load(k, "gate", gateAt);
            Reg[] ups = elements.load(k, "up", upAt);
            Reg[] slopes = elements.load(k, "dout", dOutAt);
            Reg silu = k.reg(Type.F32, "silu");
            Reg bend = k.reg(Type.F32, "bend");
            for (int i = 0; i < gates.length; i++) {
                k.comment("dup = dout * gate * s, dgate = dout * up * (s + s * (gate - gate * s)), s = sigmoid(gate)");
                Reg s = Sigmoid.of(k, gates[i]);
                k.mul(silu, gates[i], s);
                k.sub(bend, gates[i], silu);
                k.fma(bend, s, bend, s);
                k.mul(gates[i], ups[i], bend);
                k.mul(gates[i], gates[i], slopes[i]);
                k.mul(ups[i], slopes[i], silu);
            }
            Reg to = k.reg(Type.U64, "to");
            Reg row = k.reg(Type.U64, "to_row");
            Reg up = k.reg(Type.U32, "to_up");
            k.mad(row, token, dRow, dGateUp);
            k.madWide(to, column, elements.bytes(), row);
            elements.store(k, to, gates);
            k.add(up, column, n);
            k.madWide(to, up, elements.bytes(), row);
            elements.store(k, to, ups);
        });
    }
}
