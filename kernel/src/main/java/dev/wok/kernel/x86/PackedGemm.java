package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/// Products with [Packed] weights that have scales: turns the left operand into rows that [GroupTile]
/// reads, splits the results into blocks, spreads them over the workers.
///
/* Few rows: a task takes panels from end to end, so the weight is read once, in order. Many rows: a task takes a piece
 * of the common dimension at a time, so that a panel's piece stays in the first-level cache while the rows run past it.
 * An element of the result is one chain of sums, group after group, either way: its bits do not depend on the other rows.
 */
final class PackedGemm {
    private static final long FEW_ROWS_BYTES = 2 << 20;
    private static final int ROWS_MOST = 192;
    private static final int DEPTH_WITH_MASKS = 512;
    private static final int PIECE_BYTES = 16 << 10;
    private static final int TASKS_PER_WORKER = 16;
    private static final int LINE = 64;
    private static final int PAGE = 4096;

    private record Worker(MemorySegment call, MemorySegment table) {}

    private record Block(Problem problem, PackedPanels right, int row, int rows, int tile, int tiles) {}

    /// Rows of a left operand as they enter products.
    ///
    /// @param memory begins with the first
    /// @param stride bytes between rows
    /// @param data where in a row its elements begin
    /// @param bytes whether they are bytes
    record Left(MemorySegment memory, long stride, long data, boolean bytes) {
        Left from(int row) {
            return new Left(memory.asSlice(row * stride), stride, data, bytes);
        }
    }

    /// One independent product.
    ///
    /// @param w one matrix
    /// @param y `[rows, n]`
    record Problem(int rows, Left left, Packed w, Tensor y, boolean accumulate) {
        boolean few() {
            return rows <= Gemm.FEW_ROWS;
        }
    }

    private final Programs programs;
    private final Isa isa;
    private final Workers workers;
    private final int vectors;
    private final Worker[] own;
    private final Buffer entered;
    private final Buffer gathered;
    private final Buffer floats;

    PackedGemm(Programs programs) {
        this.programs = programs;
        isa = programs.isa();
        HostDevice device = programs.device();
        workers = device.workers();
        vectors = isa.hasMasks() ? 3 : 2;
        entered = new Buffer(device);
        gathered = new Buffer(device);
        floats = new Buffer(device);
        own = new Worker[workers.count()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Worker(device.scratch(GroupTile.Call.BYTES), device.scratch(Long.BYTES));
        }
    }

    /// Computes all problems; their results must not overlap.
    void run(List<Problem> problems) {
        List<Block> blocks = split(problems);
        workers.run(blocks.size(), (task, worker) -> {
            Block block = blocks.get(task);
            Packed w = block.problem.w;
            int perBlock = block.problem.few() ? w.groups() : Math.max(1, depth(w.element()) / w.group());
            for (int g = 0; g < w.groups(); g += perBlock) {
                compute(block, g, Math.min(perBlock, w.groups() - g), own[worker]);
            }
        });
        Reference.reachabilityFence(problems);
    }

    private List<Block> split(List<Problem> problems) {
        long area = 0;
        for (Problem p : problems) {
            area += (long) p.rows * p.w.panels();
        }
        List<Block> blocks = new ArrayList<>();
        for (Problem p : problems) {
            Span.address(p.y);
            if (p.w.k() == 0) {
                zero(p);
                continue;
            }
            PackedPanels right = PackedPanels.of(p.w, vectors * isa.lanes(), isa.lanes());
            boolean few = p.few();
            int step = few ? p.rows : Math.min(ROWS_MOST, p.rows);
            long perTile = (long) step * right.width() / Packed.ROWS;
            long share = area / ((long) TASKS_PER_WORKER * workers.count()) / perTile;
            long least = few ? Math.ceilDiv(Gemm.FEW_ROWS_LEAST_BYTES, right.valuesStride()) : 1;
            long most = few ? Math.max(least, FEW_ROWS_BYTES / right.valuesStride()) : right.tiles();
            int columns = (int) Math.min(right.tiles(), Math.clamp(share, least, most));
            for (int row = 0; row < p.rows; row += step) {
                for (int tile = 0; tile < right.tiles(); tile += columns) {
                    int rows = Math.min(step, p.rows - row);
                    blocks.add(new Block(p, right, row, rows, tile, Math.min(columns, right.tiles() - tile)));
                }
            }
        }
        return blocks;
    }

    private static void zero(Problem p) {
        for (int i = 0; i < p.rows && !p.accumulate; i++) {
            p.y.select(0, i).memory().asSlice(0, p.y.dim(1) * Float.BYTES).fill((byte) 0);
        }
    }

