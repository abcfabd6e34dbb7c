package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntToDoubleFunction;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/// Matrix products over tensors: packs, splits the result into blocks, spreads them over the workers.
///
/* A task computes a block of rows and columns of one result. For each DEPTH groups of the common dimension it packs its
 * rows of the left operand (they stay in the second-level cache) and runs them through all its panels. Each element of
 * the result is one chain of sums over the common dimension in order, block after block, whatever the split, so its bits
 * depend on the shapes alone. Few rows go along each panel of a packed weight from end to end instead, so that memory is
 * read in order.
 */
final class Gemm {
    /// Elements of the common dimension that are packed at once, at most.
    static final int DEPTH_MOST = Panels.DEPTH * 4;

    /// Tiles of a block below each other, at least, where columns are packed: splitting a product's
    /// columns instead would have its rows packed again.
    private static final int LEAST_TILES = 4;

    private static final int PANELS_PER_TASK = 4;

    /// Up to so many rows a product is about as fast as its weight is read.
    static final int FEW_ROWS = 8;

    /// Reading this takes some microseconds, several times what handing out a task does.
    static final long FEW_ROWS_LEAST_BYTES = 32 << 10;

    /// Packs a block of the left operand.
    interface Left {
        Tile.Layout layout();

        /// @param row the first of `rows`
        /// @param from the first of `depth` elements of the common dimension
        /// @param stride bytes between rows, or between tiles in panels
        /// @param tileRows rows of a tile
        void pack(int row, int rows, int from, int depth, long stride, int tileRows, Scratch scratch);

        /// The tensors that must stay alive meanwhile.
        Object owner();
    }

    /// What is done with finished rows while they are in the cache.
    interface Finish {
        void of(int row, int rows);
    }

    /// One independent product: an expert's, or the only one.
    ///
    /// @param c `[m, n]`
    /// @param finish called for whole rows of `c`, which are then not split by columns
    record Problem(
            int m,
            Left left,
            Panels right,
            Tensor c,
            boolean accumulate,
            @Nullable Finish finish) {}

    /// A worker's own memory.
    static final class Scratch {
        final MemorySegment left;
        final MemorySegment table;
        final Tile.Call call;

        Scratch(HostDevice device) {
            left = device.scratch((long) (Tiling.BLOCK_ROWS_MOST + 16) * (Panels.DEPTH * Integer.BYTES + 128));
            table = device.scratch(TABLE_BYTES);
            call = new Tile.Call(device.scratch(Tile.Call.BYTES));
        }

        private static final long TABLE_BYTES = 16L * DEPTH_MOST;

        void row(int index, long address) {
            table.setAtIndex(ValueLayout.JAVA_LONG, index, address);
        }

        void factor(int index, float factor) {
            table.set(ValueLayout.JAVA_FLOAT, PackPanels.FACTORS + index * 8L, factor);
        }
    }

    private record Block(Problem problem, Tiling tiling, int row, int rows, int panel, int panels, boolean last) {}

    private final Programs programs;
    private final Workers workers;
    private final Isa isa;
    private final Tilings tilings;
    private final Scratch[] scratch;
    private final Buffer temporary;

    /// @param tilings how products are cut
    Gemm(Programs programs, Tilings tilings) {
        this.programs = programs;
        temporary = new Buffer(programs.device());
        this.tilings = tilings;
        workers = programs.device().workers();
        isa = programs.isa();
        scratch = new Scratch[workers.count()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch(programs.device());
        }
    }

    /// @return how operands are multiplied in a precision: as bf16 where the processor does, else as float32
    Tile.Kind kind(Precision in) {
        return in == Precision.BF16 && isa.hasBf16() ? Tile.Kind.BF16 : Tile.Kind.F32;
    }

    private Cast cast(Tensor x, Tile.Kind kind, Precision in) {
        return Cast.of(x.dtype(), kind, in);
    }

    Programs programs() {
        return programs;
    }

    /// @return memory for right operands that are packed for one call
    MemorySegment temporary(long bytes) {
        return temporary.of(bytes);
    }

    // ---------------------------------------------------------------------------------------------- products

