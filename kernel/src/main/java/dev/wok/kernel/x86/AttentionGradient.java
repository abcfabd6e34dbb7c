package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/// The backward direction of attention.
///
/* A task is a key head of a segment, or where there are few of these a part of its blocks of keys. It goes through its
 * blocks of keys, whose gradients stay in the cache, and for each of them through the blocks of queries that see it; the
 * queries' gradients are summed up in memory, by parts where there are several, and those are added in their order. How
 * many parts there are depends on a segment's length and the number of heads alone. Query heads that share a key head
 * follow one another.
 */
final class AttentionGradient {
    private static final int QUERIES = 96;
    private static final int KEYS = 192;
    private static final int TASKS = 8;

    record Call(
            Tensor q,
            Tensor k,
            Tensor v,
            float scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        int qkDim() {
            return q.size(2);
        }

        int vDim() {
            return v.size(2);
        }

        int share() {
            return q.size(1) / k.size(1);
        }
    }

    /// @param first its first block of keys
    /// @param step from each to the next
    /// @param sums where the gradients of the segment's queries are summed up, zeros
    private record Task(Segment segment, int kvHead, int first, int step, MemorySegment sums) {}

    private final Precision precision;
    private final Programs programs;
    private final Tile.Kind kind;
    private final Workers workers;
    private final Arguments arguments;
    private final Buffer parts;
    private final Worker[] worker;

