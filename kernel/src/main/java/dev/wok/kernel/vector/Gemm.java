package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;
import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.FloatVector;

/// Matrix products over tensors, in blocks that fit the caches, spread over the workers.
///
/* A task computes one block of the result: up to MAX_ROWS rows by up to MAX_COLUMNS columns, the whole common dimension.
 * For each DEPTH of the common dimension it packs the right operand's block (about 240 KiB, stays in the second-level
 * cache) and, ROWS rows at a time, copies the left one's. Each element of the result is one chain of sums over blocks of
 * DEPTH in order, whatever the block sizes and the number of threads, so its bits depend on the shapes alone.
 */
final class Gemm {
    private static final int DEPTH = 256;
    private static final int ROWS = 64;
    private static final int MAX_ROWS = 256;
    private static final int MAX_COLUMNS = 240 / Tiles.WIDTH * Tiles.WIDTH;
    private static final int TASKS_PER_WORKER = 4;

    /// Copies a block of the left operand. Row-major operands fill `a[i * depth + p]`, those that are stored
    /// transposed `a[p * ROWS + i]`.
    interface Left {
        void copy(int row, int rows, int from, int depth, float[] a);
    }

    /// Packs a block of the right operand in panels, as [Tiles] reads it, columns beyond `columns` as zeros.
    interface Right {
        void pack(int from, int depth, int column, int columns, float[] b);
    }

    /// Takes a finished block: element `(i, j)` lies at `c[i * ldc + j]`.
    interface Result {
        void store(float[] c, int ldc, int row, int rows, int column, int columns);
    }

    /// One independent product: an expert's, or the only one.
    ///
    /// @param transposed whether the left operand is stored with the common dimension outermost
    record Problem(int m, int n, int k, Left left, boolean transposed, Right right, Result result) {}

    private static final class Scratch {
        final float[] a = new float[ROWS * DEPTH];
        final float[] b = new float[DEPTH * MAX_COLUMNS];
        final float[] c = new float[MAX_ROWS * MAX_COLUMNS];
    }

    private record Block(Problem problem, int row, int rows, int column, int columns) {}

    private final Workers workers;
    private final Scratch[] scratch;

