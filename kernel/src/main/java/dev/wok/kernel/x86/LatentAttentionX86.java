package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/* All heads of some queries meet the cache together, as rows of one product: a block of the cache is read once and packed
 * twice, as keys and as values. Keys are taken in parts of fixed size, each with its own largest score; the results of
 * parts are joined in their order. So it is all the same whether a task goes through one part or through all of them,
 * and which other queries there are.
 */
final class LatentAttentionX86 extends LatentAttention {
    private static final int KEYS = 128;
    private static final int PART = 2 * KEYS;
    private static final int ROWS = 128;
    private static final int TASKS_PER_WORKER = 4;
    private static final int JOINED_ROWS = 4;

    private final Precision precision;
    private final Gemm gemm;
    private final Forms forms;
    private final Programs programs;
    private final Tile.Kind kind;
    private final Workers workers;
    private final Blocks sizes;
    private final Buffer absorbed;
    private final Buffer means;
    private final Buffer parts;
    private final Worker[] worker;

    LatentAttentionX86(Gemm gemm, Forms forms, Precision precision) {
        this.precision = precision;
        this.gemm = gemm;
        this.forms = forms;
        programs = gemm.programs();
        kind = gemm.kind(precision);
        workers = programs.device().workers();
        sizes = new Blocks(programs, kind, precision);
        absorbed = new Buffer(programs.device());
        means = new Buffer(programs.device());
        parts = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(programs.device());
        }
    }

    /// Some queries with all their heads, a row for each.
    ///
    /// @param first its first row of all
    /// @param queries `[rows, rank + ropeDim]`, absorbed
    /// @param ends for each row how many keys it sees
    /// @param keys the most of them
    private record Group(int first, Tensor queries, int[] ends, int keys) {
        int rows() {
            return ends.length;
        }

        int parts() {
            return (keys + PART - 1) / PART;
        }
    }

    /// Weighted sums of latents.
    ///
    /// @param largest the largest score of each row
    /// @param totals the sums of weights, a vector for each row
    /// @param sums the weighted sums, a row for each
    private record Sums(MemorySegment largest, MemorySegment totals, MemorySegment sums) {
        float largest(int row) {
            return largest.getAtIndex(ValueLayout.JAVA_FLOAT, row);
        }

        float total(int row, int lanes) {
            float total = 0;
            for (int i = 0; i < lanes; i++) {
                total += totals.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * lanes + i);
            }
            return total;
        }
    }

    /// @param rows of a group, at most
    /// @param stride bytes between rows of sums
    private record Call(Tensor cache, int rank, float scale, int rows, long stride, int lanes) {
        Sums sums(MemorySegment memory) {
            long largest = ((long) rows * Float.BYTES + 63) / 64 * 64;
            long totals = (long) rows * lanes * Float.BYTES;
            return new Sums(
                    memory.asSlice(0, largest),
                    memory.asSlice(largest, totals),
                    memory.asSlice(largest + totals, rows * stride));
        }

        long sumsBytes() {
            return ((long) rows * Float.BYTES + 63) / 64 * 64 + (long) rows * lanes * Float.BYTES + rows * stride;
        }
    }

    @Override
    protected void attend(Tensor q, Weight kvB, Tensor cache, Tensor positions, double scale, Tensor out) {
        for (Tensor tensor : List.of(q, cache, out)) {
            Shape.require("LatentAttention on the x86 backend", tensor, "an operand", DType.F32);
            Span.address(tensor);
        }
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = kvB.value().size(1);
        int nopeDim = q.size(2) - (cache.size(1) - rank);
        List<Panels> weights = forms.ofHeads(kvB, heads, nopeDim, precision);
        Tensor queries = absorb(q, nopeDim, weights.subList(0, heads), rank, cache.size(1));
        int perGroup = Math.max(1, ROWS / heads);
        Call call = new Call(
                cache,
                rank,
                (float) scale,
                Math.min(perGroup, tokens) * heads,
                sizes.resultStride(rank),
                programs.isa().lanes());
        MemorySegment memory = means.of((long) tokens * heads * call.stride);
        sum(call, groups(queries, positions.toInts(), perGroup, heads), memory);
        Tensor latents = Tensor.of(memory, DType.F32, tokens, heads, call.stride / Float.BYTES)
                .slice(2, 0, rank);
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            Gemm.Left left = gemm.rows(latents.select(1, h), i -> i, precision);
            problems.add(new Gemm.Problem(tokens, left, weights.get(heads + h), out.select(1, h), false, null));
        }
        gemm.run(problems);
        Reference.reachabilityFence(q);
        Reference.reachabilityFence(cache);
    }

    /// @return the queries that meet the cache's rows, `[tokens, heads, rank + ropeDim]`
    private Tensor absorb(Tensor q, int nopeDim, List<Panels> weights, int rank, int width) {
        int tokens = q.size(0);
        int heads = q.size(1);
        long bytes = (long) tokens * heads * width * Float.BYTES;
        Tensor queries = Tensor.of(absorbed.of(bytes), DType.F32, tokens, heads, width);
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            Gemm.Left left = gemm.rows(q.select(1, h).slice(1, 0, nopeDim), i -> i, precision);
            Tensor c = queries.select(1, h).slice(1, 0, rank);
            problems.add(new Gemm.Problem(tokens, left, weights.get(h), c, false, null));
        }
        gemm.run(problems);
        long ropeBytes = (long) (width - rank) * Float.BYTES;
        for (int t = 0; t < tokens; t++) {
            for (int h = 0; h < heads; h++) {
                long from = q.offset(t, h, nopeDim) * Float.BYTES;
                long to = queries.offset(t, h, rank) * Float.BYTES;
                MemorySegment.copy(q.memory(), from, queries.memory(), to, ropeBytes);
            }
        }
        return queries;
    }

    private static List<Group> groups(Tensor queries, int[] positions, int perGroup, int heads) {
        List<Group> groups = new ArrayList<>();
        for (int from = 0; from < positions.length; from += perGroup) {
            int count = Math.min(perGroup, positions.length - from);
            int[] ends = new int[count * heads];
            int keys = 0;
            for (int i = 0; i < ends.length; i++) {
                ends[i] = positions[from + i / heads] + 1;
                keys = Math.max(keys, ends[i]);
            }
            Tensor rows = queries.slice(0, from, from + count).reshape(ends.length, queries.dim(2));
            groups.add(new Group(from * heads, rows, ends, keys));
        }
        return groups;
    }

    /// Fills the rows with the means of latents. Few groups are split by parts of the keys.
    private void sum(Call call, List<Group> groups, MemorySegment rows) {
        if (groups.size() >= 2 * workers.count()) {
            workers.run(groups.size(), (g, w) -> {
                Worker own = worker[w];
                Group group = groups.get(g);
                Blocks.Left queries = own.pack(group);
                join(call, group, 0, group.rows(), rows, own, part -> {
                    Sums sums = call.sums(own.part.of(call.sumsBytes()));
                    part(call, group, queries, part, sums, own);
                    return sums;
                });
            });
            return;
        }
        record Task(Group group, int from, int to, long memory) {}
        List<Task> tasks = new ArrayList<>();
        long[] first = new long[groups.size()];
        long bytes = 0;
        int most = TASKS_PER_WORKER * workers.count();
        for (int g = 0; g < groups.size(); g++) {
            Group group = groups.get(g);
            first[g] = bytes;
            int count = Math.min(most, group.parts());
            for (int i = 0; i < count; i++) {
                int from = i * group.parts() / count;
                tasks.add(new Task(group, from, (i + 1) * group.parts() / count, first[g]));
            }
            bytes += group.parts() * call.sumsBytes();
        }
        MemorySegment memory = parts.of(bytes);
        workers.run(tasks.size(), (number, w) -> {
            Task task = tasks.get(number);
            Blocks.Left queries = worker[w].pack(task.group);
            for (int part = task.from; part < task.to; part++) {
                Sums sums = call.sums(memory.asSlice(task.memory + part * call.sumsBytes()));
                part(call, task.group, queries, part, sums, worker[w]);
            }
        });
        int pieces = (call.rows + JOINED_ROWS - 1) / JOINED_ROWS;
        workers.run(groups.size() * pieces, (task, w) -> {
            Group group = groups.get(task / pieces);
            long at = first[task / pieces];
            int row = task % pieces * JOINED_ROWS;
            int end = Math.min(group.rows(), row + JOINED_ROWS);
            if (row < end) {
                join(
                        call,
                        group,
                        row,
                        end,
                        rows,
                        worker[w],
                        part -> call.sums(memory.asSlice(at + part * call.sumsBytes())));
            }
        });
    }

    /// A worker's own memory.
    private final class Worker {
        final Blocks blocks;
        final Buffer queries;
        final Buffer keys;
        final Buffer values;
        final Buffer scores;
        final Buffer weights;
        final Buffer part;
        final Buffer ranges;
        final Buffer factors;
        final Slots softmax;
        final Slots mix;

        Worker(HostDevice device) {
            blocks = new Blocks(programs, kind, precision);
            queries = new Buffer(device);
            keys = new Buffer(device);
            values = new Buffer(device);
            scores = new Buffer(device);
            weights = new Buffer(device);
            part = new Buffer(device);
            ranges = new Buffer(device);
            factors = new Buffer(device);
            softmax = new Slots(device, RowSoftmax.COUNT);
            mix = new Slots(device, MixRows.COUNT);
        }

        Blocks.Left pack(Group group) {
            long bytes = group.rows() * blocks.rowStride(group.queries.size(1)) + 64;
            return blocks.left(group.queries, queries.at(bytes));
        }
    }

    /// The weighted sums over one part of the keys.
    private void part(Call call, Group group, Blocks.Left queries, int part, Sums to, Worker w) {
        Blocks blocks = w.blocks;
        int rows = group.rows();
        int width = call.cache.size(1);
        long scoresStride = blocks.resultStride(KEYS);
        long scores = w.scores.at(call.rows * scoresStride);
        long weightsStride = blocks.rowStride(KEYS);
        Blocks.Left weights =
                new Blocks.Left(Tile.Layout.ROWS, 0, w.weights.at(call.rows * weightsStride), weightsStride);
        MemorySegment ranges = w.ranges.of((long) call.rows * Long.BYTES);
        for (int i = 0; i < rows; i++) {
            to.largest.setAtIndex(ValueLayout.JAVA_FLOAT, i, RowSoftmax.LOWEST);
        }
        to.totals.fill((byte) 0);
        int rank = blocks.padded(call.rank);
        w.softmax
                .put(RowSoftmax.SCORES, scores)
                .put(RowSoftmax.SCORES_STRIDE, scoresStride)
                .put(RowSoftmax.WEIGHTS, weights.address())
                .put(RowSoftmax.WEIGHTS_STRIDE, weightsStride)
                .put(RowSoftmax.RANGES, ranges.address())
                .put(RowSoftmax.LARGEST, to.largest.address())
                .put(RowSoftmax.SUMS, to.totals.address())
                .put(RowSoftmax.OUT, to.sums.address())
                .put(RowSoftmax.OUT_STRIDE, call.stride)
                .put(RowSoftmax.OUT_COLUMNS, 0L)
                .put(RowSoftmax.ROWS, (long) rows)
                .put(RowSoftmax.SCALE, call.scale);
        int start = part * PART;
        int end = Math.min(group.keys, start + PART);
        for (int from = start; from < end; from += KEYS) {
            int count = Math.min(KEYS, end - from);
            Tensor block = call.cache.slice(0, from, from + count);
            Blocks.Right keys = blocks.transposed(block, w.keys.at(blocks.rightBytes(KEYS, width)));
            Tensor latents = block.slice(1, 0, call.rank);
            Blocks.Right values = blocks.right(latents, w.values.at(blocks.rightBytes(call.rank, KEYS)));
            Blocks.Ahead next = ahead(call.cache, from + count, Math.min(group.keys, from + count + KEYS));
            int columns = blocks.padded(count);
            blocks.multiply(
                    queries, rows, width, keys, columns, scores, scoresStride, false, next.part(0, next.bytes() / 2));
            w.softmax.put(RowSoftmax.COLUMNS, (long) columns);
            boolean masked = ranges(group, from, columns, ranges);
            RowSoftmax code = new RowSoftmax(kind, precision == Precision.BF16, masked);
            programs.get(code, code::write).call(w.softmax.address());
            if (masked && !blocks.finite(latents)) {
                int first = from;
                Blocks.Seen seen = (i, j) -> first + j < group.ends[i];
                blocks.multiplySeen(weights, rows, latents, seen, to.sums.address(), call.stride, from > start);
            } else {
                blocks.multiply(
                        weights,
                        rows,
                        count,
                        values,
                        rank,
                        to.sums.address(),
                        call.stride,
                        from > start,
                        next.part(next.bytes() / 2, next.bytes()));
            }
            w.softmax.put(RowSoftmax.OUT_COLUMNS, (long) rank);
        }
    }

    /// Fills the table of each row's keys.
    ///
    /// @return whether any of the columns does not count for some row
    private static boolean ranges(Group group, int from, int columns, MemorySegment ranges) {
        boolean masked = false;
        for (int i = 0; i < group.rows(); i++) {
            int seen = Math.clamp(group.ends[i] - from, 0, columns);
            ranges.setAtIndex(ValueLayout.JAVA_INT, 2L * i, -1);
            ranges.setAtIndex(ValueLayout.JAVA_INT, 2L * i + 1, seen);
            masked |= seen < columns;
        }
        return masked;
    }

    /// @return the cache's rows that come next, where they lie together
    private static Blocks.Ahead ahead(Tensor cache, int from, int to) {
        boolean together = cache.stride(0) == cache.dim(1);
        return from < to && together
                ? new Blocks.Ahead(
                        cache.memory().address() + from * Span.stride(cache, 0), (to - from) * Span.stride(cache, 0))
                : Blocks.Ahead.NOTHING;
    }

    /// Joins the parts of some rows' sums and divides by the sums of weights.
    private void join(
            Call call, Group group, int row, int end, MemorySegment means, Worker w, IntFunction<Sums> parts) {
        int rows = end - row;
        MemorySegment to = means.asSlice((group.first + row) * call.stride, rows * call.stride);
        long bytes = ((long) rows * Float.BYTES + 63) / 64 * 64;
        MemorySegment factors = w.factors.of(2 * bytes);
        float[] largest = new float[rows];
        float[] totals = new float[rows];
        Arrays.fill(largest, RowSoftmax.LOWEST);
        to.fill((byte) 0);
        for (int part = 0; part < group.parts(); part++) {
            Sums more = parts.apply(part);
            for (int i = 0; i < rows; i++) {
                float most = Math.max(largest[i], more.largest(row + i));
                float a = (float) Math.exp(largest[i] - most);
                float b = (float) Math.exp(more.largest(row + i) - most);
                factors.set(ValueLayout.JAVA_FLOAT, (long) i * Float.BYTES, a);
                factors.set(ValueLayout.JAVA_FLOAT, bytes + (long) i * Float.BYTES, b);
                largest[i] = most;
                totals[i] = a * totals[i] + b * more.total(row + i, call.lanes);
            }
            MemorySegment from = more.sums.asSlice(row * call.stride);
            mix(call, rows, to, from, factors.address(), factors.address() + bytes, w);
        }
        for (int i = 0; i < rows; i++) {
            float factor = group.ends[row + i] == 0 ? 1 : 1 / totals[i];
            factors.set(ValueLayout.JAVA_FLOAT, (long) i * Float.BYTES, factor);
        }
        mix(call, rows, to, MemorySegment.NULL, factors.address(), 0, w);
    }

    /// `to = a to + b from`, without `b from` where that is 0.
    private void mix(Call call, int rows, MemorySegment to, MemorySegment from, long a, long b, Worker w) {
        w.mix.put(MixRows.TO, to.address())
                .put(MixRows.FROM, from.address())
                .put(MixRows.STRIDE, call.stride)
                .put(MixRows.A, a)
                .put(MixRows.B, b)
                .put(MixRows.ROWS, (long) rows)
                .put(MixRows.COLUMNS, (long) w.blocks.padded(call.rank));
        MixRows code = new MixRows(b != 0);
        programs.get(code, code::write).call(w.mix.address());
    }
}
