package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Quantized;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/// Products with [Quantized] weights: turns the left operand into rows that [GroupTile] reads, splits the result into
/// blocks, spreads them over the workers.
///
/* Few rows: a task takes panels from end to end, so the weight is read once, in order. Many rows: a task takes a piece
 * of the common dimension at a time, so that a panel's piece stays in the first-level cache while the rows run past it.
 * Which of the two depends on the shape alone, as does the order of an element's sums.
 */
final class QuantizedGemm {
    private static final int FEW_ROWS = 8;
    private static final long FEW_ROWS_BYTES = 2 << 20;
    private static final int ROWS_MOST = 192;
    private static final int DEPTH = 512;
    private static final int TASKS_PER_WORKER = 16;
    private static final int LINE = 64;
    private static final int PAGE = 4096;

    private record Worker(MemorySegment call, MemorySegment table) {}

    private record Block(int row, int rows, int panel, int panels) {}

    /// The left operand's rows.
    ///
    /// @param stride bytes between rows
    /// @param data where in a row its elements begin
    /// @param bytes whether they are bytes
    private record Left(MemorySegment memory, long stride, long data, boolean bytes) {}

    private final Programs programs;
    private final Isa isa;
    private final Workers workers;
    private final int vectors;
    private final Worker[] own;
    private final Map<Quantized, QuantizedPanels> forms = new WeakHashMap<>();
    private MemorySegment leftMemory = MemorySegment.NULL;
    private MemorySegment floats = MemorySegment.NULL;

    QuantizedGemm(Programs programs) {
        this.programs = programs;
        isa = programs.isa();
        HostDevice device = programs.device();
        workers = device.workers();
        vectors = isa.hasMasks() ? 3 : 2;
        own = new Worker[workers.count()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Worker(device.scratch(GroupTile.Call.BYTES), device.scratch(Long.BYTES));
        }
    }

    private synchronized QuantizedPanels form(Quantized w) {
        return forms.computeIfAbsent(w, _ -> QuantizedPanels.of(w, programs.device(), vectors, isa.lanes()));
    }

    void multiply(Tensor x, Quantized w, Activations activations, Precision in, Tensor y, boolean accumulate) {
        int m = y.size(0);
        Span.address(y);
        if (w.k() == 0) {
            for (int i = 0; i < m && !accumulate; i++) {
                y.select(0, i).memory().asSlice(0, y.dim(1) * Float.BYTES).fill((byte) 0);
            }
            return;
        }
        QuantizedPanels right = form(w);
        Left left = enter(x, w, activations == Activations.INT8, in);
        List<Block> blocks = split(m, right);
        workers.run(blocks.size(), (task, worker) -> {
            Block block = blocks.get(task);
            int perBlock = m <= FEW_ROWS ? w.groups() : Math.max(1, DEPTH / w.group());
            for (int g = 0; g < w.groups(); g += perBlock) {
                int groups = Math.min(perBlock, w.groups() - g);
                compute(block, left, w, right, g, groups, y, accumulate || g > 0, own[worker]);
            }
        });
        Reference.reachabilityFence(right);
    }

    private List<Block> split(int m, QuantizedPanels right) {
        boolean few = m <= FEW_ROWS;
        int step = few ? m : Math.min(ROWS_MOST, m);
        long share = Math.max(1, (long) m * right.panels() / ((long) TASKS_PER_WORKER * workers.count()));
        long most = few ? Math.max(1, FEW_ROWS_BYTES / right.valuesStride()) : right.panels();
        int columns = (int) Math.clamp(share / step, 1, Math.min(most, right.panels()));
        List<Block> blocks = new ArrayList<>();
        for (int row = 0; row < m; row += step) {
            for (int panel = 0; panel < right.panels(); panel += columns) {
                blocks.add(new Block(row, Math.min(step, m - row), panel, Math.min(columns, right.panels() - panel)));
            }
        }
        return blocks;
    }

