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
import java.util.Arrays;
import java.util.function.Supplier;

/// An [ExpertProduct] in float32, for every chip.
///
/// A block keeps 16 steps of the depth of both operands in shared memory, each step's numbers side by side, and fetches
/// the next 16 into registers meanwhile. A thread has `perThread` rows by 8 columns, in fours that lie half a tile
/// apart. Each sum takes the steps in their order, whatever the tile is.
///
/// @param m rows of a block's tile
/// @param perThread rows of a thread: 4 or 8
/// @param topK slots of a token
/// @param left how the left operand is read
/// @param right how the right one is
/// @param out how results are written
record GroupedFma(ExpertProduct what, int m, int perThread, int topK, Elements left, Elements right, Elements out) {
    private static final int N = 128;
    private static final int K = 16;
    private static final int FOUR = 4;
    private static final int THREAD_COLUMNS = 2 * FOUR;
    private static final int THREADS_N = N / THREAD_COLUMNS;

    /// Numbers between a step's and the next step's that keep a column's in different banks.
    private static final int GAP = 4;

    /// Columns of a dot's part.
    static final int PART_COLUMNS = N;

    /// @return the kernel for so many rows of an expert: tiles that they fill
    static GroupedFma choose(ExpertProduct what, int rowsEach, int topK, Elements left, Elements right, Elements out) {
        int rows = what.isGradient() ? N : rowsEach;
        int m = rows <= 32 ? 32 : rows <= 64 ? 64 : 128;
        return new GroupedFma(what, m, m == 128 ? 8 : FOUR, topK, left, right, out);
    }

    private int threads() {
        return m / perThread * THREADS_N;
    }

    private int columns() {
        return what == ExpertProduct.GATE_UP ? N / 2 : N;
    }

    Launch launch(GroupedArguments.Problem problem) {
        return Launch.of(GroupedBlock.blocks(problem, m, columns()), threads());
    }

    void write(PtxKernel k) {
        k.maxThreads(threads());
        GroupedArguments a = GroupedArguments.of(k);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        k.and(lane, tid, Sums.LANES - 1);
        GroupedBlock block = GroupedBlock.find(k, what, a, m, columns(), lane);
        Reg depth = block.depth(k, what, a);
        Reg weight =
                what.isGradient() ? a.right() : Elements.row(k, "weight", a.right(), block.expert(), a.rightExpert());
        Reg next = k.reg(Type.U32, "next_k", 0);
        Source source = new Source(k, a, block, depth, next, tid);
        Side a0 = what.isGradient()
                ? source.new Across("left", m, left, a.left(), a.leftRow(), block.firstRow(), a.height(), false)
                : source.new Along("left", m, left, a.left(), a.leftRow(), block.firstRow(), block.endRow(), true);
        Side b0 = what.isRightAcross()
                ? source
                .new Across(
                        "right", N, right, weight, a.rightRow(), block.firstColumn(), a.width(), what.gathersRight())
                : source.new Along("right", N, right, weight, a.rightRow(), block.firstColumn(), a.width(), false);

        Reg threadRow = k.reg(Type.U32, "thread_row");
        Reg threadColumn = k.reg(Type.U32, "thread_column");
        k.div(threadRow, tid, THREADS_N);
        k.shl(threadRow, threadRow, 2);
        k.and(threadColumn, tid, THREADS_N - 1);
        k.shl(threadColumn, threadColumn, 2);
        Reg leftAt = k.reg(Type.U32, "left_at");
        Reg rightAt = k.reg(Type.U32, "right_at");
        k.mad(leftAt, threadRow, Float.BYTES, a0.tile());
        k.mad(rightAt, threadColumn, Float.BYTES, b0.tile());
        Reg[] sums = k.regs(Type.F32, "sum", perThread * THREAD_COLUMNS);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        a0.fetch();
        b0.fetch();
        k.loopWhile(() -> k.compare(Compare.LT, next, source.depth), () -> {
            a0.keep();
            b0.keep();
            k.bar();
            k.add(next, next, K);
            a0.fetch();
            b0.fetch();
            multiply(k, leftAt, rightAt, sums);
            k.bar();
        });
        store(k, new GroupedResult(k, what, a, block, out, PART_COLUMNS), block, threadRow, threadColumn, lane, sums);
    }

