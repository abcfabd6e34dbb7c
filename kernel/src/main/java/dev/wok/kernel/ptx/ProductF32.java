package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Form;
import dev.wok.kernel.ptx.Product.Result;
import dev.wok.kernel.ptx.Product.Tiles;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/// Products of operands as they are, by fused multiply-adds in float32, on every chip.
///
/// An element is the sum of chunks of 128 of `k` in their order, each of them a chain along `k`: whether a block goes
/// through all chunks or each has a block of its own, whose sums [JoinChunks] adds, the bits are the same. A block's
/// tile passes through shared memory, `k` by `k`, half of it being filled while the other half is multiplied.
///
/// @param a how the left operand is read
/// @param b how the right operand is read
/// @param to how the result is written
/// @param m rows of a block's tile
/// @param n columns of it
/// @param rowFours a thread's rows, in fours
/// @param columnFours a thread's columns, in fours
/// @param isSplit whether each chunk has blocks of its own
record ProductF32(
        Form form, Elements a, Elements b, Elements to, int m, int n, int rowFours, int columnFours, boolean isSplit) {

    private static final int FOUR = 4;
    private static final int CHUNK = 128;

    /// Numbers of `k` in half of the shared memory.
    private static final int DEPTH = 16;

    private static final int MOST_CHUNKS = 65535;

    /// The most sums that chunks leave to be joined.
    private static final long MOST_PARTS = 1L << 24;

    private static final int FEW_ROWS = 16;

    /// @param product with operands in F32 or BF16
    static void multiply(Programs programs, Product product, int multiprocessors) {
        ProductF32 kernel = choose(product, multiprocessors);
        if (kernel.isSplit) {
            kernel.launchSplit(programs, product);
        } else {
            kernel.launchWhole(programs, product);
        }
    }

    void launchWhole(Programs programs, Product product) {
        launch(programs, product, product.c(), 1);
    }

    private static ProductF32 choose(Product product, int multiprocessors) {
        int rows = product.m();
        int columns = product.n();
        ProductF32 kernel = of(product, 128, 128);
        if (rows <= FEW_ROWS) {
            kernel = of(product, FEW_ROWS, 64);
        } else if (kernel.tiles(rows, columns) < multiprocessors) {
            kernel = of(product, 64, 64);
        }
        long chunks = Math.ceilDiv(product.k(), CHUNK);
        boolean splits = chunks > 1
                && chunks <= MOST_CHUNKS
                && kernel.tiles(rows, columns) < multiprocessors
                && chunks * rows * columns <= MOST_PARTS;
        return kernel.split(splits);
    }

    /// @return a kernel with tiles of this size, one of those of [#sizes]
    static ProductF32 of(Product product, int m, int n) {
        Elements a = Elements.of(product.a().size(1), product.a());
        Elements b = Elements.of(product.b().size(1), product.b());
        Elements to = Elements.of(product.n(), product.c());
        return of(product.form(), a, b, to, m, n);
    }

    static ProductF32 of(Form form, Elements a, Elements b, Elements to, int m, int n) {
        return new ProductF32(form, a, b, to, m, n, m < 64 ? 1 : 2, n < 128 ? 1 : 2, false);
    }

    /// @return rows and columns of the tiles that there are
    static List<int[]> sizes() {
        return List.of(new int[] {FEW_ROWS, 64}, new int[] {64, 64}, new int[] {128, 128});
    }

    ProductF32 split(boolean splits) {
        return new ProductF32(form, a, b, to, m, n, rowFours, columnFours, splits);
    }

    private long tiles(int rows, int columns) {
        return (long) Math.ceilDiv(rows, m) * Math.ceilDiv(columns, n);
    }

    private int threads() {
        return m / (FOUR * rowFours) * (n / (FOUR * columnFours));
    }

    /// @param result `[m, n]`, or `[chunks, m, n]` where chunks have blocks of their own
    private void launch(Programs programs, Product product, Tensor result, int chunks) {
        programs.gpu().stream()
                .launch(
                        programs.get(this, "product_f32", this::write),
                        Launch.of(1, threads()).withGrid(Math.toIntExact(tiles(product.m(), product.n())), chunks, 1),
                        product.a(),
                        Elements.rowBytes(product.a()),
                        product.b(),
                        Elements.rowBytes(product.b()),
                        result,
                        isSplit ? (long) product.n() * Float.BYTES : Elements.rowBytes(result),
                        product.m(),
                        product.n(),
                        product.k());
    }

    void launchSplit(Programs programs, Product product) {
        int chunks = Math.ceilDiv(product.k(), CHUNK);
        Tensor parts = programs.scratch("ProductF32.parts", DType.F32, (long) chunks * product.m() * product.n());
        Elements packed = new Elements(DType.F32, product.n() % FOUR == 0 ? FOUR : 1);
        new ProductF32(form, a, b, packed, m, n, rowFours, columnFours, true).launch(programs, product, parts, chunks);
        int count = Math.min(packed.count(), to.count());
        new JoinChunks(new Elements(DType.F32, count), product.accumulates())
                .launch(programs, parts, chunks, product.c());
    }

    /// An operand's tile on its way into shared memory, `[k, length]` there.
    private final class Side {
        private final Elements elements;
        private final boolean turns;
        private final int length;
        private final int rowsAtOnce;
        private final Reg[] sources;
        private final Reg[][] values;
        private final Reg left;
        private final Reg room;
        private final Reg place;
        private final Object step;

        /// @param limit its rows or columns along the result
        /// @param first the block's first one
        /// @param from where the block begins along `k`
        /// @param to where it ends
        Side(
                PtxKernel k,
                String name,
                Elements elements,
                boolean turns,
                int length,
                Reg tid,
                Reg base,
                Reg rowBytes,
                Reg limit,
                Reg first,
                Reg from,
                Reg to) {
            this.elements = elements;
            this.turns = turns;
            this.length = length;
            int perRow = (turns ? length : DEPTH) / FOUR;
            rowsAtOnce = threads() / perRow;
            int count = (turns ? DEPTH : length) / rowsAtOnce;
            sources = k.regs(Type.U64, name + "_from", count);
            values = new Reg[count][];
            Reg row = k.reg(Type.U32, name + "_row");
            Reg column = k.reg(Type.U32, name + "_column");
            left = k.reg(Type.S32, name + "_left");
            place = k.reg(Type.U32, name + "_to");
            k.rem(column, tid, perRow);
            k.div(row, tid, perRow);
            k.mul(column, column, FOUR);
            Reg along = turns ? row : column;
            Reg across = turns ? column : row;
            k.mul(place, along, rowInShared());
            k.mad(place, across, Float.BYTES, place);
            k.op("sub.s32", left, to, from);
            k.op("sub.s32", left, left, along);
            Reg last = k.reg(Type.U32, name + "_last");
            Reg source = k.reg(Type.U32, name + "_source");
            Reg wide = k.reg(Type.U64, "wide");
            k.op("sub.s32", last, limit, turns ? elements.count() : 1);
            if (turns) {
                k.add(column, column, first);
                if (elements.count() == FOUR) {
                    k.min(column, column, last);
                }
            } else {
                k.add(column, column, from);
            }
            for (int i = 0; i < count; i++) {
                values[i] = k.regs(Type.F32, name + "_value", FOUR);
                k.add(source, row, i * rowsAtOnce);
                k.add(source, source, turns ? from : first);
                if (!turns) {
                    k.min(source, source, last);
                }
                k.op("cvt.u64.u32", wide, source);
                k.mad(sources[i], wide, rowBytes, base);
                k.madWide(sources[i], column, elements.bytes(), sources[i]);
            }
            if (turns) {
                Reg bytes = k.reg(Type.U64, name + "_step");
                k.mul(bytes, rowBytes, (long) DEPTH);
                step = bytes;
                room = k.reg(Type.S32, name + "_room");
                k.op("sub.s32", room, limit, column);
            } else {
                step = (long) DEPTH * elements.bytes();
                room = left;
            }
        }

        int rowInShared() {
            return rowInShared(length);
        }

        /// A row of shared memory, longer than the tile so that numbers along `k` lie in different banks.
        static int rowInShared(int length) {
            return (length + FOUR) * Float.BYTES;
        }

        /// Loads the next numbers into registers; zeros behind the end of `k`.
        void load(PtxKernel k) {
            for (int i = 0; i < sources.length; i++) {
                Reg source = sources[i];
                Reg[] four = values[i];
                for (Reg value : four) {
                    k.mov(value, 0f);
                }
                int rows = turns ? i * rowsAtOnce : 0;
                k.when(k.compare("has_row", Compare.GT, left, rows), () -> {
                    if (elements.count() == FOUR) {
                        elements.load(k, four, source);
                        return;
                    }
                    Reg at = k.reg(Type.U64, "single_at");
                    for (int j = 0; j < FOUR; j++) {
                        Reg value = four[j];
                        k.add(at, source, (long) j * elements.bytes());
                        k.when(
                                k.compare("has_number", Compare.GT, room, j),
                                () -> elements.load(k, new Reg[] {value}, at));
                    }
                });
                k.add(source, source, step);
            }
            k.op("sub.s32", left, left, DEPTH);
        }

        /// Puts them into shared memory.
        void store(PtxKernel k, Reg half, int offset) {
            Reg at = k.reg(Type.U32, "half_at");
            k.add(at, half, place);
            k.add(at, at, offset);
            for (int i = 0; i < sources.length; i++) {
                int rows = i * rowsAtOnce;
                if (turns) {
                    k.st(SHARED, at.at((long) rows * rowInShared()), vec(values[i]));
                    continue;
                }
                for (int j = 0; j < FOUR; j++) {
                    k.st(SHARED, at.at((long) j * rowInShared() + (long) rows * Float.BYTES), values[i][j]);
                }
            }
        }
    }

    void write(PtxKernel k) {
        k.maxThreads(threads());
        Reg aBase = k.param("a", Type.U64);
        Reg aRow = k.param("a_row_bytes", Type.U64);
        Reg bBase = k.param("b", Type.U64);
        Reg bRow = k.param("b_row_bytes", Type.U64);
        Result result = Result.of(k, form);
        Reg end = k.param("k", Type.U32);
        int leftHalf = DEPTH * Side.rowInShared(m);
        int half = leftHalf + DEPTH * Side.rowInShared(n);
        Symbol memory = k.shared("halves", Type.B8, 2 * half, 16);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg base = k.reg(Type.U32, "halves_at");
        Reg firstRow = k.reg(Type.U32, "first_row");
        Reg firstColumn = k.reg(Type.U32, "first_column");
        Reg from = k.reg(Type.U32, "from", 0);
        Tiles.of(k, result, m, n).placeOfBlock(k, firstRow, firstColumn);
        k.mov(base, memory);
        k.mul(firstRow, firstRow, m);
        k.mul(firstColumn, firstColumn, n);
        if (isSplit) {
            k.comment("this block's chunk");
            Reg chunk = k.reg(Type.U32, "chunk", Special.CTAID_Y);
            Reg chunkEnd = k.reg(Type.U32, "chunk_end");
            Reg wide = k.reg(Type.U64, "wide_chunk");
            k.mul(from, chunk, CHUNK);
            k.add(chunkEnd, from, CHUNK);
            k.min(end, end, chunkEnd);
            k.mulWide(wide, result.m(), result.n());
            k.shl(wide, wide, 2);
            Reg index = k.reg(Type.U64, "chunk_index");
            k.op("cvt.u64.u32", index, chunk);
            k.mad(result.c(), wide, index, result.c());
        }
        Side left = new Side(k, "a", a, form.turnsA(), m, tid, aBase, aRow, result.m(), firstRow, from, end);
        Side right = new Side(k, "b", b, form.turnsB(), n, tid, bBase, bRow, result.n(), firstColumn, from, end);
        Reg steps = k.reg(Type.U32, "steps");
        k.sub(steps, end, from);
        k.add(steps, steps, DEPTH - 1);
        k.div(steps, steps, DEPTH);
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        k.rem(column, tid, n / (FOUR * columnFours));
        k.div(row, tid, n / (FOUR * columnFours));
        k.mul(row, row, FOUR);
        k.mul(column, column, FOUR);
        Reg[] sums = zeros(k, "sum");
        Reg[] totals = isSplit ? sums : zeros(k, "total");

        k.comment("the first half");
        Reg filling = k.reg(Type.U32, "filling");
        Reg using = k.reg(Type.U32, "using");
        k.mov(filling, base);
        left.load(k);
        right.load(k);
        left.store(k, filling, 0);
        right.store(k, filling, leftHalf);
        k.bar();
        k.loop("step", 0, steps, 1, step -> {
            Reg more = k.reg(Type.U32, "next_step");
            Reg hasMore = k.reg(Type.PRED, "has_more");
            k.mov(using, filling);
            k.add(more, step, 1);
            k.setp(Compare.LT, hasMore, more, steps);
            k.when(hasMore, () -> {
                left.load(k);
                right.load(k);
            });
            multiply(k, using, row, column, leftHalf, sums);
            k.when(hasMore, () -> {
                k.op("sub.u32", filling, base, filling);
                k.add(filling, filling, base);
                k.add(filling, filling, half);
                left.store(k, filling, 0);
                right.store(k, filling, leftHalf);
            });
            k.bar();
            if (!isSplit) {
                k.comment("a chunk is over");
                Reg rest = k.reg(Type.U32, "steps_in_chunk");
                Reg isOver = k.reg(Type.PRED, "is_over");
                k.and(rest, more, CHUNK / DEPTH - 1);
                k.setp(Compare.EQ, isOver, rest, 0);
                k.when(isOver, () -> take(k, totals, sums));
            }
        });
        if (!isSplit) {
            take(k, totals, sums);
        }
        k.add(row, row, firstRow);
        k.add(column, column, firstColumn);
        store(k, result, row, column, totals);
    }

    private Reg[] zeros(PtxKernel k, String name) {
        Reg[] all = k.regs(Type.F32, name, FOUR * rowFours * FOUR * columnFours);
        for (Reg one : all) {
            k.mov(one, 0f);
        }
        return all;
    }

    private static void take(PtxKernel k, Reg[] totals, Reg[] sums) {
        for (int i = 0; i < sums.length; i++) {
            k.add(totals[i], totals[i], sums[i]);
            k.mov(sums[i], 0f);
        }
    }

    private void multiply(PtxKernel k, Reg half, Reg row, Reg column, int leftHalf, Reg[] sums) {
        Reg aAt = k.reg(Type.U32, "a_at");
        Reg bAt = k.reg(Type.U32, "b_at");
        k.mad(aAt, row, Float.BYTES, half);
        k.mad(bAt, column, Float.BYTES, half);
        Reg[] x = k.regs(Type.F32, "x", FOUR * rowFours);
        Reg[] y = k.regs(Type.F32, "y", FOUR * columnFours);
        for (int i = 0; i < DEPTH; i++) {
            for (int q = 0; q < rowFours; q++) {
                long at = (long) i * Side.rowInShared(m) + (long) q * m / rowFours * Float.BYTES;
                k.ld(SHARED, vec(x, FOUR * q, FOUR), aAt.at(at));
            }
            for (int q = 0; q < columnFours; q++) {
                long at = leftHalf + (long) i * Side.rowInShared(n) + (long) q * n / columnFours * Float.BYTES;
                k.ld(SHARED, vec(y, FOUR * q, FOUR), bAt.at(at));
            }
            for (int r = 0; r < x.length; r++) {
                for (int c = 0; c < y.length; c++) {
                    k.fma(sums[r * y.length + c], x[r], y[c], sums[r * y.length + c]);
                }
            }
        }
    }

    private void store(PtxKernel k, Result result, Reg row, Reg column, Reg[] totals) {
        k.comment("the result");
        int width = FOUR * columnFours;
        Reg r = k.reg(Type.U32, "r");
        Reg wide = k.reg(Type.U64, "wide");
        Reg begin = k.reg(Type.U64, "begin");
        Reg at = k.reg(Type.U64, "at");
        Reg room = k.reg(Type.S32, "room");
        k.op("sub.s32", room, result.n(), column);
        for (int i = 0; i < FOUR * rowFours; i++) {
            int first = i * width;
            k.add(r, row, i / FOUR * (m / rowFours) + i % FOUR);
            k.when(k.compare(Compare.LT, r, result.m()), () -> {
                k.op("cvt.u64.u32", wide, r);
                k.mad(begin, wide, result.rowBytes(), result.c());
                k.madWide(begin, column, Float.BYTES, begin);
                for (int j = 0; j < width; j += to.count()) {
                    int away = j / FOUR * (n / columnFours) + j % FOUR;
                    Reg[] values = Arrays.copyOfRange(totals, first + j, first + j + to.count());
                    k.when(k.compare("is_inside", Compare.GT, room, away), () -> {
                        k.add(at, begin, (long) away * Float.BYTES);
                        if (form.accumulates() && !isSplit) {
                            Reg[] before = to.load(k, "before", at);
                            for (int l = 0; l < values.length; l++) {
                                k.add(values[l], values[l], before[l]);
                            }
                        }
                        to.store(k, at, values);
                    });
                }
            });
        }
    }

    /// `c (+)=` the sums of chunks, the first chunk's first.
    ///
    /// @param elements of the result and of the chunks
    record JoinChunks(Elements elements, boolean accumulates) {
        /// @param parts `[chunks, m, n]` without gaps
        void launch(Programs programs, Tensor parts, int chunks, Tensor c) {
            programs.gpu().stream()
                    .launch(
                            programs.get(this, "join_chunks", this::write),
                            Grid.rows(c.size(0), c.size(1), elements.count()),
                            parts,
                            chunks,
                            c,
                            Elements.rowBytes(c),
                            c.size(0),
                            c.size(1));
        }

        void write(PtxKernel k) {
            Reg parts = k.param("parts", Type.U64);
            Reg chunks = k.param("chunks", Type.U32);
            Reg c = k.param("c", Type.U64);
            Reg rowBytes = k.param("c_row_bytes", Type.U64);
            Reg rows = k.param("m", Type.U32);
            Reg columns = k.param("n", Type.U32);
            Reg chunkBytes = k.reg(Type.U64, "chunk_bytes");
            Reg wide = k.reg(Type.U64, "all_rows");
            Reg partRow = k.reg(Type.U64, "part_row_bytes");
            k.mulWide(partRow, columns, Float.BYTES);
            k.op("cvt.u64.u32", wide, rows);
            k.mul(chunkBytes, partRow, wide);
            Grid.eachOfRows(k, elements.count(), rows, columns, (row, column) -> {
                Reg from = elements.at(k, "from", parts, row, partRow, column);
                Reg at = elements.at(k, "at", c, row, rowBytes, column);
                Reg[] sums = k.regs(Type.F32, "sum", elements.count());
                for (Reg sum : sums) {
                    k.mov(sum, 0f);
                }
                k.loop("chunk", 0, chunks, 1, _ -> {
                    Sums.add(k, sums, elements.load(k, "part", from));
                    k.add(from, from, chunkBytes);
                });
                if (accumulates) {
                    Sums.add(k, sums, elements.load(k, "before", at));
                }
                elements.store(k, at, sums);
            });
        }
    }
}
