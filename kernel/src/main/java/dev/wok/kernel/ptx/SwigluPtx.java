package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Swiglu;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// A thread for each number, or for four that lie side by side; a row of blocks for each token.
final class SwigluPtx extends Swiglu {
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

    @Override
    protected void activate(Tensor gateUp, Tensor out) {
        Elements elements = Elements.of(out.size(1), gateUp, out);
        programs.gpu().stream()
                .launch(
                        programs.get(new Forward(elements), "swiglu", k -> forward(k, elements)),
                        Grid.rows(out.size(0), out.size(1), elements.count()),
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
        Grid.eachOfRows(k, elements.count(), tokens, n, (token, column) -> {
            Reg row = Elements.row(k, "row", gateUp, token, rowBytes);
            body.at(token, column, elements.at(k, "gate_at", row, column), upAt(k, elements, row, column, n));
        });
    }

    /// @return where the other half of a row has its number of this column
    private static Reg upAt(PtxKernel k, Elements elements, Reg row, Reg column, Reg n) {
        Reg up = k.reg(Type.U32, "up_column");
        k.add(up, column, n);
        return elements.at(k, "up_at", row, up);
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
            elements.store(k, elements.at(k, "to", out, token, outRow, column), gates);
        });
    }

    @Override
    protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        Elements elements = Elements.of(dOut.size(1), gateUp, dOut, dGateUp);
        programs.gpu().stream()
                .launch(
                        programs.get(new Backward(elements), "swiglu_gradient", k -> backward(k, elements)),
                        Grid.rows(dOut.size(0), dOut.size(1), elements.count()),
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
            Reg[] gates = elements.load(k, "gate", gateAt);
            Reg[] ups = elements.load(k, "up", upAt);
            Reg[] slopes = elements.load(k, "dout", elements.at(k, "dout_at", dOut, token, dOutRow, column));
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
            Reg row = Elements.row(k, "to_row", dGateUp, token, dRow);
            elements.store(k, elements.at(k, "dgate_at", row, column), gates);
            elements.store(k, upAt(k, elements, row, column, n), ups);
        });
    }
}