    private void multiply(PtxKernel k, Reg leftAt, Reg rightAt, Reg[] sums) {
        Reg[] a = k.regs(Type.F32, "a", perThread);
        Reg[] b = k.regs(Type.F32, "b", THREAD_COLUMNS);
        for (int step = 0; step < K; step++) {
            load(k, a, leftAt, m, step);
            load(k, b, rightAt, N, step);
            for (int i = 0; i < perThread; i++) {
                for (int j = 0; j < THREAD_COLUMNS; j++) {
                    Reg sum = sums[i * THREAD_COLUMNS + j];
                    k.fma(sum, a[i], b[j], sum);
                }
            }
        }
    }

    private static void load(PtxKernel k, Reg[] values, Reg at, int width, int step) {
        for (int i = 0; i < values.length; i += FOUR) {
            k.ld(
                    SHARED,
                    vec((Object[]) Arrays.copyOfRange(values, i, i + FOUR)),
                    at.at((long) (step * (width + GAP) + i / FOUR * (width / 2)) * Float.BYTES));
        }
    }

    private void store(
            PtxKernel k,
            GroupedResult result,
            GroupedBlock block,
            Reg threadRow,
            Reg threadColumn,
            Reg lane,
            Reg[] sums) {
        k.comment("the result");
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        Reg c = k.reg(Type.U32, "column_of_four");
        k.add(column, threadColumn, block.firstColumn());
        for (int i = 0; i < perThread; i++) {
            Reg[] low = Arrays.copyOfRange(sums, i * THREAD_COLUMNS, i * THREAD_COLUMNS + FOUR);
            Reg[] high = Arrays.copyOfRange(sums, i * THREAD_COLUMNS + FOUR, (i + 1) * THREAD_COLUMNS);
            k.add(row, threadRow, i / FOUR * (m / 2) + i % FOUR);
            k.add(row, row, block.firstRow());
            result.row(row, block.firstColumn(), THREADS_N, lane, () -> {
                if (what == ExpertProduct.GATE_UP) {
                    result.put(column, low, high);
                } else {
                    result.put(column, low);
                    k.add(c, column, N / 2);
                    result.put(c, high);
                }
            });
        }
    }

    private interface Side {
        /// @return where its tile lies in shared memory
        Reg tile();

        /// Loads the thread's part of the next tile into registers.
        void fetch();

        /// Stores it.
        void keep();
    }

    /// What both operands' sides have in common.
    private final class Source {
        private final PtxKernel k;
        private final GroupedArguments a;
        private final GroupedBlock block;
        private final Reg depth;
        private final Reg next;
        private final Reg tid;

        Source(PtxKernel k, GroupedArguments a, GroupedBlock block, Reg depth, Reg next, Reg tid) {
            this.k = k;
            this.a = a;
            this.block = block;
            this.depth = depth;
            this.next = next;
            this.tid = tid;
        }

        private Reg tile(String name, int width) {
            Symbol memory = k.shared(name + "_tile", Type.F32, K * (width + GAP), 16);
            return k.reg(Type.U32, name + "_tile_at", memory);
        }

        /// @return how many times a thread loads
        private int count(int width, Elements elements) {
            return Math.ceilDiv(width * K, elements.count() * threads());
        }

        private void fetch(Reg[] values, Elements elements, Reg isThere, Supplier<Reg> address) {
            for (Reg value : values) {
                k.mov(value, 0f);
            }
            k.when(isThere, () -> elements.load(k, values, address.get()));
        }

        /// An operand whose rows lie along the depth.
        private final class Along implements Side {
            private final Elements elements;
            private final Reg tile;
            private final Reg[] from;
            private final Reg[][] values;
            private final Reg number;
            private final Reg place;
            private final Reg left;
            private final int width;
            private final int threadRows;
            private final boolean isPaired;

            Along(
                    String name,
                    int width,
                    Elements elements,
                    Reg base,
                    Reg rowBytes,
                    Reg first,
                    Reg end,
                    boolean isLeft) {
                this.elements = elements;
                this.width = width;
                isPaired = !isLeft && what == ExpertProduct.GATE_UP;
                tile = Source.this.tile(name, width);
                int pieces = K / elements.count();
                threadRows = threads() / pieces;
                number = k.reg(Type.U32, name + "_number");
                place = k.reg(Type.U32, name + "_place");
                left = k.reg(Type.S32, name + "_rows_left");
                Reg row = k.reg(Type.U32, name + "_row");
                k.div(row, tid, pieces);
                k.and(number, tid, pieces - 1);
                k.mul(number, number, elements.count());
                k.mad(place, number, width + GAP, row);
                k.mad(place, place, Float.BYTES, tile);
                k.op("sub.s32", left, end, first);
                k.op("sub.s32", left, left, row);
                from = new Reg[count(width, elements)];
                values = new Reg[from.length][];
                for (int i = 0; i < from.length; i++) {
                    values[i] = k.regs(Type.F32, name + "_next", elements.count());
                    Reg source = k.reg(Type.U32, name + "_source");
                    Reg last = k.reg(Type.U32, name + "_last");
                    boolean isUp = isPaired && i * threadRows >= width / 2;
                    k.add(source, row, inTile(i));
                    k.add(source, source, first);
                    k.sub(last, end, 1);
                    k.min(source, source, last);
                    if (isUp) {
                        k.add(source, source, a.width());
                    }
                    if (isLeft && what.gathersLeft()) {
                        source = a.token(k, source, topK);
                    }
                    from[i] = Elements.row(k, name + "_from", base, source, rowBytes);
                }
            }

