package dev.wok.kernel.x86;

import dev.wok.device.Workers;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/* All heads of some queries meet the cache together. Its rows are used where they lie, in both products: for the scores
 * its elements are repeated in all lanes and each lane is a query, for the weighted sums a vector is some columns of a row
 * and the weights are repeated. Nothing is packed but the queries. While the scores of one part of the keys are computed
 * the next part is fetched, and during the sums a share of the weights that will make values of them.
 *
 * Keys are taken in parts of fixed size, each with its own largest score; the results of parts are joined in their order.
 * So it is all the same who computes which part, and which other queries there are. What a query does not see is not even
 * multiplied by zero: it may hold infinities or NaN.
 */
final class LatentAttentionX86 extends LatentAttention {
    private static final int STRIP = LatentScores.STRIP;
    /// Of the second-level cache: a part of the keys of 576 elements takes 288 KiB.
    private static final int PART_GROUPS = 128;
    private static final int ROWS = 128;
    /// Bytes of parts that wait to be joined, which the last-level cache holds; one group may take more.
    private static final long PARTS_MOST = 16 << 20;
    private static final int STRIDE_MOST = 1 << 24;

    private final Precision precision;
    private final Gemm gemm;
    private final Forms forms;
    private final Programs programs;
    private final Tile.Kind kind;
    private final Workers workers;
    private final int partKeys;
    private final Arguments arguments;
    private final Buffer absorbed;
    private final Buffer packed;
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
        partKeys = PART_GROUPS * kind.perGroup();
        arguments = new Arguments(programs.device());
        absorbed = new Buffer(programs.device());
        packed = new Buffer(programs.device());
        means = new Buffer(programs.device());
        parts = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(i);
        }
    }

    /// Some queries with all their heads, a row for each, in strips.
    ///
    /// @param first its first row of all
    /// @param strip its first strip of all
    /// @param ends for each row how many keys it sees
    /// @param keys the most of them
    /// @param parts of them
    private record Group(int first, int strip, int[] ends, int keys, int parts) {
        int rows() {
            return ends.length;
        }
    }

    /// @param queries strips of packed rows
    /// @param strip bytes of a strip
    /// @param rows of a group, at most, in whole strips
    /// @param stride bytes between rows of sums
    /// @param values where the weights of the values lie packed
    private record Call(
            Tensor cache,
            int rank,
            float scale,
            long queries,
            long strip,
            int rows,
            long stride,
            MemorySegment values) {
        int width() {
            return cache.size(1);
        }

        /* What a part leaves behind: for each row of a group its largest score, the sum of its weights, and the sums of
         * latents under these weights.
         */
        long partBytes() {
            return rows * (2 * Float.BYTES + stride);
        }

        static long largest(int row) {
            return (long) row * Float.BYTES;
        }

        long total(int row) {
            return (long) (rows + row) * Float.BYTES;
        }

        long sums(int row) {
            return 2L * rows * Float.BYTES + row * stride;
        }
    }

    /// Rows of the cache as operands.
    ///
    /// @param stride bytes between them
    private record Keys(long address, int count, int stride) {}

    @Override
    protected void attend(Tensor q, Weight kvB, Tensor cache, Tensor positions, double scale, Tensor out) {
        Span.read("LatentAttention", q);
        Span.read("LatentAttention", cache, cache.dtype());
        Span.written("LatentAttention", out);
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = kvB.value().size(1);
        int width = cache.size(1);
        int nopeDim = q.size(2) - (width - rank);
        List<Panels> weights = forms.ofHeads(kvB, heads, nopeDim, precision);
        Tensor queries = absorb(q, nopeDim, weights.subList(0, heads), rank, width);
        int perGroup = Math.max(1, ROWS / heads);
        List<Group> groups = groups(positions.toInts(), perGroup, heads);
        long strip = (long) kind.groups(width) * LatentScores.STRIP_BYTES;
        int rows = strips(Math.min(perGroup, tokens) * heads) * STRIP;
        long stride = worker[0].blocks.resultStride(rank);
        Call call = new Call(
                cache,
                rank,
                (float) scale,
                pack(queries, groups, strip),
                strip,
                rows,
                stride,
                weights.get(heads).memory());
        MemorySegment memory = means.of((long) tokens * heads * stride);
        sum(call, groups, memory);
        Tensor latents = Tensor.of(memory, DType.F32, tokens, heads, stride / Float.BYTES)
                .slice(2, 0, rank);
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            Gemm.Left left = gemm.rows(latents.select(1, h), i -> i, precision);
            problems.add(new Gemm.Problem(tokens, left, weights.get(heads + h), out.select(1, h), false, null));
        }
        gemm.run(problems);
        Reference.reachabilityFence(q);
        Reference.reachabilityFence(cache);
        Reference.reachabilityFence(out);
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

    private int parts(int keys) {
        return (keys + partKeys - 1) / partKeys;
    }

    private static int strips(int rows) {
        return (rows + STRIP - 1) / STRIP;
    }

    private List<Group> groups(int[] positions, int perGroup, int heads) {
        List<Group> groups = new ArrayList<>();
        int strip = 0;
        for (int from = 0; from < positions.length; from += perGroup) {
            int count = Math.min(perGroup, positions.length - from);
            int[] ends = new int[count * heads];
            int keys = 0;
            for (int i = 0; i < ends.length; i++) {
                ends[i] = positions[from + i / heads] + 1;
                keys = Math.max(keys, ends[i]);
            }
            groups.add(new Group(from * heads, strip, ends, keys, parts(keys)));
            strip += strips(ends.length);
        }
        return groups;
    }

    /// @param queries `[tokens, heads, rank + ropeDim]`
    /// @return where all strips lie, each as groups of all its rows one after another
    private long pack(Tensor queries, List<Group> groups, long strip) {
        Tensor rows = queries.reshape(queries.dim(0) * queries.dim(1), queries.dim(2));
        record Task(int from, int to) {}
        List<Task> tasks = new ArrayList<>();
        for (Group group : groups) {
            int end = group.first + group.rows();
            for (int from = group.first; from < end; from += STRIP) {
                tasks.add(new Task(from, Math.min(end, from + STRIP)));
            }
        }
        long at = packed.at(tasks.size() * strip);
        workers.run(tasks.size(), (number, w) -> {
            Task task = tasks.get(number);
            worker[w].blocks.strip(rows.slice(0, task.from, task.to), STRIP, at + number * strip);
        });
        return at;
    }

    /// Fills the rows with the means of latents: parts of some groups, as far as memory reaches, then their joining.
    private void sum(Call call, List<Group> groups, MemorySegment means) {
        record Part(Group group, int number, long at) {}
        record Join(Group group, int row, long at) {}
        for (int g = 0; g < groups.size(); ) {
            List<Part> wave = new ArrayList<>();
            List<Join> joins = new ArrayList<>();
            long bytes = 0;
            do {
                Group group = groups.get(g);
                for (int part = 0; part < group.parts; part++) {
                    wave.add(new Part(group, part, bytes + part * call.partBytes()));
                }
                for (int row = 0; row < group.rows(); row++) {
                    joins.add(new Join(group, row, bytes));
                }
                bytes += group.parts * call.partBytes();
                g++;
            } while (g < groups.size() && bytes + groups.get(g).parts * call.partBytes() <= PARTS_MOST);
            MemorySegment memory = parts.of(bytes);
            workers.run(wave.size(), (task, w) -> {
                Part part = wave.get(task);
                part(call, part.group, part.number, memory.address() + part.at, worker[w]);
            });
            workers.run(joins.size(), (task, w) -> {
                Join join = joins.get(task);
                join(call, join.group, join.row, memory.asSlice(join.at), means, worker[w]);
            });
        }
    }

    /// A worker's own memory.
    private final class Worker {
        final int number;
        final Blocks blocks = new Blocks(programs, kind, precision);
        final Buffer keys = new Buffer(programs.device());
        final Buffer factors = new Buffer(programs.device());
        final MemorySegment scores = stripOf(partKeys);
        final MemorySegment weights = stripOf(partKeys);
        final MemorySegment ends = stripOf(1);

        Worker(int number) {
            this.number = number;
        }

        private MemorySegment stripOf(int count) {
            return programs.device().scratch((long) count * LatentScores.STRIP_BYTES);
        }
    }

    /// The weighted sums over one part of the keys.
    ///
    /// @param to where its results go
    private void part(Call call, Group group, int part, long to, Worker w) {
        int start = part * partKeys;
        Keys keys = keys(call, start, Math.min(partKeys, group.keys - start), w);
        int next = part + workers.count() < group.parts ? part + workers.count() : part;
        long nextKeys = call.cache.memory().address() + next * partKeys * Span.stride(call.cache, 0);
        long nextValues = call.values.address() + call.values.byteSize() * part / group.parts;
        for (int from = 0; from < group.rows(); from += STRIP) {
            int rows = Math.min(STRIP, group.rows() - from);
            int[] seen = new int[STRIP];
            for (int i = 0; i < STRIP; i++) {
                seen[i] = i < rows ? Math.clamp(group.ends[from + i] - start, 0, keys.count) : keys.count;
            }
            boolean masked = Arrays.stream(seen).anyMatch(count -> count < keys.count);
            MemorySegment.copy(seen, 0, w.ends, ValueLayout.JAVA_INT, 0, STRIP);
            scores(call, keys, call.queries + (group.strip + from / STRIP) * call.strip, nextKeys, w);
            LatentSoftmax softmax = new LatentSoftmax(kind, precision == Precision.BF16, masked);
            for (int lane = 0; lane < STRIP; lane += programs.isa().lanes()) {
                long vector = (long) lane * Float.BYTES;
                arguments.call(
                        programs.get(softmax, softmax::write),
                        w.number,
                        w.scores.address() + vector,
                        keys.count,
                        w.weights.address() + vector,
                        to + Call.largest(from + lane),
                        to + call.total(from + lane),
                        Arguments.bits(call.scale),
                        w.ends.address() + vector);
            }
            for (int i = 0; i < rows; ) {
                int same = i + 1;
                while (same < rows && seen[same] == seen[i]) {
                    same++;
                }
                if (seen[i] > 0) {
                    Keys first = new Keys(keys.address, seen[i], keys.stride);
                    sums(call, first, i, same, to + call.sums(from + i), nextValues, w);
                }
                i = same;
            }
        }
    }

    /// @return rows of the cache, where they lie if products can read them there
    private Keys keys(Call call, int start, int count, Worker w) {
        Tensor rows = call.cache.slice(0, start, start + count);
        boolean asTheyAre = kind == Tile.Kind.BF16
                ? rows.dtype() == DType.BF16 && call.width() % kind.perGroup() == 0
                : rows.dtype() == DType.F32 && precision == Precision.F32;
        long stride = Span.stride(rows, 0);
        if (asTheyAre && stride <= STRIDE_MOST) {
            return new Keys(Span.address(rows), count, (int) stride);
        }
        Blocks.Left copy = w.blocks.left(
                rows,
                w.keys.at(partKeys * w.blocks.rowStride(call.width())
                        + programs.isa().bytes()));
        return new Keys(copy.address(), count, Math.toIntExact(copy.stride()));
    }

    private void scores(Call call, Keys keys, long queries, long next, Worker w) {
        int tile = LatentScores.tileRows(programs.isa());
        LatentScores code = new LatentScores(kind, keys.stride, keys.count % tile);
        arguments.call(
                programs.get(code, code::write),
                w.number,
                keys.address,
                kind.groups(call.width()),
                queries,
                w.scores.address(),
                keys.count / tile,
                next);
    }

    /// The sums of the rows `from` to `to` of a strip.
    private void sums(Call call, Keys keys, int from, int to, long sums, long next, Worker w) {
        int block = LatentSums.blockColumns(programs.isa());
        LatentSums code = new LatentSums(kind, to - from, keys.stride, call.rank % block);
        arguments.call(
                programs.get(code, code::write),
                w.number,
                keys.address,
                keys.count,
                w.weights.address() + (long) from * Float.BYTES,
                sums,
                call.stride,
                call.rank / block,
                next);
    }

    /// Joins the parts of a row's sums, those that it sees, and divides by the sum of weights.
    private void join(Call call, Group group, int row, MemorySegment parts, MemorySegment means, Worker w) {
        MemorySegment mean = means.asSlice((group.first + row) * call.stride, call.stride);
        int count = parts(group.ends[row]);
        if (count == 0) {
            mean.fill((byte) 0);
            return;
        }
        float most = RowSoftmax.LOWEST;
        for (int part = 0; part < count; part++) {
            most = Math.max(most, parts.get(ValueLayout.JAVA_FLOAT, part * call.partBytes() + Call.largest(row)));
        }
        MemorySegment factors = w.factors.of((long) count * Float.BYTES);
        float total = 0;
        for (int part = 0; part < count; part++) {
            long at = part * call.partBytes();
            float factor = (float) Math.exp(parts.get(ValueLayout.JAVA_FLOAT, at + Call.largest(row)) - most);
            factors.setAtIndex(ValueLayout.JAVA_FLOAT, part, factor);
            total += factor * parts.get(ValueLayout.JAVA_FLOAT, at + call.total(row));
        }
        int vectors = w.blocks.padded(call.rank) / programs.isa().lanes();
        int block = JoinParts.blockVectors(programs.isa());
        JoinParts code = new JoinParts(vectors % block);
        arguments.call(
                programs.get(code, code::write),
                w.number,
                parts.address() + call.sums(row),
                call.partBytes(),
                factors.address(),
                count,
                mean.address(),
                vectors / block,
                Arguments.bits(1 / total));
    }
}