    /// Rows of a block times its tiles, over some groups of the common dimension.
    private void compute(Block block, int g, int groups, Worker worker) {
        Packed w = block.problem.w;
        PackedPanels right = block.right;
        Left left = block.problem.left;
        int perStep = w.element().perStep();
        int from = g * w.group();
        int depth = Math.min(groups * w.group(), padded(w.k()) - from);
        int lastSteps = (depth - (groups - 1) * w.group()) / perStep;
        boolean single = w.groups() == 1;
        boolean few = block.problem.few();
        int rows = tileRows(w.element(), left.bytes, single, few);
        GroupTile.Call call = new GroupTile.Call(worker.call);
        call.left(
                left.memory.address() + block.row * left.stride,
                left.stride,
                (long) g * GroupTile.HEAD_BYTES,
                left.data + (left.bytes ? from : (long) from * Float.BYTES));
        call.depth(groups, w.group() / perStep, lastSteps);
        int whole = Math.min(block.tiles, right.wholeTiles() - block.tile);
        Tensor y = block.problem.y;
        for (boolean last : new boolean[] {false, true}) {
            int tile = last ? block.tile + whole : block.tile;
            int tiles = last ? block.tiles - whole : whole;
            if (tiles > 0) {
                call.right(
                        right.values(tile, from / perStep),
                        right.valuesStride(),
                        right.scales(tile, g),
                        right.scalesStride());
                long column = (long) tile * right.width();
                call.result(y.memory().address() + (block.row * y.stride(0) + column) * Float.BYTES, Span.stride(y, 0));
                call.counts(block.rows / rows, tiles, right.lastLanes());
                boolean wide = right.width() > Packed.ROWS;
                GroupTile code = new GroupTile(
                        w.element(),
                        left.bytes,
                        rows,
                        last ? right.lastVectors() : vectors,
                        block.rows % rows,
                        last,
                        single,
                        block.problem.accumulate || g > 0,
                        wide ? right.panelBytes() : 0,
                        wide ? right.scaleBytes() : 0,
                        few);
                programs.get(code, code::write).call(call.address());
            }
        }
    }

    /// As many as there are registers for sums, totals and what a step needs.
    private int tileRows(Packed.Element element, boolean bytes, boolean single, boolean few) {
        if (isa.hasMasks()) {
            return single ? 8 : 4;
        }
        boolean halves = element == Packed.Element.INT4 && bytes;
        if (bytes && !few && !isa.hasByteDots()) {
            return halves ? 6 : 5;
        }
        return halves ? 2 : 3;
    }

    /// How much of the common dimension is taken at a time: so much that results are seldom added to, so little that a
    /// panel's piece and a tile's rows stay in the first-level cache.
    private int depth(Packed.Element element) {
        return isa.hasMasks() ? DEPTH_WITH_MASKS : PIECE_BYTES * Byte.SIZE / (Packed.ROWS * element.bits());
    }

    private static int padded(int k) {
        return (k + Packed.UNIT - 1) / Packed.UNIT * Packed.UNIT;
    }

    // ---------------------------------------------------------------------------------------------- left operands

    /// All rows of a matrix as they enter products with a weight, until the next call.
    Left enter(Tensor x, Packed w, Precision in) {
        boolean bytes = w.activations() == Activations.INT8;
        int m = x.size(0);
        long padded = padded(w.k());
        long data = bytes ? ((long) w.groups() * GroupTile.HEAD_BYTES + LINE - 1) / LINE * LINE : 0;
        long stride = data + (padded * (bytes ? 1 : Float.BYTES) + 2 * LINE - 1) / LINE * LINE;
        stride += stride % PAGE == 0 ? LINE : 0;
        MemorySegment memory = entered.of(m * stride);
        Left left = new Left(memory, stride, data, bytes);
        long source = Span.address(x);
        long sourceStride = Span.stride(x, 0);
        boolean rounds = in == Precision.BF16 && x.dtype() != DType.BF16;
        PackRows pack = new PackRows(new Cast(x.dtype(), Tile.Kind.F32, rounds && !bytes));
        boolean wholeFloats = x.dtype() == DType.F32 && w.k() == padded;
        long floatStride = (padded + LINE) * Float.BYTES;
        MemorySegment copies = floats.of(bytes && !wholeFloats ? workers.count() * floatStride : 0);
        workers.run(w.k() == 0 ? 0 : m, (i, worker) -> {
            long from = source + i * sourceStride;
            MemorySegment row = memory.asSlice(i * left.stride);
            if (bytes && wholeFloats) {
                quantize(w, from, row.address(), data);
            } else if (bytes) {
                MemorySegment copy = copies.asSlice(worker * floatStride, floatStride);
                copy(pack, from, copy, w.k(), own[worker]);
                quantize(w, copy.address(), row.address(), data);
            } else {
                copy(pack, from, row, w.k(), own[worker]);
            }
        });
        Reference.reachabilityFence(x);
        return left;
    }

    /// Rows of what was [#enter]ed in another order, one behind the other, until the next call.
    ///
    /// @param pick from the new row to the old one
    Left gather(Left left, int rows, IntUnaryOperator pick) {
        MemorySegment to = gathered.of(rows * left.stride);
        workers.run(
                rows,
                (i, _) -> MemorySegment.copy(
                        left.memory, pick.applyAsInt(i) * left.stride, to, i * left.stride, left.stride));
        return new Left(to, left.stride, left.data, left.bytes);
    }

    /// Copies a row as float32, zeros behind its end.
    private void copy(PackRows code, long from, MemorySegment to, int k, Worker worker) {
        long end = (long) padded(k) * Float.BYTES;
        long last = (long) Packed.UNIT * Float.BYTES;
        to.asSlice(end - last, last).fill((byte) 0);
        worker.table.set(ValueLayout.JAVA_LONG, 0, from);
        programs.get(code, code::write).call(worker.table.address(), to.address(), 0, 0, k, 1);
    }

    private void quantize(Packed w, long from, long row, long data) {
        int lastVectors = (padded(w.k()) - (w.groups() - 1) * w.group()) / isa.lanes();
        QuantizeRow code = new QuantizeRow(w.element().bits());
        programs.get(code, code::write).call(from, row + data, row, w.groups(), w.group() / isa.lanes(), lastVectors);
    }
}