            /// @return how far the rows of a load are behind the first; up's begin at the first again
            private int inTile(int load) {
                return isPaired ? load * threadRows % (width / 2) : load * threadRows;
            }

            @Override
            public Reg tile() {
                return tile;
            }

            @Override
            public void fetch() {
                Reg n = k.reg(Type.U32, "n");
                k.add(n, number, next);
                for (int i = 0; i < from.length; i++) {
                    Reg source = from[i];
                    Reg isThere = k.compare(Compare.LT, n, depth);
                    Reg isRow = k.compare(Compare.GT, left, inTile(i));
                    k.op("and.pred", isThere, isThere, isRow);
                    Source.this.fetch(values[i], elements, isThere, () -> {
                        Reg at = k.reg(Type.U64, "at");
                        k.madWide(at, n, elements.bytes(), source);
                        return at;
                    });
                }
            }

            @Override
            public void keep() {
                for (int i = 0; i < from.length; i++) {
                    for (int j = 0; j < elements.count(); j++) {
                        k.st(SHARED, place.at((long) (i * threadRows + j * (width + GAP)) * Float.BYTES), values[i][j]);
                    }
                }
            }
        }

        /// An operand whose rows lie across the depth.
        private final class Across implements Side {
            private final Elements elements;
            private final Reg tile;
            private final Reg base;
            private final Reg rowBytes;
            private final Reg[][] values;
            private final Reg step;
            private final Reg place;
            private final Reg isColumn;
            private final boolean gathers;
            private final int width;
            private final int threadSteps;

            Across(
                    String name,
                    int width,
                    Elements elements,
                    Reg base,
                    Reg rowBytes,
                    Reg firstColumn,
                    Reg end,
                    boolean gathers) {
                this.elements = elements;
                this.rowBytes = rowBytes;
                this.width = width;
                this.gathers = gathers;
                tile = Source.this.tile(name, width);
                int pieces = width / elements.count();
                threadSteps = threads() / pieces;
                step = k.reg(Type.U32, name + "_step");
                place = k.reg(Type.U32, name + "_place");
                this.base = k.reg(Type.U64, name + "_base");
                Reg column = k.reg(Type.U32, name + "_column");
                k.div(step, tid, pieces);
                k.and(column, tid, pieces - 1);
                k.mul(column, column, elements.count());
                k.mad(place, step, width + GAP, column);
                k.mad(place, place, Float.BYTES, tile);
                k.add(column, column, firstColumn);
                isColumn = k.compare(Compare.LT, column, end);
                k.madWide(this.base, column, elements.bytes(), base);
                values = new Reg[count(width, elements)][];
                Arrays.setAll(values, _ -> k.regs(Type.F32, name + "_next", elements.count()));
            }

            @Override
            public Reg tile() {
                return tile;
            }

            @Override
            public void fetch() {
                Reg n = k.reg(Type.U32, "n");
                k.add(n, step, next);
                for (Reg[] some : values) {
                    Reg isThere = k.compare(Compare.LT, n, depth);
                    k.op("and.pred", isThere, isThere, isColumn);
                    Source.this.fetch(some, elements, isThere, () -> {
                        Reg row = k.reg(Type.U32, "row");
                        k.add(row, n, what.isGradient() ? block.begin() : 0);
                        return Elements.row(k, "at", base, gathers ? a.token(k, row, topK) : row, rowBytes);
                    });
                    k.add(n, n, threadSteps);
                }
            }

            @Override
            public void keep() {
                for (int i = 0; i < values.length; i++) {
                    k.st(
                            SHARED,
                            place.at((long) i * threadSteps * (width + GAP) * Float.BYTES),
                            elements.count() == 1 ? values[i][0] : vec((Object[]) values[i]));
                }
            }
        }
    }
}