    /// Computes all problems; their results must not overlap.
    void run(List<Problem> problems) {
        run(problems, p -> tilings.of(p.right.kind().ofLeft(), p.m).wide(p.right.vectors(), isa));
    }

    /// @param choice of a tiling; its tiles must be as wide as the problem's panels
    void run(List<Problem> problems, Function<Problem, Tiling> choice) {
        List<Block> blocks = split(problems, choice);
        workers.run(blocks.size(), (task, worker) -> compute(blocks.get(task), scratch[worker]));
        problems.forEach(p -> {
            Reference.reachabilityFence(p.left.owner());
            Reference.reachabilityFence(p.right);
            Reference.reachabilityFence(p.c);
        });
    }

    private List<Block> split(List<Problem> problems, Function<Problem, Tiling> choice) {
        long area = 0;
        for (Problem p : problems) {
            area += (long) p.m * p.right.n();
        }
        List<Block> blocks = new ArrayList<>();
        for (Problem p : problems) {
            if (p.m == 0 || p.right.n() == 0) {
                continue;
            }
            Span.address(p.c);
            int panels = p.right.wholePanels() + (p.right.lastVectors() > 0 ? 1 : 0);
            Tiling tiling = choice.apply(p);
            long share = Math.max(1, area / ((long) tiling.tasksPerWorker() * workers.count()));
            int most = tiling.blockRows();
            if (p.left.layout() == Tile.Layout.PANELS) {
                most = (int) Math.clamp(share / p.right.n(), Math.min(most, LEAST_TILES * tiling.rows()), most);
            }
            int step = evenly(p.m, most, tiling.rows());
            long perPanel = (long) Math.min(step, p.m) * p.right.width();
            long least = p.m > FEW_ROWS ? 0 : FEW_ROWS_LEAST_BYTES / Math.max(1, p.right.panelSize());
            int wanted = (int) Math.min(panels, Math.max(Math.max(1, least), share / perPanel));
            int columns = p.finish != null ? panels : evenly(panels, wanted, 1);
            for (int row = 0; row < p.m; row += step) {
                for (int panel = 0; panel < panels; panel += columns) {
                    int end = Math.min(panels, panel + columns);
                    boolean last = end == panels && p.right.lastVectors() > 0;
                    blocks.add(new Block(
                            p, tiling, row, Math.min(step, p.m - row), panel, end - panel - (last ? 1 : 0), last));
                }
            }
        }
        return blocks;
    }

    /// A step that covers `total` in equal parts of at most `most`, rounded up to `unit`.
    private static int evenly(int total, int most, int unit) {
        int parts = (total + most - 1) / most;
        int step = (total + parts - 1) / parts;
        return Math.min((step + unit - 1) / unit * unit, Math.max(unit, most / unit * unit));
    }

    private void compute(Block block, Scratch s) {
        Problem p = block.problem;
        Panels right = p.right;
        int rows = block.tiling.rows();
        int column = block.panel * right.width();
        long c = p.c.memory().address() + (block.row * p.c.stride(0) + column) * Float.BYTES;
        s.call.result(c, Span.stride(p.c, 0));
        int lastColumns = right.n() % right.width();
        int lastVectors = block.last ? right.lastVectors() : 0;
        s.call.counts(block.rows / rows, block.panels, lastColumns - (lastVectors - 1) * right.lanes());
        boolean along = p.m <= FEW_ROWS
                && right.packedBytes() > 0
                && block.rows * rowStride(right.kind(), right.k()) <= s.left.byteSize();
        for (int b = 0; b < (along ? Math.min(1, right.blocks()) : right.blocks()); b++) {
            int groups = right.groups(b);
            int depth = along ? right.k() : right.depth(b);
            long stride = p.left.layout() == Tile.Layout.ROWS
                    ? rowStride(right.kind(), depth)
                    : (long) groups * rows * Integer.BYTES;
            p.left.pack(block.row, block.rows, right.from(b), depth, stride, rows, s);
            if (right.kind() == Tile.Kind.WIDENED && depth % 2 == 1) {
                for (int i = 0; i < block.rows; i++) {
                    s.left.set(ValueLayout.JAVA_FLOAT, i * stride + depth * (long) Float.BYTES, 0);
                }
            }
            s.call.left(s.left.address(), stride, groups);
            s.call.blocks(right.blocks(), right.groups(right.blocks() - 1));
            s.call.right(right.panel(b, block.panel), right.stride(b));
            Tile tile = new Tile(
                    right.kind(),
                    rows,
                    right.vectors(),
                    p.left.layout(),
                    block.rows % rows,
                    lastVectors,
                    p.accumulate || b > 0,
                    right.packedBytes(),
                    along);
            programs.get(tile, tile::write).call(s.call.address());
        }
        if (right.k() == 0 && !p.accumulate) {
            for (int row = block.row; row < block.row + block.rows; row++) {
                p.c.select(0, row)
                        .memory()
                        .asSlice(0, (long) right.n() * Float.BYTES)
                        .fill((byte) 0);
            }
        }
        if (p.finish != null) {
            p.finish.of(block.row, block.rows);
        }
    }

