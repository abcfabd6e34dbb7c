package dev.wok.kernel.x86;

import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntPredicate;

/// A worker's hands for kernels that are made of several small products: packs parts of tensors to given addresses and
/// multiplies what lies there.
///
/* Operands lie as Tile reads them, the common dimension undivided. Right operands have their columns rounded up to whole
 * vectors, and so have results: what is computed for columns that do not exist is written and means nothing.
 */
final class Blocks {
    /// Elements of the common dimension, and columns of a transposed operand, that are packed at once, at most.
    static final int DEPTH_MOST = Gemm.DEPTH_MOST;

    private final Programs programs;
    private final Isa isa;
    private final Tile.Kind kind;
    private final Precision precision;
    private final int vectors;
    private final MemorySegment table;
    private final MemorySegment sum;
    private final Buffer zeros;
    private final Buffer seen;
    private final Tile.Call call;

    Blocks(Programs programs, Tile.Kind kind, Precision precision) {
        this.programs = programs;
        this.kind = kind;
        this.precision = precision;
        isa = programs.isa();
        vectors = isa.hasMasks() ? 3 : 2;
        table = programs.device().scratch((long) Long.BYTES * DEPTH_MOST);
        sum = programs.device().scratch(Float.BYTES);
        zeros = new Buffer(programs.device());
        seen = new Buffer(programs.device());
        call = new Tile.Call(programs.device().scratch(Tile.Call.BYTES));
    }

    /// A left operand.
    ///
    /// @param rows of its tiles where they are panels
    /// @param stride bytes between rows, or between panels
    record Left(Tile.Layout layout, int rows, long address, long stride) {
        Left at(long bytes) {
            return new Left(layout, rows, address + bytes, stride);
        }

        /// @return what begins with row `i`
        Left row(int i) {
            return at(layout == Tile.Layout.ROWS ? i * stride : i / rows * stride + (long) (i % rows) * Integer.BYTES);
        }
    }

    /// A right operand.
    ///
    /// @param stride bytes between panels
    record Right(long address, long stride) {}

    // ---------------------------------------------------------------------------------------------- sizes

    /// @return columns rounded up to whole vectors
    int padded(int columns) {
        return (columns + isa.lanes() - 1) / isa.lanes() * isa.lanes();
    }

    /// @return the bytes between rows of a left operand in rows
    long rowStride(int k) {
        return (kind.groups(k) * Integer.BYTES + 127) / 64 * 64L;
    }

    /// @return the bytes between rows of a result, such that equal columns do not compete for the same cache lines
    long resultStride(int columns) {
        return (long) padded(columns) * Float.BYTES + 64;
    }

    long rightBytes(int n, int k) {
        return Panels.bytes(kind, n, k, isa.lanes());
    }

    private int width() {
        return vectors * isa.lanes();
    }

    /// @return the bytes between panels of a right operand
    long rightStride(int k) {
        return (long) kind.groups(k) * width() * Integer.BYTES;
    }

    /// @return columns rounded up to whole panels
    int wholePanels(int columns) {
        return (columns + width() - 1) / width() * width();
    }

    /// The rows of panels that kernels write as left operands: half a vector of columns becomes one.
    static int panelRows(Isa isa) {
        return isa.lanes() / 2;
    }

    /// @return the bytes between panels of a left operand
    long panelStride(int k) {
        return (long) kind.groups(k) * panelRows(isa) * Integer.BYTES;
    }

    // ---------------------------------------------------------------------------------------------- packing

    private void rows(Tensor x, int from, int count) {
        long address = x.memory().address();
        long stride = Span.stride(x, 0);
        for (int i = 0; i < count; i++) {
            table.setAtIndex(ValueLayout.JAVA_LONG, i, address + (from + i) * stride);
        }
    }

    /// Packs a left operand in rows; writes up to a vector behind each.
    ///
    /// @param x `[rows, k]`
    Left left(Tensor x, long to) {
        int k = x.size(1);
        Left left = new Left(Tile.Layout.ROWS, 0, to, rowStride(k));
        PackRows code = new PackRows(Cast.of(x.dtype(), kind, precision));
        Span.address(x);
        for (int from = 0; from < x.size(0); from += DEPTH_MOST) {
            int count = Math.min(DEPTH_MOST, x.size(0) - from);
            rows(x, from, count);
            programs.get(code, code::write).call(table.address(), to + from * left.stride, left.stride, 0, k, count);
        }
        return left;
    }

    /// Packs a right operand.
    ///
    /// @param x `[k, n]`, `k` at most [#DEPTH_MOST]
    Right right(Tensor x, long to) {
        rows(x, 0, x.size(0));
        return pack(x, to);
    }

    /// Packs a right operand, zeros in place of rows that do not count.
    private Right right(Tensor x, IntPredicate counts, long to) {
        long bytes = Span.stride(x, 1) * x.dim(1);
        long none = zeros.of(bytes).asSlice(0, bytes).fill((byte) 0).address();
        rows(x, 0, x.size(0));
        for (int i = 0; i < x.size(0); i++) {
            if (!counts.test(i)) {
                table.setAtIndex(ValueLayout.JAVA_LONG, i, none);
            }
        }
        return pack(x, to);
    }

