package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.LatentKeys;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// The parts are copies of rows, the rotated one from the same row for every head; its gradient is a
/// sum over the heads, a thread for each number or for some that lie side by side.
final class LatentKeysPtx extends LatentKeys {
    private final Programs programs;

    LatentKeysPtx(Programs programs) {
        this.programs = programs;
    }

    private record SumHeads(Elements elements) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        return List.of(k -> sumHeads(k, elements));
    }

    @Override
    protected void join(Tensor nope, Tensor rope, Tensor k) {
        CopyRows.launch(programs, nope, k.slice(2, 0, nope.dim(2)));
        CopyRows.launch(programs, rope, new long[] {rope.stride(0), 0, 1}, k.slice(2, nope.dim(2), k.dim(2)));
    }

    @Override
    protected void part(Tensor dk, Tensor dNope, Tensor dRope) {
        CopyRows.launch(programs, dk.slice(2, 0, dNope.dim(2)), dNope);
        if (dRope.elements() == 0) {
            return;
        }
        int n = dRope.size(1);
        Tensor parts = dk.slice(2, dNope.dim(2), dk.dim(2));
        Elements elements = Elements.of(n, parts, dRope);
        programs.gpu().stream()
                .launch(
                        programs.get(new SumHeads(elements), "sum_heads", k -> sumHeads(k, elements)),
                        Grid.rows(dRope.size(0), n, elements.count()),
                        parts,
                        Elements.rowBytes(parts),
                        parts.stride(1) * parts.dtype().bytes(),
                        parts.size(1),
                        dRope,
                        Elements.rowBytes(dRope),
                        dRope.size(0),
                        n);
    }

    private static void sumHeads(PtxKernel k, Elements elements) {
        Reg parts = k.param("parts", Type.U64);
        Reg tokenBytes = k.param("token_bytes", Type.U64);
        Reg headBytes = k.param("head_bytes", Type.U64);
        Reg heads = k.param("heads", Type.U32);
        Reg to = k.param("to", Type.U64);
        Reg toRow = k.param("to_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Grid.eachOfRows(k, elements.count(), tokens, n, (token, column) -> {
            Reg at = elements.at(k, "part_at", parts, token, tokenBytes, column);
            Reg[] sums = elements.load(k, "sum", at);
            Reg[] values = k.regs(Type.F32, "value", elements.count());
            k.loop("head", 1, heads, 1, _ -> {
                k.add(at, at, headBytes);
                elements.load(k, values, at);
                Sums.add(k, sums, values);
            });
            elements.store(k, elements.at(k, "to_at", to, token, toRow, column), sums);
        });
    }
}