    Gemm(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.count()];
        Arrays.setAll(scratch, i -> new Scratch());
    }

    /// Computes all problems; their results must not overlap.
    ///
    /// @param precision of both operands
    void run(Precision precision, Problem... problems) {
        Block[] blocks = split(problems);
        workers.run(blocks.length, (task, worker) -> compute(precision, blocks[task], scratch[worker]));
    }

    private Block[] split(Problem... problems) {
        long area = 0;
        for (Problem p : problems) {
            area += (long) p.m * p.n;
        }
        long share = Math.max(1, area / ((long) TASKS_PER_WORKER * workers.count()));
        Block[] blocks = new Block[16];
        int count = 0;
        for (Problem p : problems) {
            if (p.m == 0 || p.n == 0) {
                continue;
            }
            int columns = evenly(p.n, MAX_COLUMNS, Tiles.WIDTH);
            int wanted = (int) Math.min(MAX_ROWS, Math.max(32, share / columns));
            int rows = evenly(p.m, wanted, Tiles.ROWS);
            for (int column = 0; column < p.n; column += columns) {
                for (int row = 0; row < p.m; row += rows) {
                    if (count == blocks.length) {
                        blocks = Arrays.copyOf(blocks, 2 * count);
                    }
                    blocks[count++] =
                            new Block(p, row, Math.min(rows, p.m - row), column, Math.min(columns, p.n - column));
                }
            }
        }
        return Arrays.copyOf(blocks, count);
    }

    /// A step that covers `total` in equal parts of at most `most`, rounded up to `unit`.
    private static int evenly(int total, int most, int unit) {
        int parts = (total + most - 1) / most;
        int step = (total + parts - 1) / parts;
        return Math.min((step + unit - 1) / unit * unit, Math.max(unit, most / unit * unit));
    }

    private static void compute(Precision precision, Block block, Scratch scratch) {
        Problem p = block.problem;
        int width = Tiles.padded(block.columns);
        for (int from = 0; from < p.k; from += DEPTH) {
            int depth = Math.min(DEPTH, p.k - from);
            p.right.pack(from, depth, block.column, block.columns, scratch.b);
            Rows.round(precision, scratch.b, 0, depth * width);
            for (int i = 0; i < block.rows; i += ROWS) {
                int rows = Math.min(ROWS, block.rows - i);
                p.left.copy(block.row + i, rows, from, depth, scratch.a);
                Rows.round(precision, scratch.a, 0, depth * (p.transposed ? ROWS : rows));
                Tiles.multiply(
                        scratch.a,
                        0,
                        p.transposed ? 1 : depth,
                        p.transposed ? ROWS : 1,
                        rows,
                        scratch.b,
                        0,
                        depth,
                        width,
                        scratch.c,
                        i * width,
                        width,
                        from > 0);
            }
        }
        if (p.k == 0) {
            Arrays.fill(scratch.c, 0, block.rows * width, 0);
        }
        p.result.store(scratch.c, width, block.row, block.rows, block.column, block.columns);
    }

    /// The rows of a matrix as left operand.
    static Left rows(Tensor x) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (row, rows, from, depth, a) -> {
            for (int i = 0; i < rows; i++) {
                copy(memory, (row + i) * stride + from, a, i * depth, depth);
            }
        };
    }

    /// Rows of a matrix, picked by index, as left operand.
    ///
    /// @param pick from the product's row to the matrix's
    static Left rows(Tensor x, IntUnaryOperator pick) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (row, rows, from, depth, a) -> {
            for (int i = 0; i < rows; i++) {
                copy(memory, pick.applyAsInt(row + i) * stride + from, a, i * depth, depth);
            }
        };
    }

    /// The columns of a matrix as left operand.
    static Left columns(Tensor x) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (row, rows, from, depth, a) -> {
            for (int p = 0; p < depth; p++) {
                copy(memory, (from + p) * stride + row, a, p * ROWS, rows);
            }
        };
    }

    /// The columns of a matrix, whose rows are picked by index and scaled, as left operand.
    static Left columns(Tensor x, IntUnaryOperator pick, IntToDoubleFunction factor) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (row, rows, from, depth, a) -> {
            for (int p = 0; p < depth; p++) {
                copy(memory, pick.applyAsInt(from + p) * stride + row, a, p * ROWS, rows);
                float scale = (float) factor.applyAsDouble(from + p);
                for (int i = 0; i < rows; i++) {
                    a[p * ROWS + i] *= scale;
                }
            }
        };
    }

    private static void copy(MemorySegment memory, long element, float[] to, int at, int count) {
        Copies.floats(memory, element * Float.BYTES, to, at, count);
    }

    /// A matrix `[k, n]` as right operand.
    static Right plain(Tensor x) {
        return plain(x, p -> p);
    }

    /// A matrix `[k, n]`, its rows picked by index, as right operand.
    static Right plain(Tensor x, IntUnaryOperator pick) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (from, depth, column, columns, b) -> {
            for (int p = 0; p < depth; p++) {
                packRow(memory, pick.applyAsInt(from + p) * stride + column, columns, b, p, depth);
            }
        };
    }

    /// Row `p` of the panels of one block.
    private static void packRow(MemorySegment memory, long element, int columns, float[] b, int p, int depth) {
        int width = Tiles.padded(columns);
        for (int j = 0; j < width; j += Tiles.WIDTH) {
            int panel = Math.min(Tiles.WIDTH, width - j);
            int at = j * depth + p * panel;
            for (int i = 0; i < panel; i += Lanes.COUNT) {
                FloatVector value = j + i + Lanes.COUNT <= columns
                        ? Lanes.load(memory, element + j + i)
                        : Lanes.load(memory, element + j + i, Lanes.tail(j + i, columns));
                value.intoArray(b, at + i);
            }
        }
    }

    /// A matrix `[n, k]`, to be transposed, as right operand.
    static Right transposed(Tensor x) {
        MemorySegment memory = x.memory();
        long stride = x.stride(0);
        return (from, depth, column, columns, b) -> {
            int width = Tiles.padded(columns);
            float[] row = new float[depth];
            for (int j = 0; j < width; j += Tiles.WIDTH) {
                int panel = Math.min(Tiles.WIDTH, width - j);
                for (int i = 0; i < panel; i++) {
                    if (j + i < columns) {
                        copy(memory, (column + j + i) * stride + from, row, 0, depth);
                    } else {
                        Arrays.fill(row, 0);
                    }
                    spread(row, depth, b, j * depth + i, panel);
                }
            }
        };
    }

    private static void spread(float[] row, int depth, float[] b, int at, int step) {
        for (int p = 0; p < depth; p++) {
            b[at + p * step] = row[p];
        }
    }

    /// Writes a block to a matrix, or adds it.
    static Result into(Tensor c, boolean accumulate) {
        MemorySegment memory = c.memory();
        long stride = c.stride(0);
        return (tile, ldc, row, rows, column, columns) -> {
            for (int i = 0; i < rows; i++) {
                put(tile, i * ldc, memory, (row + i) * stride + column, columns, accumulate);
            }
        };
    }

    private static void put(float[] tile, int at, MemorySegment memory, long element, int columns, boolean accumulate) {
        int whole = columns / Lanes.COUNT * Lanes.COUNT;
        for (int j = 0; j < whole; j += Lanes.COUNT) {
            FloatVector value = FloatVector.fromArray(Lanes.FLOATS, tile, at + j);
            Lanes.store(accumulate ? value.add(Lanes.load(memory, element + j)) : value, memory, element + j);
        }
        for (int j = whole; j < columns; j++) {
            float old = accumulate ? memory.getAtIndex(ValueLayout.JAVA_FLOAT, element + j) : 0;
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, element + j, old + tile[at + j]);
        }
    }
}