    AttentionGradient(Gemm gemm, Precision precision) {
        this.precision = precision;
        programs = gemm.programs();
        kind = gemm.kind(precision);
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        parts = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(i, programs.device());
        }
    }

    void run(Call call, List<Segment> segments) {
        Blocks sizes = worker[0].blocks;
        long sumsStride = sizes.resultStride(call.qkDim());
        int kvHeads = call.k.size(1);
        long bytes = 0;
        for (Segment s : segments) {
            bytes += s.length() * sumsStride * parts(s, kvHeads) * kvHeads;
        }
        MemorySegment memory = parts.of(bytes);
        List<Task> tasks = new ArrayList<>();
        long at = 0;
        for (int head = 0; head < kvHeads; head++) {
            for (Segment s : segments) {
                int count = parts(s, kvHeads);
                for (int part = 0; part < count; part++) {
                    MemorySegment sums = memory.asSlice(at, s.length() * sumsStride);
                    tasks.add(new Task(s, head, part, count, sums));
                    at += sums.byteSize();
                }
            }
        }
        for (int i = 0; i < call.share(); i++) {
            int member = i;
            workers.run(tasks.size(), (task, w) -> run(call, tasks.get(task), member, worker[w]));
            workers.run(tasks.size(), (task, _) -> {
                if (tasks.get(task).first == 0) {
                    collect(call, tasks, task, member, sumsStride);
                }
            });
        }
        Reference.reachabilityFence(call);
    }

    private static int blocks(Segment segment, int size) {
        return (segment.length() + size - 1) / size;
    }

    private static int parts(Segment segment, int kvHeads) {
        return Math.clamp((TASKS + kvHeads - 1) / kvHeads, 1, blocks(segment, KEYS));
    }

    /// Adds up the parts of a head's gradients of queries.
    private void collect(Call call, List<Task> tasks, int first, int member, long sumsStride) {
        Task task = tasks.get(first);
        Tensor dq = rows(call.dq, head(call, task, member), task.segment, 0, task.segment.length());
        for (int part = 0; part < task.step; part++) {
            copy(tasks.get(first + part).sums.address(), sumsStride, dq, part > 0);
        }
    }

    private static int head(Call call, Task task, int member) {
        return task.kvHead * call.share() + member;
    }

    private void copy(long from, long stride, Tensor to, boolean add) {
        CopyRows code = new CopyRows(add);
        programs.get(code, code::write)
                .call(from, stride, to.memory().address(), Span.stride(to, 0), to.dim(0), to.dim(1));
    }

    private static Tensor rows(Tensor x, int head, Segment segment, int from, int count) {
        int start = segment.from() + from;
        return x.select(1, head).slice(0, start, start + count);
    }

    /// A worker's own memory.
    private final class Worker {
        final int number;
        final Blocks blocks;
        final Buffer queries;
        final Buffer keys;
        final Buffer state;
        final Buffer scores;
        final Buffer operands;
        final Buffer keySums;
        final Buffer valueSums;
        final MemorySegment ranges;

        Worker(int number, HostDevice device) {
            this.number = number;
            blocks = new Blocks(programs, kind, precision);
            queries = new Buffer(device);
            keys = new Buffer(device);
            state = new Buffer(device);
            scores = new Buffer(device);
            operands = new Buffer(device);
            keySums = new Buffer(device);
            valueSums = new Buffer(device);
            ranges = device.scratch((long) QUERIES * Long.BYTES);
        }
    }

    /// A block of queries as it enters products.
    ///
    /// @param finite whether what is multiplied by probabilities and slopes is
    private record Queries(
            int from,
            int count,
            Blocks.Left q,
            Blocks.Left dOut,
            Blocks.Right qAlong,
            Blocks.Right dOutAlong,
            boolean finite) {}

    private void run(Call call, Task task, int member, Worker w) {
        task.sums.fill((byte) 0);
        int head = head(call, task, member);
        List<Queries> queries = pack(call, task.segment, task.first * KEYS, head, w);
        for (int b = task.first; b * KEYS < task.segment.length(); b += task.step) {
            keys(call, task, b * KEYS, queries, member, w);
        }
    }

    /// Packs the queries from a block of keys on.
    private List<Queries> pack(Call call, Segment segment, int first, int head, Worker w) {
        Blocks blocks = w.blocks;
        long rowBytes = (QUERIES * (blocks.rowStride(call.qkDim()) + blocks.rowStride(call.vDim())) + 127) / 64 * 64;
        long bytes = rowBytes + blocks.rightBytes(call.qkDim(), QUERIES) + blocks.rightBytes(call.vDim(), QUERIES);
        long at = w.queries.at(bytes * blocks(segment, QUERIES));
        MemorySegment state = w.state.of((long) blocks(segment, QUERIES) * QUERIES * Long.BYTES);
        List<Queries> packed = new ArrayList<>();
        for (int from = first; from < segment.length(); from += QUERIES, at += bytes) {
            int count = Math.min(QUERIES, segment.length() - from);
            Tensor q = rows(call.q, head, segment, from, count);
            Tensor dOut = rows(call.dOut, head, segment, from, count);
            long dOutAt = at + QUERIES * blocks.rowStride(call.qkDim());
            long along = at + rowBytes;
            packed.add(new Queries(
                    from,
                    count,
                    blocks.left(q, at),
                    blocks.left(dOut, dOutAt),
                    blocks.right(q, along),
                    blocks.right(dOut, along + blocks.rightBytes(call.qkDim(), QUERIES)),
                    blocks.finite(q) && blocks.finite(dOut)));
            Tensor out = rows(call.out, head, segment, from, count);
            arguments.call(
                    programs.get(DotRows.class, DotRows::write),
                    w.number,
                    out.memory().address(),
                    dOut.memory().address(),
                    state.address() + (long) from * Long.BYTES + Float.BYTES,
                    count,
                    out.dim(1),
                    Span.stride(out, 0),
                    Span.stride(dOut, 0));
            for (int i = from; i < from + count; i++) {
                double lse = call.lse.get(call.lse.offset(segment.from() + i, head));
                state.setAtIndex(ValueLayout.JAVA_FLOAT, 2L * i, (float) lse);
            }
        }
        return packed;
    }

    /// The gradients of one block of keys and values, and its share in those of the queries.
    private void keys(Call call, Task task, int from, List<Queries> queries, int member, Worker w) {
        Blocks blocks = w.blocks;
        Segment segment = task.segment;
        int qkDim = call.qkDim();
        int vDim = call.vDim();
        int count = Math.min(KEYS, segment.length() - from);
        Tensor k = rows(call.k, task.kvHead, segment, from, count);
        Tensor v = rows(call.v, task.kvHead, segment, from, count);
        long keyBytes = blocks.rightBytes(KEYS, qkDim);
        long alongBytes = blocks.rightBytes(qkDim, KEYS);
        long at = w.keys.at(keyBytes + alongBytes + blocks.rightBytes(KEYS, vDim));
        Blocks.Right keysAcross = blocks.transposed(k, at);
        Blocks.Right keysAlong = blocks.right(k, at + keyBytes);
        Blocks.Right valuesAcross = blocks.transposed(v, at + keyBytes + alongBytes);
        long keyStride = blocks.resultStride(qkDim);
        long valueStride = blocks.resultStride(vDim);
        MemorySegment keySums = w.keySums.of(KEYS * keyStride).fill((byte) 0);
        MemorySegment valueSums = w.valueSums.of(KEYS * valueStride).fill((byte) 0);
        long scoresStride = blocks.resultStride(KEYS);
        long scores = w.scores.at(2 * QUERIES * scoresStride);
        long slopes = scores + QUERIES * scoresStride;
        long rowStride = blocks.rowStride(KEYS);
        long panelStride = blocks.panelStride(QUERIES);
        int panelRows = Blocks.panelRows(programs.isa());
        long panelBytes = KEYS / panelRows * panelStride;
        long operands = w.operands.at(2 * panelBytes + QUERIES * rowStride);
        Blocks.Left weightPanels = new Blocks.Left(Tile.Layout.PANELS, panelRows, operands, panelStride);
        Blocks.Left slopePanels = weightPanels.at(panelBytes);
        Blocks.Left slopeRows = new Blocks.Left(Tile.Layout.ROWS, 0, operands + 2 * panelBytes, rowStride);
        long sumsStride = blocks.resultStride(qkDim);
        int head = head(call, task, member);
        boolean finite = blocks.finite(k);
        for (Queries block : queries) {
            int rows = block.count;
            if (block.from < from || segment.firstKey(block.from) >= from + count) {
                continue;
            }
            int seen = Math.min(count, block.from + rows - from);
            int columns = Math.min(blocks.wholePanels(seen), blocks.padded(count));
            blocks.multiply(block.q, rows, qkDim, keysAcross, columns, scores, scoresStride, false);
            blocks.multiply(block.dOut, rows, vDim, valuesAcross, columns, slopes, scoresStride, false);
            boolean masked = AttentionX86.ranges(segment, block.from, rows, from, columns, w.ranges);
            boolean odd = rows % kind.perGroup() > 0;
            if (odd) {
                w.ranges.setAtIndex(ValueLayout.JAVA_LONG, rows, 0);
            }
            RowSlope code = new RowSlope(
                    kind, precision == Precision.BF16, masked || odd, (int) scoresStride, (int) rowStride, (int)
                            panelStride);
            arguments.call(
                    programs.get(code, code::write),
                    w.number,
                    scores,
                    slopes,
                    w.ranges.address(),
                    w.state.at(0) + (long) block.from * Long.BYTES,
                    slopeRows.address(),
                    weightPanels.address(),
                    slopePanels.address(),
                    kind.groups(rows),
                    columns,
                    Arguments.bits(call.scale));
            long sums = task.sums.address() + block.from * sumsStride;
            if (masked && !(finite && block.finite)) {
                Tensor q = rows(call.q, head, segment, block.from, rows);
                Tensor dOut = rows(call.dOut, head, segment, block.from, rows);
                Blocks.Seen seeing = (j, i) -> segment.sees(block.from + i, from + j);
                Blocks.Seen seenBy = (i, j) -> segment.sees(block.from + i, from + j);
                blocks.multiplySeen(weightPanels, seen, dOut, seeing, valueSums.address(), valueStride, true);
                blocks.multiplySeen(slopePanels, seen, q, seeing, keySums.address(), keyStride, true);
                blocks.multiplySeen(slopeRows, rows, k.slice(0, 0, seen), seenBy, sums, sumsStride, true);
                continue;
            }
            int qkColumns = blocks.padded(qkDim);
            int vColumns = blocks.padded(vDim);
            blocks.multiply(
                    weightPanels, seen, rows, block.dOutAlong, vColumns, valueSums.address(), valueStride, true);
            blocks.multiply(slopePanels, seen, rows, block.qAlong, qkColumns, keySums.address(), keyStride, true);
            blocks.multiply(slopeRows, rows, seen, keysAlong, qkColumns, sums, sumsStride, true);
        }
        boolean add = member > 0;
        copy(keySums.address(), keyStride, rows(call.dk, task.kvHead, segment, from, count), add);
        copy(valueSums.address(), valueStride, rows(call.dv, task.kvHead, segment, from, count), add);
    }
}
