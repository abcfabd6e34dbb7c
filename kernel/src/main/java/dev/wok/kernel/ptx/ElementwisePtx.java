package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Elementwise;
import dev.wok.kernel.PageTable;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// A thread for each number, or for some that lie side by side. Casts take rows that lie along three
/// dimensions at most.
///
/// A token without a place in the pages, because its table or its page number points outside, is left
/// out.
final class ElementwisePtx extends Elementwise {
    private final Programs programs;

    ElementwisePtx(Programs programs) {
        this.programs = programs;
    }

    private record Add(Elements elements) {}

    private record AddBias(Elements elements) {}

    /// Stores so many bytes at once.
    private record Fill(int bytes) {
        static final int WIDEST = 16;
    }

    private record ToPages(CopyRows copy) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        all.add(k -> add(k, elements));
        all.add(k -> addBias(k, elements));
        all.addAll(ColumnSums.kernels(new BiasGradient(elements)));
        for (DType to : List.of(DType.F32, DType.BF16)) {
            all.addAll(CopyRows.kernels(elements, elements.as(to)));
            all.add(k -> toPages(k, new CopyRows(elements, elements.as(to), 0)));
        }
        return all;
    }

    /// @return what writes each kernel that fills
    static List<Consumer<PtxKernel>> fills() {
        return IntStream.of(1, Short.BYTES, Integer.BYTES, Long.BYTES, Fill.WIDEST)
                .mapToObj(Fill::new)
                .<Consumer<PtxKernel>>map(fill -> k -> fill(k, fill))
                .toList();
    }

    @Override
    protected void sum(Tensor a, Tensor b, Tensor out) {
        Elements elements = Elements.flat(a, b, out);
        programs.gpu().stream()
                .launch(
                        programs.get(new Add(elements), "add", k -> add(k, elements)),
                        Grid.all(out.elements(), elements.count()),
                        a,
                        b,
                        out,
                        out.elements());
    }

    private static void add(PtxKernel k, Elements elements) {
        Reg a = k.param("a", Type.U64);
        Reg b = k.param("b", Type.U64);
        Reg out = k.param("out", Type.U64);
        Reg count = k.param("elements", Type.U64);
        Grid.each(k, elements.count(), count, i -> {
            Reg[] sums = elements.load(k, "a", elements.at(k, "a_at", a, i));
            Sums.add(k, sums, elements.load(k, "b", elements.at(k, "b_at", b, i)));
            elements.store(k, elements.at(k, "out_at", out, i), sums);
        });
    }

    @Override
    protected void addToRows(Tensor x, Tensor bias) {
        Elements elements = Elements.of(x.size(1), x, bias);
        programs.gpu().stream()
                .launch(
                        programs.get(new AddBias(elements), "add_bias", k -> addBias(k, elements)),
                        Grid.rows(x.size(0), x.size(1), elements.count()),
                        x,
                        Elements.rowBytes(x),
                        bias,
                        x.size(0),
                        x.size(1));
    }

    private static void addBias(PtxKernel k, Elements elements) {
        Reg x = k.param("x", Type.U64);
        Reg xRow = k.param("x_row_bytes", Type.U64);
        Reg bias = k.param("bias", Type.U64);
        Reg rows = k.param("rows", Type.U32);
        Reg n = k.param("n", Type.U32);
        Grid.eachOfRows(k, elements.count(), rows, n, (row, column) -> {
            Reg at = elements.at(k, "x_at", x, row, xRow, column);
            Reg[] sums = elements.load(k, "x", at);
            Sums.add(k, sums, elements.load(k, "bias", elements.at(k, "bias_at", bias, column)));
            elements.store(k, at, sums);
        });
    }

    private record BiasGradient(Elements elements) implements ColumnSums.Terms {
        @Override
        public String name() {
            return "bias_gradient";
        }

        @Override
        public ColumnSums.Adder begin(PtxKernel k) {
            Reg dy = k.param("dy", Type.U64);
            Reg dyRow = k.param("dy_row_bytes", Type.U64);
            return (sums, token, column) ->
                    Sums.add(k, sums, elements.load(k, "dy", elements.at(k, "dy_at", dy, token, dyRow, column)));
        }
    }

    @Override
    protected void sumRows(Tensor dy, Tensor dBias) {
        Elements elements = Elements.of(dy.size(1), dy, dBias);
        ColumnSums.add(programs, new BiasGradient(elements), dy.size(0), dy.size(1), dBias, dy, Elements.rowBytes(dy));
    }

    @Override
    protected void set(Tensor x, double value) {
        long pattern = pattern(x.dtype(), value);
        boolean isWide = x.bytes() % Fill.WIDEST == 0 && x.memory().address() % Fill.WIDEST == 0;
        Fill fill = new Fill(isWide ? Fill.WIDEST : x.dtype().bytes());
        programs.gpu().stream()
                .launch(
                        programs.get(fill, "fill", k -> fill(k, fill)),
                        Grid.all(x.bytes(), fill.bytes),
                        x,
                        pattern,
                        x.bytes());
    }

    /// @return the bits of a number, as often as they fit into 64
    private static long pattern(DType dtype, double value) {
        Tensor one = Tensor.of(MemorySegment.ofArray(new byte[Long.BYTES]), dtype, Long.BYTES / dtype.bytes());
        for (int i = 0; i < one.elements(); i++) {
            one.set(i, value);
        }
        return one.memory().get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
    }

    private static void fill(PtxKernel k, Fill fill) {
        Reg x = k.param("x", Type.U64);
        Reg pattern = k.param("pattern", Type.U64);
        Reg bytes = k.param("bytes", Type.U64);
        Reg half = k.reg(Type.U32, "half");
        Reg at = k.reg(Type.U64, "at");
        k.op("cvt.u32.u64", half, pattern);
        Grid.each(k, fill.bytes, bytes, i -> {
            k.add(at, x, i);
            switch (fill.bytes) {
                case Fill.WIDEST -> k.st(GLOBAL, at, vec(pattern, pattern));
                case Long.BYTES -> k.st(GLOBAL, at, pattern);
                default -> k.op("st.global.u" + Byte.SIZE * fill.bytes, at.at(0), half);
            }
        });
    }

    @Override
    protected void convert(Tensor from, Tensor to) {
        CopyRows.launch(programs, from, to);
    }

    @Override
    protected void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {
        int sequences = table.pages().size(0);
        if (sequences == 0 || to.elements() == 0) {
            return;
        }
        int n = from.size(2);
        int rows = Math.multiplyExact(from.size(0), from.size(1));
        CopyRows copy = CopyRows.of(Elements.of(n, from), Elements.of(n, to), 0);
        programs.gpu().stream()
                .launch(
                        programs.get(new ToPages(copy), "copy_to_pages", k -> toPages(k, copy)),
                        Grid.rows(rows, n, copy.to().count()),
                        from,
                        Elements.rowBytes(from),
                        from.stride(1) * from.dtype().bytes(),
                        to,
                        Elements.rowBytes(to),
                        to.stride(1) * to.dtype().bytes(),
                        to.stride(2) * to.dtype().bytes(),
                        table.starts(),
                        table.pages(),
                        Elements.rowBytes(table.pages()),
                        positions,
                        sequences,
                        table.pages().size(1),
                        to.size(0),
                        to.size(1),
                        from.size(1),
                        rows,
                        n);
    }

    private static void toPages(PtxKernel k, CopyRows copy) {
        Reg from = k.param("from", Type.U64);
        Reg fromToken = k.param("from_token_bytes", Type.U64);
        Reg fromHead = k.param("from_head_bytes", Type.U64);
        Reg to = k.param("to", Type.U64);
        Reg toPage = k.param("to_page_bytes", Type.U64);
        Reg toRow = k.param("to_row_bytes", Type.U64);
        Reg toHead = k.param("to_head_bytes", Type.U64);
        Reg starts = k.param("starts", Type.U64);
        Reg pages = k.param("pages", Type.U64);
        Reg tableRow = k.param("table_row_bytes", Type.U64);
        Reg positions = k.param("positions", Type.U64);
        Reg sequences = k.param("sequences", Type.U32);
        Reg most = k.param("most_pages", Type.U32);
        Reg pageCount = k.param("pages_there", Type.U32);
        Reg pageRows = k.param("page_rows", Type.U32);
        Reg heads = k.param("heads", Type.U32);
        Reg rows = k.param("rows", Type.U32);
        Reg n = k.param("n", Type.U32);
        Grid.eachOfRows(k, copy.to().count(), rows, n, (row, column) -> {
            Reg head = k.reg(Type.U32, "head", row);
            Reg token = k.reg(Type.U32, "token");
            Divide.by(k, token, head, heads);
            Reg position = k.reg(Type.U32, "position");
            Reg at = k.reg(Type.U64, "at");
            k.madWide(at, token, Integer.BYTES, positions);
            k.ld(GLOBAL, position, at);
            Reg isNone = k.reg(Type.PRED, "is_none");
            k.op("setp.lt.s32", isNone, position, 0);
            k.continueIf(isNone);

            Reg sequence = Sequences.of(k, starts, sequences, token);
            Reg number = k.reg(Type.U32, "page_number");
            Divide.by(k, number, position, pageRows);
            k.continueIf(k.compare(Compare.GE, number, most));
            Reg page = k.reg(Type.U32, "page");
            Reg tableAt = Elements.row(k, "table_at", pages, sequence, tableRow);
            k.madWide(tableAt, number, Integer.BYTES, tableAt);
            k.ld(GLOBAL, page, tableAt);
            k.continueIf(k.compare(Compare.GE, page, pageCount));

            Reg fromRow = Elements.row(k, "from_row", from, token, fromToken);
            Reg toAt = Elements.row(k, "to_page", to, page, toPage);
            toAt = Elements.row(k, "to_row", toAt, position, toRow);
            copy.copy(
                    k,
                    copy.from().at(k, "from_at", fromRow, head, fromHead, column),
                    copy.to().at(k, "to_at", toAt, head, toHead, column));
        });
    }
}