    /// @param x what the table points to
    private Right pack(Tensor x, long to) {
        int k = x.size(0);
        int n = x.size(1);
        Span.address(x);
        for (int column = 0; column < n; column += width()) {
            int whole = Math.min(width(), padded(n - column)) / isa.lanes() - 1;
            PackColumns code = new PackColumns(Cast.of(x.dtype(), kind, precision), whole, false);
            programs.get(code, code::write)
                    .call(
                            table.address(),
                            column(to, column, n, k),
                            (long) column * x.dtype().bytes(),
                            Math.min(isa.lanes(), n - column - whole * isa.lanes()),
                            k,
                            groupStride(column, n));
        }
        return new Right(to, rightStride(k));
    }

    /// Packs a right operand whose columns are rows.
    ///
    /// @param x `[n, k]`
    Right transposed(Tensor x, long to) {
        int n = x.size(0);
        int k = x.size(1);
        Span.address(x);
        for (int column = 0; column < n; column += isa.lanes()) {
            int present = Math.min(n - column, isa.lanes());
            rows(x, column, present);
            vector(x, 1, present, column(to, column, n, k), groupStride(column, n));
        }
        return new Right(to, rightStride(k));
    }

    /// Packs rows as groups of all of them one after another, zeros for what is missing.
    ///
    /// @param x `[tokens, heads, k]`, whose rows are counted through the heads of one token after another
    /// @param from the first of `count` rows, at most `width`
    /// @param width whole vectors
    void strip(Tensor x, int from, int count, int width, long to) {
        long address = Span.address(x);
        int heads = x.size(1);
        for (int column = 0; column < width; column += isa.lanes()) {
            int first = from + column;
            int present = Math.clamp(count - column, 0, isa.lanes());
            for (int i = 0; i < present; i++) {
                long row = x.offset((first + i) / heads, (first + i) % heads);
                table.setAtIndex(
                        ValueLayout.JAVA_LONG, i, address + row * x.dtype().bytes());
            }
            vector(x, 2, present, to + (long) column * Integer.BYTES, width * Integer.BYTES);
        }
    }

    /// Packs a vector of rows that the table points to, zeros for those that are not there.
    ///
    /// @param dimension along the rows
    private void vector(Tensor x, int dimension, int present, long to, int groupStride) {
        for (int i = present; i < isa.lanes(); i++) {
            table.setAtIndex(ValueLayout.JAVA_LONG, i, 0);
        }
        PackTransposed code = new PackTransposed(Cast.of(x.dtype(), kind, precision));
        programs.get(code, code::write).call(table.address(), to, 0, x.size(dimension), groupStride);
    }

    /// Where a vector of columns begins.
    private long column(long to, int column, int n, int k) {
        int panel = column / width();
        return to + panel * rightStride(k) + (long) (column % width()) * Integer.BYTES;
    }

    private int groupStride(int column, int n) {
        int panel = column / width() * width();
        return Math.min(width(), padded(n) - panel) * Integer.BYTES;
    }

    /// @param x `[rows, columns]`, float32
    /// @return whether it holds neither an infinity nor NaN, also as an operand
    boolean finite(Tensor x) {
        return finite(x.memory().address(), Span.stride(x, 0), x.size(0), x.size(1));
    }

    /// @return whether rows of float32 hold neither an infinity nor NaN
    boolean finite(long address, long stride, int rows, int columns) {
        programs.get(FiniteRows.class, FiniteRows::write).call(address, stride, rows, columns, sum.address());
        return sum.get(ValueLayout.JAVA_FLOAT, 0) == 0;
    }

    // ---------------------------------------------------------------------------------------------- products

    /// `c = a b` or `c += a b`.
    ///
    /// @param rows of the left operand
    /// @param k how much of the common dimension
    /// @param columns how many of the right operand: whole panels, or all
    void multiply(Left a, int rows, int k, Right b, int columns, long c, long cStride, boolean accumulate) {
        int tall = a.layout == Tile.Layout.PANELS ? a.rows : isa.hasMasks() ? 8 : 6;
        int groups = kind.groups(k);
        int lastVectors = padded(columns % width()) / isa.lanes();
        Tile tile = new Tile(kind, tall, vectors, a.layout, rows % tall, lastVectors, accumulate, 0, false);
        call.left(a.address, a.stride, groups);
        call.right(b.address, b.stride);
        call.result(c, cStride);
        call.counts(rows / tall, columns / width(), isa.lanes());
        programs.get(tile, tile::write).call(call.address());
    }

    /// Which rows of a right operand count for a row of the left one.
    interface Seen {
        boolean sees(int row, int k);
    }

    /// `c = a b` or `c += a b`, row by row: there are infinities or NaN in rows of `b` that do not
    /// count. The left operand has zeros for them, but zero times an infinity is none.
    ///
    /// @param b `[k, n]`, not packed
    void multiplySeen(Left a, int rows, Tensor b, Seen seen, long c, long cStride, boolean accumulate) {
        int k = b.size(0);
        int n = b.size(1);
        long at = this.seen.at(rightBytes(n, k));
        for (int i = 0; i < rows; i++) {
            int row = i;
            Right packed = right(b, j -> seen.sees(row, j), at);
            multiply(a.row(i), 1, k, packed, padded(n), c + i * cStride, cStride, accumulate);
        }
    }
}
