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
import java.util.List;

/* All heads of some queries, the columns here, meet the cache together: its rows, read once, are the left operand of the
 * scores and the right one of the sums. Keys are taken in parts of fixed size, each with its own largest score; the
 * results of parts are joined in their order. So it is all the same whether a task goes through one part or through all
 * of them, and which other queries there are.
 */
final class LatentAttentionX86 extends LatentAttention {
    private static final int KEYS = 128;
    private static final int PART = 2 * KEYS;
    private static final int COLUMNS = 128;
    private static final int TASKS_PER_WORKER = 2;

    private final Precision precision;
    private final Gemm gemm;
    private final Forms forms;
    private final Programs programs;
    private final Tile.Kind kind;
    private final Workers workers;
    private final Blocks sizes;
    private final Buffer absorbed;
    private final Buffer sums;
    private final Buffer more;
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
        sums = new Buffer(programs.device());
        more = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(programs.device());
        }
    }

    /// Some queries with all their heads.
    ///
    /// @param from the first query
    /// @param queries `[columns, rank + ropeDim]`, absorbed
    /// @param ends for each column how many keys it sees
    /// @param keys the most of them
    private record Group(int from, Tensor queries, int[] ends, int keys) {
        int columns() {
            return ends.length;
        }

        int parts() {
            return (keys + PART - 1) / PART;
        }
    }

    /// Weighted sums of latents.
    ///
    /// @param largest the largest score of each column, then the sum of its weights
    /// @param rows a row for each column
    private record Sums(MemorySegment largest, MemorySegment rows) {
        /// @param bytes of the largest scores and the sums of weights, which stand first
        static Sums of(MemorySegment memory, long bytes) {
            return new Sums(memory.asSlice(0, bytes), memory.asSlice(bytes));
        }

        float largest(int column) {
            return largest.getAtIndex(ValueLayout.JAVA_FLOAT, column);
        }

        float total(int column) {
            return largest.getAtIndex(ValueLayout.JAVA_FLOAT, most() + column);
        }

        void set(int column, float value, float total) {
            largest.setAtIndex(ValueLayout.JAVA_FLOAT, column, value);
            largest.setAtIndex(ValueLayout.JAVA_FLOAT, most() + column, total);
        }

        int most() {
            return (int) (largest.byteSize() / (2 * Float.BYTES));
        }

        long address() {
            return rows.address();
        }
    }

    private record Call(Tensor cache, int rank, float scale, long sumsStride, int columns) {}

    @Override
    protected void attend(Tensor q, Weight kvB, Tensor cache, Tensor positions, double scale, Tensor out) {
        for (Tensor tensor : List.of(q, cache, out)) {
            Shape.require("LatentAttention on the x86 backend", tensor, "an operand", DType.F32);
            Address.of(tensor);
        }
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = kvB.value().size(1);
        int nopeDim = q.size(2) - (cache.size(1) - rank);
        List<Panels> weights = forms.ofHeads(kvB, heads, nopeDim, precision);
        Tensor queries = absorb(q, nopeDim, weights.subList(0, heads), rank, cache.size(1));
        int perGroup = Math.max(1, COLUMNS / heads);
        Call call = new Call(
                cache, rank, (float) scale, sizes.resultStride(rank), sizes.padded(Math.min(perGroup, tokens) * heads));
        MemorySegment rows = sums.of((long) tokens * heads * call.sumsStride);
        List<Group> groups = groups(queries, positions.toInts(), perGroup, heads);
        sum(call, groups, heads, rows);
        Tensor latents = Tensor.of(rows, DType.F32, tokens, heads, call.sumsStride / Float.BYTES)
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
            groups.add(new Group(from, rows, ends, keys));
        }
        return groups;
    }

    /// Fills the rows with each column's mean of latents.
    private void sum(Call call, List<Group> groups, int heads, MemorySegment rows) {
        record Task(Group group, int from, int to) {}
        List<Task> tasks = new ArrayList<>();
        long stateBytes = 2L * call.columns * Float.BYTES;
        long bytes = stateBytes + call.columns * call.sumsStride;
        long[] first = new long[groups.size()];
        boolean split = groups.size() < 2 * workers.count();
        long at = 0;
        for (int g = 0; g < groups.size() && split; g++) {
            Group group = groups.get(g);
            int step = (group.parts() + TASKS_PER_WORKER * workers.count() - 1) / (TASKS_PER_WORKER * workers.count());
            for (int part = 0; part < group.parts(); part += step) {
                tasks.add(new Task(group, part, Math.min(part + step, group.parts())));
            }
            first[g] = at;
            at += group.parts() * bytes;
        }
        MemorySegment memory = more.of(at);
        workers.run(tasks.size(), (number, w) -> {
            Task task = tasks.get(number);
            Blocks.Right queries = worker[w].pack(task.group);
            for (int part = task.from; part < task.to; part++) {
                long to = first[groups.indexOf(task.group)] + part * bytes;
                part(call, task.group, queries, part, Sums.of(memory.asSlice(to, bytes), stateBytes), worker[w]);
            }
        });
        workers.run(groups.size(), (g, w) -> {
            Group group = groups.get(g);
            Worker own = worker[w];
            long from = (long) group.from * heads * call.sumsStride;
            Sums all = new Sums(
                    own.state.of(stateBytes), rows.asSlice(from, group.columns() * call.sumsStride));
            Blocks.Right queries = split ? new Blocks.Right(0, 0) : own.pack(group);
            for (int part = 0; part < group.parts(); part++) {
                MemorySegment at1 = split ? memory.asSlice(first[g] + part * bytes, bytes) : own.part.of(bytes);
                Sums one = Sums.of(at1, stateBytes);
                if (!split) {
                    part(call, group, queries, part, one, own);
                }
                join(call, group, all, one, part == 0, own);
            }
            divide(call, group, all, own);
        });
    }

    /// A worker's own memory.
    private final class Worker {
        final Blocks blocks;
        final Buffer queries;
        final Buffer cacheRows;
        final Buffer cacheAlong;
        final Buffer scores;
        final Buffer weights;
        final Buffer state;
        final Buffer part;
        final Buffer ends;
        final Buffer factors;
        final Arguments softmax;
        final Arguments mix;

        Worker(HostDevice device) {
            blocks = new Blocks(programs, kind, precision);
            queries = new Buffer(device);
            cacheRows = new Buffer(device);
            cacheAlong = new Buffer(device);
            scores = new Buffer(device);
            weights = new Buffer(device);
            state = new Buffer(device);
            part = new Buffer(device);
            ends = new Buffer(device);
            factors = new Buffer(device);
            softmax = new Arguments(device, ColumnSoftmax.COUNT);
            mix = new Arguments(device, MixRows.COUNT);
        }

        Blocks.Right pack(Group group) {
            int width = group.queries.size(1);
            return blocks.transposed(group.queries, queries.at(blocks.rightBytes(group.columns(), width)));
        }
    }

    /// The weighted sums over one part of the keys.
    private void part(Call call, Group group, Blocks.Right queries, int part, Sums to, Worker w) {
        Blocks blocks = w.blocks;
        int width = call.cache.size(1);
        int columns = blocks.padded(group.columns());
        long scoresStride = blocks.resultStride(call.columns);
        long scores = w.scores.at(KEYS * scoresStride);
        long panelStride = blocks.panelStride(KEYS);
        int panelRows = Blocks.panelRows(programs.isa());
        Blocks.Left weights = new Blocks.Left(
                Tile.Layout.PANELS, panelRows, w.weights.at(call.columns / panelRows * panelStride), panelStride);
        MemorySegment ends = w.ends.of((long) call.columns * Integer.BYTES);
        long factors = w.factors.at(2L * call.columns * Float.BYTES);
        for (int i = 0; i < columns; i++) {
            to.set(i, RowSoftmax.LOWEST, 0);
        }
        w.softmax
                .put(ColumnSoftmax.SCORES, scores)
                .put(ColumnSoftmax.WEIGHT_PANELS, weights.address())
                .put(ColumnSoftmax.ENDS, ends.address())
                .put(ColumnSoftmax.LARGEST, to.largest.address())
                .put(ColumnSoftmax.SUMS, to.largest.address() + (long) to.most() * Float.BYTES)
                .put(ColumnSoftmax.FACTORS, factors)
                .put(ColumnSoftmax.COLUMNS, (long) columns)
                .put(ColumnSoftmax.SCALE, call.scale);
        ColumnSoftmax code =
                new ColumnSoftmax(kind, precision == Precision.BF16, (int) scoresStride, (int) panelStride);
        int end = Math.min(group.keys, (part + 1) * PART);
        for (int from = part * PART; from < end; from += KEYS) {
            int count = Math.min(KEYS, end - from);
            Tensor rows = call.cache.slice(0, from, from + count);
            Blocks.Left keys = blocks.left(rows, w.cacheRows.at(KEYS * blocks.rowStride(width) + 64));
            Tensor latents = rows.slice(1, 0, call.rank);
            Blocks.Right values = blocks.right(latents, w.cacheAlong.at(blocks.rightBytes(call.rank, KEYS)));
            Blocks.Ahead next = ahead(call.cache, from + count, Math.min(group.keys, from + count + KEYS));
            Blocks.Ahead half = new Blocks.Ahead(next.address(), next.bytes() / 2);
            Blocks.Ahead rest = new Blocks.Ahead(next.address() + half.bytes(), next.bytes() - half.bytes());
            blocks.multiply(keys, count, width, queries, columns, scores, scoresStride, false, half);
            for (int i = 0; i < columns; i++) {
                int seen = i < group.columns() ? Math.clamp(group.ends[i] - from, 0, count) : 0;
                ends.setAtIndex(ValueLayout.JAVA_INT, i, seen);
            }
            w.softmax.put(ColumnSoftmax.STEPS, (long) kind.groups(count));
            programs.get(code, code::write).call(w.softmax.address());
            boolean isFirst = from == part * PART;
            if (!isFirst) {
                mix(call, group, to.address(), 0, factors, w);
            }
            int rank = blocks.padded(call.rank);
            blocks.multiply(
                    weights, group.columns(), count, values, rank, to.address(), call.sumsStride, !isFirst, rest);
        }
    }

    /// @return the cache's rows that come next, where they lie together
    private static Blocks.Ahead ahead(Tensor cache, int from, int to) {
        boolean together = cache.stride(0) == cache.dim(1);
        return from < to && together
                ? new Blocks.Ahead(
                        cache.memory().address() + from * Address.stride(cache, 0),
                        (to - from) * Address.stride(cache, 0))
                : Blocks.Ahead.NOTHING;
    }

    /// @param from 0 for none
    /// @param factors for the rows there are, then those for the other ones
    private void mix(Call call, Group group, long to, long from, long factors, Worker w) {
        w.mix
                .put(MixRows.TO, to)
                .put(MixRows.FROM, from)
                .put(MixRows.STRIDE, call.sumsStride)
                .put(MixRows.A, factors)
                .put(MixRows.B, factors + (long) call.columns * Float.BYTES)
                .put(MixRows.ROWS, (long) group.columns())
                .put(MixRows.COLUMNS, (long) w.blocks.padded(call.rank));
        MixRows code = new MixRows(from != 0);
        programs.get(code, code::write).call(w.mix.address());
    }

    /// Adds the sums of one more part of the keys.
    private void join(Call call, Group group, Sums all, Sums one, boolean isFirst, Worker w) {
        MemorySegment factors = w.factors.of(2L * call.columns * Float.BYTES);
        for (int i = 0; i < group.columns(); i++) {
            float before = isFirst ? RowSoftmax.LOWEST : all.largest(i);
            float total = isFirst ? 0 : all.total(i);
            float largest = Math.max(before, one.largest(i));
            float a = (float) Math.exp(before - largest);
            float b = (float) Math.exp(one.largest(i) - largest);
            factors.setAtIndex(ValueLayout.JAVA_FLOAT, i, a);
            factors.setAtIndex(ValueLayout.JAVA_FLOAT, call.columns + i, b);
            all.set(i, largest, a * total + b * one.total(i));
        }
        if (isFirst) {
            all.rows.copyFrom(one.rows.asSlice(0, group.columns() * call.sumsStride));
            return;
        }
        mix(call, group, all.address(), one.address(), factors.address(), w);
    }

    private void divide(Call call, Group group, Sums all, Worker w) {
        MemorySegment factors = w.factors.of(2L * call.columns * Float.BYTES);
        for (int i = 0; i < group.columns(); i++) {
            if (group.ends[i] == 0) {
                all.rows.asSlice(i * call.sumsStride, call.sumsStride).fill((byte) 0);
            }
            factors.setAtIndex(ValueLayout.JAVA_FLOAT, i, group.ends[i] == 0 ? 1 : 1 / all.total(i));
        }
        mix(call, group, all.address(), 0, factors.address(), w);
    }
}
