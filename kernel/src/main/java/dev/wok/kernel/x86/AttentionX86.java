package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Attention;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/* Forward, all keys and values are packed first; then a task is a block of queries of one head, which meets the blocks of
 * keys that it sees in their order. Blocks count from their segment's first token, so a document's numbers are the same
 * wherever it lies.
 */
final class AttentionX86 extends Attention {
    private static final int QUERIES = 96;
    private static final int KEYS = 192;

    private final Precision precision;
    private final Programs programs;
    private final Isa isa;
    private final Tile.Kind kind;
    private final Workers workers;
    private final Arguments arguments;
    private final Buffer packed;
    private final Worker[] worker;
    private final AttentionGradient gradient;

    AttentionX86(Gemm gemm, Precision precision) {
        this.precision = precision;
        programs = gemm.programs();
        isa = programs.isa();
        kind = gemm.kind(precision);
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        packed = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(i, programs.device());
        }
        gradient = new AttentionGradient(gemm, precision);
    }

    private static void requireFloats(Tensor... tensors) {
        for (Tensor tensor : tensors) {
            Shape.require("Attention on the x86 backend", tensor, "an operand", DType.F32);
            Span.address(tensor);
        }
    }

    /// Keys and values of one block.
    ///
    /// @param at where they are packed, behind the start of their head's
    /// @param finite for each head whether its values are
    private record KeyBlock(Segment segment, int from, int count, long at, boolean[] finite) {}

    private record Task(Segment segment, int query, int head) {}

    private record Call(Tensor q, Tensor k, Tensor v, float scale, Tensor out, Tensor lse) {
        int share() {
            return q.size(1) / k.size(1);
        }
    }

    @Override
    protected void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        requireFloats(q, k, v, out, lse);
        Call call = new Call(q, k, v, (float) scale, out, lse);
        List<Segment> segments = Segment.of(keyStart.toInts());
        Blocks sizes = worker[0].blocks;
        List<KeyBlock> keys = new ArrayList<>();
        List<Task> tasks = new ArrayList<>();
        int[] firstBlock = new int[q.size(0)];
        long perHead = 0;
        for (Segment s : segments) {
            firstBlock[s.from()] = keys.size();
            for (int from = 0; from < s.length(); from += KEYS) {
                int count = Math.min(KEYS, s.length() - from);
                keys.add(new KeyBlock(s, from, count, perHead, new boolean[k.size(1)]));
                perHead += sizes.rightBytes(count, q.size(2)) + sizes.rightBytes(v.size(2), count);
            }
        }
        for (int h = 0; h < q.size(1); h++) {
            for (Segment s : segments) {
                for (int query = (s.length() - 1) / QUERIES * QUERIES; query >= 0; query -= QUERIES) {
                    tasks.add(new Task(s, query, h));
                }
            }
        }
        long bytes = perHead;
        MemorySegment memory = packed.of(Math.multiplyExact(bytes, k.size(1)));
        workers.run(keys.size() * k.size(1), (task, w) -> {
            int head = task / keys.size();
            pack(call, keys.get(task % keys.size()), head, memory.address() + head * bytes, worker[w]);
        });
        workers.run(tasks.size(), (number, w) -> {
            Task task = tasks.get(number);
            int first = firstBlock[task.segment.from()];
            int count = (task.segment.length() + KEYS - 1) / KEYS;
            long at = memory.address() + task.head / call.share() * bytes;
            attend(call, task, keys.subList(first, first + count), at, worker[w]);
        });
        Reference.reachabilityFence(call);
    }

    private static Tensor rows(Tensor x, int head, Segment segment, int from, int count) {
        int start = segment.from() + from;
        return x.select(1, head).slice(0, start, start + count);
    }

    private static void pack(Call call, KeyBlock block, int head, long memory, Worker w) {
        long at = memory + block.at;
        Tensor keys = rows(call.k, head, block.segment, block.from, block.count);
        w.blocks.transposed(keys, at);
        Tensor values = rows(call.v, head, block.segment, block.from, block.count);
        block.finite[head] = w.blocks.finite(values);
        w.blocks.right(values, at + w.blocks.rightBytes(block.count, call.k.size(2)));
    }

    /// A worker's own memory.
    private final class Worker {
        final int number;
        final Blocks blocks;
        final Buffer queries;
        final Buffer scores;
        final Buffer weights;
        final Buffer sums;
        final MemorySegment ranges;
        final MemorySegment largest;
        final MemorySegment totals;

        Worker(int number, HostDevice device) {
            this.number = number;
            blocks = new Blocks(programs, kind, precision);
            queries = new Buffer(device);
            scores = new Buffer(device);
            weights = new Buffer(device);
            sums = new Buffer(device);
            ranges = device.scratch((long) QUERIES * Long.BYTES);
            largest = device.scratch((long) QUERIES * Float.BYTES);
            totals = device.scratch((long) QUERIES * isa.bytes());
        }
    }

    private void attend(Call call, Task task, List<KeyBlock> keys, long packed, Worker w) {
        Segment segment = task.segment;
        Blocks blocks = w.blocks;
        int qkDim = call.q.size(2);
        int vDim = call.v.size(2);
        int rows = Math.min(QUERIES, segment.length() - task.query);
        Tensor queries = rows(call.q, task.head, segment, task.query, rows);
        Blocks.Left left = blocks.left(queries, w.queries.at(rows * blocks.rowStride(qkDim) + 64));
        long scoresStride = blocks.resultStride(KEYS);
        long scores = w.scores.at(QUERIES * scoresStride);
        long weightsStride = blocks.rowStride(KEYS);
        Blocks.Left weights =
                new Blocks.Left(Tile.Layout.ROWS, 0, w.weights.at(QUERIES * weightsStride), weightsStride);
        long sumsStride = blocks.resultStride(vDim);
        long sums = w.sums.at(QUERIES * sumsStride);
        for (int i = 0; i < rows; i++) {
            w.largest.setAtIndex(ValueLayout.JAVA_FLOAT, i, RowSoftmax.LOWEST);
        }
        w.totals.fill((byte) 0);
        int first = segment.firstKey(task.query) / KEYS;
        for (int b = first; b * KEYS < task.query + rows; b++) {
            KeyBlock block = keys.get(b);
            int count = Math.min(block.count, task.query + rows - block.from);
            int columns = Math.min(blocks.wholePanels(count), blocks.padded(block.count));
            long keysAt = packed + block.at;
            Blocks.Right right = new Blocks.Right(keysAt, blocks.rightStride(qkDim));
            blocks.multiply(left, rows, qkDim, right, columns, scores, scoresStride, false);
            boolean masked = ranges(segment, task.query, rows, block.from, columns, w.ranges);
            RowSoftmax code = new RowSoftmax(kind, precision == Precision.BF16, masked);
            arguments.call(
                    programs.get(code, code::write),
                    w.number,
                    scores,
                    weights.address(),
                    w.ranges.address(),
                    w.largest.address(),
                    w.totals.address(),
                    sums,
                    sumsStride,
                    b > first ? blocks.padded(vDim) : 0,
                    scoresStride,
                    weightsStride,
                    rows,
                    columns,
                    Arguments.bits(call.scale));
            int head = task.head / call.share();
            if (masked && !block.finite[head]) {
                Tensor values = rows(call.v, head, segment, block.from, count);
                Blocks.Seen seen = (i, j) -> segment.sees(task.query + i, block.from + j);
                blocks.multiplySeen(weights, rows, values, seen, sums, sumsStride, b > first);
            } else {
                Blocks.Right values = new Blocks.Right(
                        keysAt + blocks.rightBytes(block.count, qkDim), blocks.rightStride(block.count));
                blocks.multiply(weights, rows, count, values, blocks.padded(vDim), sums, sumsStride, b > first);
            }
        }
        finish(call, task, rows, sums, sumsStride, w);
    }

    /// Fills the table of each query's keys.
    ///
    /// @param from the block's first key
    /// @return whether any of the columns does not count for some query
    static boolean ranges(Segment segment, int query, int rows, int from, int columns, MemorySegment ranges) {
        for (int i = 0; i < rows; i++) {
            ranges.setAtIndex(ValueLayout.JAVA_INT, 2L * i, segment.firstKey(query + i) - from - 1);
            ranges.setAtIndex(ValueLayout.JAVA_INT, 2L * i + 1, query + i + 1 - from);
        }
        return segment.firstKey(query + rows - 1) > from || query + 1 < from + columns;
    }

    private void finish(Call call, Task task, int rows, long sums, long sumsStride, Worker w) {
        Tensor out = rows(call.out, task.head, task.segment, task.query, rows);
        arguments.call(
                programs.get(DivideRows.class, DivideRows::write),
                w.number,
                sums,
                out.memory().address(),
                w.totals.address(),
                rows,
                out.dim(1),
                sumsStride,
                Span.stride(out, 0));
        for (int i = 0; i < rows; i++) {
            float total = w.totals.get(ValueLayout.JAVA_FLOAT, (long) i * isa.bytes());
            double lse = w.largest.getAtIndex(ValueLayout.JAVA_FLOAT, i) + Math.log(total == 0 ? Double.NaN : total);
            call.lse.set(call.lse.offset(task.segment.from() + task.query + i, task.head), lse);
        }
    }

    @Override
    protected void gradient(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        requireFloats(q, k, v, out, lse, dOut, dq, dk, dv);
        gradient.run(
                new AttentionGradient.Call(q, k, v, (float) scale, out, lse, dOut, dq, dk, dv),
                Segment.of(keyStart.toInts()));
    }
}