    /// Rows of a block times its panels, over some groups of the common dimension.
    private void compute(
            Block block,
            Left left,
            Quantized w,
            QuantizedPanels right,
            int g,
            int groups,
            Tensor y,
            boolean accumulate,
            Worker worker) {
        int perStep = QuantizedPanels.perStep(w.bits());
        int from = g * w.group();
        int depth = Math.min(groups * w.group(), QuantizedPanels.padded(w.k()) - from);
        int lastSteps = (depth - (groups - 1) * w.group()) / perStep;
        boolean single = groups == 1;
        int rows = tileRows(w.bits(), left.bytes, single);
        GroupTile.Call call = new GroupTile.Call(worker.call);
        call.left(
                left.memory.address() + block.row * left.stride,
                left.stride,
                (long) g * GroupTile.HEAD_BYTES,
                left.data + (left.bytes ? from : (long) from * Float.BYTES));
        call.depth(groups, w.group() / perStep, lastSteps);
        int whole = Math.min(block.panels, right.wholePanels() - block.panel);
        for (boolean last : new boolean[] {false, true}) {
            int panel = last ? block.panel + whole : block.panel;
            int panels = last ? block.panels - whole : whole;
            if (panels > 0) {
                call.right(
                        right.values(panel, from / perStep),
                        right.valuesStride(),
                        right.scales(panel, g),
                        right.scalesStride());
                long column = (long) panel * right.width();
                call.result(y.memory().address() + (block.row * y.stride(0) + column) * Float.BYTES, Span.stride(y, 0));
                call.counts(
                        block.rows / rows, panels, right.n() % right.width() - (right.lastVectors() - 1) * isa.lanes());
                GroupTile tile = new GroupTile(
                        w.bits(),
                        left.bytes,
                        rows,
                        last ? right.lastVectors() : vectors,
                        block.rows % rows,
                        last,
                        single,
                        accumulate);
                programs.get(tile, tile::write).call(call.address());
            }
        }
    }

    /// As many as there are registers for sums, totals and what a step needs.
    private int tileRows(int bits, boolean bytes, boolean single) {
        if (isa.hasMasks()) {
            return single ? 8 : 4;
        }
        return bits == 4 && bytes ? 2 : 3;
    }

    // ---------------------------------------------------------------------------------------------- left operands

    private Left enter(Tensor x, Quantized w, boolean bytes, Precision in) {
        int m = x.size(0);
        long padded = QuantizedPanels.padded(w.k());
        long data = bytes ? ((long) w.groups() * GroupTile.HEAD_BYTES + LINE - 1) / LINE * LINE : 0;
        long stride = data + (padded * (bytes ? 1 : Float.BYTES) + 2 * LINE - 1) / LINE * LINE;
        stride += stride % PAGE == 0 ? LINE : 0;
        leftMemory = atLeast(leftMemory, m * stride);
        Left left = new Left(leftMemory, stride, data, bytes);
        long source = Span.address(x);
        long sourceStride = Span.stride(x, 0);
        boolean rounds = in == Precision.BF16 && x.dtype() != DType.BF16;
        PackRows pack = new PackRows(new Cast(x.dtype(), Tile.Kind.F32, rounds && !bytes));
        boolean wholeFloats = x.dtype() == DType.F32 && w.k() == padded;
        long floatStride = (padded + LINE) * Float.BYTES;
        if (bytes && !wholeFloats) {
            floats = atLeast(floats, workers.count() * floatStride);
        }
        workers.run(m, (i, worker) -> {
            long from = source + i * sourceStride;
            MemorySegment row = leftMemory.asSlice(i * left.stride);
            if (bytes && wholeFloats) {
                quantize(w, from, row.address(), data);
            } else if (bytes) {
                MemorySegment copy = floats.asSlice(worker * floatStride, floatStride);
                copy(pack, from, copy, w.k(), own[worker]);
                quantize(w, copy.address(), row.address(), data);
            } else {
                copy(pack, from, row, w.k(), own[worker]);
            }
        });
        Reference.reachabilityFence(x);
        return left;
    }

    /// Copies a row as float32, zeros behind its end.
    private void copy(PackRows code, long from, MemorySegment to, int k, Worker worker) {
        long end = (long) QuantizedPanels.padded(k) * Float.BYTES;
        long last = (long) QuantizedPanels.UNIT * Float.BYTES;
        to.asSlice(end - last, last).fill((byte) 0);
        worker.table.set(ValueLayout.JAVA_LONG, 0, from);
        programs.get(code, code::write).call(worker.table.address(), to.address(), 0, 0, k, 1);
    }

    private void quantize(Quantized w, long from, long row, long data) {
        int lastVectors = (QuantizedPanels.padded(w.k()) - (w.groups() - 1) * w.group()) / isa.lanes();
        QuantizeRow code = new QuantizeRow(w.bits());
        programs.get(code, code::write).call(from, row + data, row, w.groups(), w.group() / isa.lanes(), lastVectors);
    }

    private MemorySegment atLeast(MemorySegment memory, long bytes) {
        return memory.byteSize() >= bytes ? memory : programs.device().scratch(Math.max(bytes, 2 * memory.byteSize()));
    }
}
