package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.kernel.PeerRows;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// A thread for each number, or for some that lie side by side.
final class PeerRowsPtx implements PeerRows {
    private final Programs programs;
    private final EmbeddingPtx embedding;

    PeerRowsPtx(Programs programs) {
        this.programs = programs;
        this.embedding = new EmbeddingPtx(programs);
    }

    /// @return what writes each kernel that takes as many numbers at once
    static List<Consumer<PtxKernel>> kernels(int count) {
        Elements f32 = new Elements(DType.F32, count);
        Elements bf16 = new Elements(DType.BF16, count);
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        for (Elements sums : List.of(f32, bf16)) {
            all.add(new SumLists(f32, sums)::write);
            for (Elements rows : List.of(f32, bf16)) {
                all.add(new AddTerms(sums, rows, f32)::write);
            }
        }
        return all;
    }

    @Override
    public void gather(Tensor rows, Tensor x, Tensor out) {
        Shape.require("PeerRows", out, "out", rows.dim(0), x.dim(1));
        if (out.elements() > 0) {
            embedding.gather(rows, x, out);
        }
    }

    @Override
    public void widen(Tensor from, Tensor to) {
        Shape.require("PeerRows", to, "to", from.shape());
        CopyRows.launch(programs, from, to);
    }

    @Override
    public void sum(Tensor offsets, Tensor rows, Tensor weights, Tensor x, Tensor out) {
        Shape.require("PeerRows", offsets, "offsets", out.dim(0) + 1);
        Shape.require("PeerRows", weights, "weights", rows.shape());
        if (out.elements() == 0) {
            return;
        }
        int width = out.size(1);
        Elements from = Elements.of(width, x);
        Elements to = Elements.of(width, out);
        SumLists kernel = new SumLists(from.atMost(to), to.atMost(from));
        programs.gpu().stream()
                .launch(
                        programs.get(kernel, "sum_lists", kernel::write),
                        Grid.rows(out.size(0), width, kernel.to().count()),
                        offsets,
                        rows,
                        weights,
                        x,
                        Elements.rowBytes(x),
                        out,
                        Elements.rowBytes(out),
                        out.size(0),
                        width);
    }

    @Override
    public void add(Terms terms, Tensor sums, Tensor rows, Tensor y) {
        Shape.require("PeerRows", terms.offsets(), "offsets", y.dim(0) + 1);
        Shape.require("PeerRows", terms.kinds(), "kinds", terms.places().shape());
        Shape.require("PeerRows", terms.weights(), "weights", terms.places().shape());
        if (terms.places().elements() == 0 || y.elements() == 0) {
            return;
        }
        int width = y.size(1);
        Elements ofSums = Elements.of(width, sums);
        Elements ofRows = Elements.of(width, rows);
        Elements ofY = Elements.of(width, y).atMost(ofSums).atMost(ofRows);
        AddTerms kernel = new AddTerms(ofSums.atMost(ofY), ofRows.atMost(ofY), ofY);
        programs.gpu().stream()
                .launch(
                        programs.get(kernel, "add_terms", kernel::write),
                        Grid.rows(y.size(0), width, ofY.count()),
                        terms.offsets(),
                        terms.places(),
                        terms.kinds(),
                        terms.weights(),
                        sums,
                        Elements.rowBytes(sums),
                        rows,
                        Elements.rowBytes(rows),
                        y,
                        Elements.rowBytes(y),
                        y.size(0),
                        width);
    }
}