    /// @return bytes between packed rows
    private static long rowStride(Tile.Kind kind, int depth) {
        return ((long) kind.groups(depth) * kind.leftBytes() + 127) / 64 * 64;
    }

    // ---------------------------------------------------------------------------------------------- left operands

    /// The rows of a matrix as left operand.
    ///
    /// @param pick from the product's row to the matrix's
    Left rows(Tensor x, IntUnaryOperator pick, Precision in) {
        Tile.Kind kind = kind(in);
        PackRows code = new PackRows(cast(x, kind, in));
        long address = Span.address(x);
        long rowStride = Span.stride(x, 0);
        return new Left() {
            @Override
            public Tile.Layout layout() {
                return Tile.Layout.ROWS;
            }

            @Override
            public void pack(int row, int count, int from, int depth, long stride, int tileRows, Scratch s) {
                for (int i = 0; i < count; i++) {
                    s.row(i, address + pick.applyAsInt(row + i) * rowStride);
                }
                programs.get(code, code::write)
                        .call(
                                s.table.address(),
                                s.left.address(),
                                stride,
                                (long) from * x.dtype().bytes(),
                                depth,
                                count);
            }

            @Override
            public Object owner() {
                return x;
            }
        };
    }

    /// The columns of a matrix, its rows picked by index and scaled, as left operand.
    ///
    /// @param factor null for none
    Left columns(Tensor x, IntUnaryOperator pick, @Nullable IntToDoubleFunction factor, Precision in) {
        Tile.Kind kind = kind(in);
        Cast cast = cast(x, kind, in);
        long address = Span.address(x);
        long rowStride = Span.stride(x, 0);
        return new Left() {
            @Override
            public Tile.Layout layout() {
                return Tile.Layout.PANELS;
            }

            @Override
            public void pack(int row, int count, int from, int depth, long stride, int tileRows, Scratch s) {
                for (int p = 0; p < depth; p++) {
                    s.row(p, address + pick.applyAsInt(from + p) * rowStride);
                    if (factor != null) {
                        s.factor(p, (float) factor.applyAsDouble(from + p));
                    }
                }
                PackPanels code = new PackPanels(factor == null ? cast : scaled(cast, in), tileRows, factor != null);
                programs.get(code, code::write)
                        .call(
                                s.table.address(),
                                s.left.address(),
                                (long) row * x.dtype().bytes(),
                                count,
                                depth,
                                stride);
            }

            @Override
            public Object owner() {
                return x;
            }
        };
    }

    /// A scaled bf16 value is no bf16 value any more.
    private static Cast scaled(Cast cast, Precision in) {
        return new Cast(cast.from(), cast.kind(), in == Precision.BF16 && cast.kind() == Tile.Kind.F32);
    }

    // ---------------------------------------------------------------------------------------------- right operands

    /// @param memory begins with the panels
    /// @return panels of a shape, not yet filled
    Panels panels(MemorySegment memory, int n, int k, Precision in) {
        Tile.Kind kind = kind(in);
        return new Panels(memory.asSlice(0, panelBytes(n, k, in)), kind, n, k, tilings.vectors(kind), isa.lanes(), 0);
    }

