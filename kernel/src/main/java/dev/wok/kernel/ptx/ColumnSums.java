package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// Sums over the tokens, one for each column of a matrix: what a weight that all tokens share gets as
/// its gradient.
///
/// A block sums a chunk of the tokens: a thread every eighth of them, then the eight in their order.
/// Where there are several chunks, their sums are added in their order by a second kernel. So the order
/// depends on the number of tokens alone.
final class ColumnSums {
    private static final int SLICES = 8;

    /// Tokens of a chunk, unless there were too many chunks.
    private static final int CHUNK = 512;

    private static final int MOST_CHUNKS = 65535;

    private ColumnSums() {}

    /// What is summed, the key of its kernel.
    interface Terms {
        Elements elements();

        String name();

        /// Declares the parameters.
        Adder begin(PtxKernel k);
    }

    /// Adds what a token has in some columns, side by side.
    interface Adder {
        void add(Reg[] sums, Reg token, Reg column);
    }

    private record Chunks(Terms terms, boolean isOne) {}

    private record Join(Elements elements) {}

    /// @return what writes each kernel of these terms
    static List<Consumer<PtxKernel>> kernels(Terms terms) {
        return List.of(k -> sum(k, terms, true), k -> sum(k, terms, false), k -> join(k, terms.elements()));
    }

    /// Adds the sums to a vector.
    ///
    /// @param to `[n]`
    /// @param arguments of the parameters that the terms declare
    static void add(Programs programs, Terms terms, int tokens, int n, Tensor to, Object... arguments) {
        Elements elements = terms.elements();
        int chunk = Math.max(CHUNK, Math.ceilDiv(tokens, MOST_CHUNKS));
        int chunks = Math.ceilDiv(tokens, chunk);
        boolean isOne = chunks == 1;
        Tensor sums = isOne ? to : programs.scratch("ColumnSums.parts", DType.F32, (long) chunks * n);
        Object[] all = new Object[arguments.length + 4];
        System.arraycopy(arguments, 0, all, 0, arguments.length);
        all[arguments.length] = sums;
        all[arguments.length + 1] = tokens;
        all[arguments.length + 2] = chunk;
        all[arguments.length + 3] = n;
        programs.gpu().stream()
                .launch(
                        programs.get(new Chunks(terms, isOne), terms.name(), k -> sum(k, terms, isOne)),
                        Launch.of(1, 1)
                                .withBlock(Sums.LANES, SLICES, 1)
                                .withGrid(Math.ceilDiv(n, Sums.LANES * elements.count()), chunks, 1),
                        all);
        if (!isOne) {
            programs.gpu().stream()
                    .launch(
                            programs.get(new Join(elements), "join_column_sums", k -> join(k, elements)),
                            Grid.rows(1, n, elements.count()),
                            sums,
                            to,
                            chunks,
                            n);
        }
    }

    private static void sum(PtxKernel k, Terms terms, boolean isOne) {
        Elements elements = terms.elements();
        int count = elements.count();
        Adder adder = terms.begin(k);
        Reg to = k.param("to", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg chunk = k.param("chunk", Type.U32);
        Reg n = k.param("n", Type.U32);
        k.maxThreads(Sums.LANES * SLICES);
        int sliceBytes = Sums.LANES * count * Float.BYTES;
        Symbol parts = k.shared("parts", Type.F32, SLICES * Sums.LANES * count, count * Float.BYTES);
        Reg lane = k.reg(Type.U32, "lane", Special.TID_X);
        Reg slice = k.reg(Type.U32, "slice", Special.TID_Y);
        Reg column = k.reg(Type.U32, "column", Special.CTAID_X);
        k.mad(column, column, Sums.LANES, lane);
        k.mul(column, column, count);
        Reg isInside = k.compare(Compare.LT, column, n);
        Reg block = k.reg(Type.U32, "chunk_number", Special.CTAID_Y);
        Reg first = k.reg(Type.U32, "first");
        Reg end = k.reg(Type.U32, "end");
        k.mul(first, block, chunk);
        k.add(end, first, chunk);
        k.min(end, end, tokens);
        k.add(first, first, slice);

        Reg[] sums = k.regs(Type.F32, "sum", count);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        k.when(isInside, () -> k.loop("token", first, end, SLICES, token -> adder.add(sums, token, column)));

        k.comment("the slices in their order");
        Reg at = k.reg(Type.U32, "part_at");
        Reg base = k.reg(Type.U32, "parts_at");
        k.mov(base, parts);
        k.mad(base, lane, count * Float.BYTES, base);
        k.mad(at, slice, sliceBytes, base);
        k.st(SHARED, at, Elements.together(sums));
        k.bar();
        Reg isFirst = k.compare(Compare.EQ, slice, 0);
        k.op("and.pred", isFirst, isFirst, isInside);
        k.when(isFirst, () -> {
            Reg[] one = k.regs(Type.F32, "one", count);
            if (isOne) {
                Reg place = elements.at(k, "place", to, column);
                elements.load(k, sums, place);
                addSlices(k, sums, one, base, 0, sliceBytes);
                elements.store(k, place, sums);
            } else {
                addSlices(k, sums, one, base, 1, sliceBytes);
                Reg row = k.reg(Type.U64, "row");
                Reg place = k.reg(Type.U64, "place");
                k.mulWide(row, block, n);
                k.mad(row, row, Float.BYTES, to);
                k.madWide(place, column, Float.BYTES, row);
                k.st(GLOBAL, place, Elements.together(sums));
            }
        });
    }

    private static void addSlices(PtxKernel k, Reg[] sums, Reg[] one, Reg base, int from, int sliceBytes) {
        for (int i = from; i < SLICES; i++) {
            k.ld(SHARED, Elements.together(one), base.at((long) i * sliceBytes));
            Sums.add(k, sums, one);
        }
    }

    private static void join(PtxKernel k, Elements elements) {
        Elements part = elements.as(DType.F32);
        Reg parts = k.param("parts", Type.U64);
        Reg to = k.param("to", Type.U64);
        Reg chunks = k.param("chunks", Type.U32);
        Reg n = k.param("n", Type.U32);
        Reg rows = k.reg(Type.U32, "rows", 1);
        Reg rowBytes = k.reg(Type.U64, "row_bytes");
        k.mulWide(rowBytes, n, Float.BYTES);
        Grid.eachOfRows(k, elements.count(), rows, n, (_, column) -> {
            Reg place = elements.at(k, "place", to, column);
            Reg[] sums = elements.load(k, "sum", place);
            Reg[] one = k.regs(Type.F32, "one", elements.count());
            Reg at = part.at(k, "part_at", parts, column);
            k.loop("chunk", 0, chunks, 1, _ -> {
                part.load(k, one, at);
                Sums.add(k, sums, one);
                k.add(at, at, rowBytes);
            });
            elements.store(k, place, sums);
        });
    }
}