    /// @param w one matrix of floats
    /// @return it as it lies
    Panels panels(Packed w, Precision in) {
        Tile.Kind kind = w.element() == Packed.Element.F32
                ? Tile.Kind.F32
                : kind(in) == Tile.Kind.BF16 ? Tile.Kind.BF16 : Tile.Kind.WIDENED;
        int perPanel = Packed.ROWS / isa.lanes();
        return Panels.of(w, kind, isa.hasMasks() ? tilings.vectors(kind.ofLeft()) : perPanel, isa.lanes());
    }

    long panelBytes(int n, int k, Precision in) {
        return Panels.bytes(kind(in), n, k, isa.lanes());
    }

    /// A right operand to be packed.
    ///
    /// @param x `[n, k]` where `transposed`, else `[k, n]`
    /// @param pick from the common dimension's index to the matrix's row, where not transposed
    record Right(Tensor x, boolean transposed, IntUnaryOperator pick, Panels to) {}

    /// Packs right operands, together on all workers.
    void pack(List<Right> operands, Precision in) {
        record Piece(Right right, int block, int panel, int panels) {}
        List<Piece> pieces = new ArrayList<>();
        for (Right right : operands) {
            Span.address(right.x);
            int all = Math.ceilDiv(right.to.n(), right.to.width());
            for (int b = 0; b < right.to.blocks(); b++) {
                for (int panel = 0; panel < all; panel += PANELS_PER_TASK) {
                    pieces.add(new Piece(right, b, panel, Math.min(PANELS_PER_TASK, all - panel)));
                }
            }
        }
        workers.run(pieces.size(), (task, worker) -> {
            Piece piece = pieces.get(task);
            Right right = piece.right;
            if (right.transposed) {
                for (int panel = piece.panel; panel < piece.panel + piece.panels; panel++) {
                    packTransposed(right, piece.block, panel, in, scratch[worker]);
                }
            } else {
                point(right, piece.block, scratch[worker]);
                int whole = Math.min(piece.panels, right.to.wholePanels() - piece.panel);
                if (whole > 0) {
                    packColumns(right, piece.block, piece.panel, whole, in, scratch[worker]);
                }
                if (whole < piece.panels) {
                    packColumns(right, piece.block, piece.panel + whole, 0, in, scratch[worker]);
                }
            }
        });
        Reference.reachabilityFence(operands);
    }

    private void packTransposed(Right right, int block, int panel, Precision in, Scratch s) {
        Panels to = right.to;
        Tensor x = right.x;
        long address = x.memory().address();
        long rowStride = Span.stride(x, 0);
        long from = (long) to.from(block) * x.dtype().bytes();
        PackTransposed code = new PackTransposed(cast(x, to.kind(), in));
        Program program = programs.get(code, code::write);
        for (int vector = 0; vector * isa.bytes() < to.groupStride(panel); vector++) {
            int column = panel * to.width() + vector * isa.lanes();
            for (int i = 0; i < isa.lanes(); i++) {
                s.row(i, column + i < to.n() ? address + (column + i) * rowStride : 0);
            }
            program.call(
                    s.table.address(),
                    to.panel(block, panel) + (long) vector * isa.bytes(),
                    from,
                    to.depth(block),
                    to.groupStride(panel));
        }
    }

    /// Fills the table with a block's rows.
    private static void point(Right right, int block, Scratch s) {
        int from = right.to.from(block);
        long address = right.x.memory().address();
        long rowStride = Span.stride(right.x, 0);
        for (int p = 0; p < right.to.depth(block); p++) {
            s.row(p, address + right.pick.applyAsInt(from + p) * rowStride);
        }
    }

    /// @param whole how many whole panels, 0 for the last, narrower one
    private void packColumns(Right right, int block, int panel, int whole, Precision in, Scratch s) {
        Panels to = right.to;
        int column = panel * to.width();
        int last = to.groupStride(panel) / isa.bytes() - 1;
        PackColumns code = new PackColumns(cast(right.x, to.kind(), in), last, whole > 0);
        programs.get(code, code::write)
                .call(
                        s.table.address(),
                        to.panel(block, panel),
                        (long) column * right.x.dtype().bytes(),
                        whole > 0 ? whole : Math.min(isa.lanes(), to.n() - column - last * isa.lanes()),
                        to.depth(block),
                        whole > 0 ? to.stride(block) : to.groupStride(panel));
    }
}
