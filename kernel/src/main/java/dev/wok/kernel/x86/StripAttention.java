package dev.wok.kernel.x86;

import dev.wok.device.Workers;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.jspecify.annotations.Nullable;

/// Attention of queries over rows of a cache, the core that its operations share: `out[t, h] = sum_j
/// softmax_j(scale * queries[t, h] . keys[j]) values[j]`.
///
/* Queries that share keys and values meet them together, in strips. The rows of a cache are used where they lie, in both
 * products: for the scores a row's elements are repeated in all lanes and each lane is a query, for the weighted sums a
 * vector is some columns of a row and the weights are repeated. Nothing is packed but the queries. While one thing is
 * computed, what is needed next is fetched.
 *
 * Keys are taken in parts of fixed size, each with its own largest score; the results of parts are joined in their order.
 * So it is all the same who computes which part, and which other queries there are. What a query does not see gets a
 * weight of zero, and is left out where that does not suffice: it may hold infinities or NaN.
 */
final class StripAttention {
    private static final int STRIP = StripScores.STRIP;
    private static final int ROWS = 128;
    /// Bytes of parts that wait to be joined, which the last-level cache holds; one group may take more.
    private static final long PARTS_MOST = 16 << 20;
    private static final int STRIDE_MOST = 1 << 24;
    /// Rows so many bytes apart meet in few sets of the second-level cache, which does not hold a part of them.
    private static final int CROWDED = 4096;
    /// Queries from which on crowded rows are copied.
    private static final int COPY_QUERIES = 64;

    private final Precision precision;
    private final Programs programs;
    private final Tile.Kind kind;
    private final Workers workers;
    private final Arguments arguments;
    private final Buffer packed;
    private final Buffer parts;
    private final Worker[] worker;

    StripAttention(Gemm gemm, Precision precision) {
        this.precision = precision;
        programs = gemm.programs();
        kind = gemm.kind(precision);
        workers = programs.device().workers();
        arguments = new Arguments(programs.device());
        packed = new Buffer(programs.device());
        parts = new Buffer(programs.device());
        worker = new Worker[workers.count()];
        for (int i = 0; i < worker.length; i++) {
            worker[i] = new Worker(i);
        }
    }

    /// Queries with keys and values of their own.
    ///
    /// @param queries `[tokens, heads, width]`, float32
    /// @param keys `[pages, rows, width]`
    /// @param values `[pages, rows, columns]`, the first columns of the keys where they lie at the same place
    /// @param sequence which pages those are, and what each token sees
    /// @param out `[tokens, heads, columns]`, float32, written
    record Problem(Tensor queries, Tensor keys, Tensor values, PagedSequence sequence, Tensor out) {
        boolean valuesAreKeys() {
            return values.memory().address() == keys.memory().address()
                    && values.stride(0) == keys.stride(0)
                    && values.stride(1) == keys.stride(1)
                    && values.dim(2) <= keys.dim(2);
        }

        /// @param cache the keys or the values
        /// @return where a row of the sequence lies
        long address(Tensor cache, int row) {
            return cache.memory().address()
                    + sequence.page(row) * Span.stride(cache, 0)
                    + sequence.within(row) * Span.stride(cache, 1);
        }

        int heads() {
            return queries.size(1);
        }

        int columns() {
            return values.size(2);
        }
    }

    /// Some queries of a problem with all their heads, a row for each, in strips.
    ///
    /// @param first its first row of the problem's
    /// @param strip its first strip of all
    /// @param ends for each row how many keys it sees
    /// @param keys the most of them
    /// @param parts of them
    private record Group(Problem problem, int first, int strip, int[] ends, int keys, int parts) {
        int rows() {
            return ends.length;
        }
    }

    /// @param partKeys keys of a part
    /// @param queries strips of packed rows
    /// @param strip bytes of a strip
    /// @param rows of a group, at most, in whole strips
    /// @param stride bytes between rows of sums
    /// @param after what is needed behind all of this, null where the next keys are
    private record Call(
            int partKeys,
            float scale,
            long queries,
            long strip,
            int rows,
            long stride,
            @Nullable MemorySegment after) {
        /* What a part leaves behind: for each row of a group its largest score, the sum of its weights, and the sums of
         * values under these weights.
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

    /// A part of a group's keys.
    ///
    /// @param at where its results go
    private record Part(Group group, int number, long at) {
        int start(Call call) {
            return number * call.partKeys;
        }

        int count(Call call) {
            return Math.min(call.partKeys, group.keys - start(call));
        }

        /// @return where a row of this part lies, or of the next part where that row is asked for early
        long address(Tensor cache, Call call, int row) {
            return group.problem.address(cache, start(call) + Math.min(row, count(call) - 1));
        }

        /// @return the rows, those together that lie in one page
        List<Run> runs(Call call) {
            List<Run> runs = new ArrayList<>();
            int end = start(call) + count(call);
            for (int row = start(call); row < end; ) {
                int together = group.problem.sequence.together(row, end);
                runs.add(new Run(row, together));
                row += together;
            }
            return runs;
        }
    }

    /// Rows of a sequence that lie in one page.
    private record Run(int row, int count) {}

    /// The rows of a part as operands, in runs that each lie somewhere.
    private record Keys(CacheRows rows, long[] addresses, int[] counts) {}

    /// Computes all problems, which have the same heads, width and columns.
    ///
    /// @param partGroups groups of keys in a part
    /// @param after what is needed behind all of this, null where nothing is
    void run(List<Problem> problems, float scale, int partGroups, @Nullable MemorySegment after) {
        Problem one = problems.getFirst();
        int partKeys = partGroups * kind.perGroup();
        int perGroup = Math.max(1, ROWS / one.heads());
        List<Group> groups = new ArrayList<>();
        int strips = 0;
        int longest = 0;
        for (Problem problem : problems) {
            int tokens = problem.queries.size(0);
            longest = Math.max(longest, tokens);
            for (int from = 0; from < tokens; from += perGroup) {
                int count = Math.min(perGroup, tokens - from);
                groups.add(group(problem, from, count, strips, partKeys));
                strips += strips(count * problem.heads());
            }
        }
        long strip = (long) kind.groups(one.queries.size(2)) * StripScores.STRIP_BYTES;
        int rows = strips(Math.min(perGroup, longest) * one.heads()) * STRIP;
        long queries = packed.at(strips * strip);
        pack(groups, strips, queries, strip);
        long stride = worker[0].blocks.resultStride(one.columns());
        sum(new Call(partKeys, scale, queries, strip, rows, stride, after), groups);
    }

    private static int strips(int rows) {
        return (rows + STRIP - 1) / STRIP;
    }

    private static Group group(Problem problem, int from, int count, int strip, int partKeys) {
        int heads = problem.heads();
        int[] ends = new int[count * heads];
        int keys = 0;
        for (int i = 0; i < ends.length; i++) {
            ends[i] = problem.sequence.positions()[from + i / heads] + 1;
            keys = Math.max(keys, ends[i]);
        }
        return new Group(problem, from * heads, strip, ends, keys, parts(keys, partKeys));
    }

    private static int parts(int keys, int partKeys) {
        return (keys + partKeys - 1) / partKeys;
    }

    /// Packs all strips, each as groups of all its rows one after another.
    private void pack(List<Group> groups, int strips, long to, long strip) {
        record Task(Group group, int from) {}
        List<Task> tasks = new ArrayList<>(strips);
        for (Group group : groups) {
            for (int from = 0; from < group.rows(); from += STRIP) {
                tasks.add(new Task(group, from));
            }
        }
        workers.run(strips, (number, w) -> {
            Task task = tasks.get(number);
            Group group = task.group;
            int count = Math.min(STRIP, group.rows() - task.from);
            long at = to + number * strip;
            worker[w].blocks.strip(group.problem.queries, group.first + task.from, count, STRIP, at);
        });
    }

    /// Fills the results: parts of some groups, as far as memory reaches, then their joining.
    private void sum(Call call, List<Group> groups) {
        record Join(Group group, int row, long at) {}
        for (int g = 0; g < groups.size(); ) {
            List<Group> together = new ArrayList<>();
            List<Join> joins = new ArrayList<>();
            long[] at = new long[groups.size()];
            long bytes = 0;
            do {
                Group group = groups.get(g);
                at[together.size()] = bytes;
                together.add(group);
                for (int row = 0; row < group.rows(); row++) {
                    joins.add(new Join(group, row, bytes));
                }
                bytes += group.parts * call.partBytes();
                g++;
            } while (g < groups.size() && bytes + groups.get(g).parts * call.partBytes() <= PARTS_MOST);
            List<Part> wave = parts(call, together, at);
            MemorySegment memory = parts.of(bytes);
            workers.run(wave.size(), (task, w) -> {
                int next = task + workers.count();
                part(call, wave.get(task), wave.get(next < wave.size() ? next : task), memory.address(), worker[w]);
            });
            workers.run(joins.size(), (task, w) -> {
                Join join = joins.get(task);
                join(call, join.group, join.row, memory.asSlice(join.at), worker[w]);
            });
        }
    }

    /// @param at where each group's results begin
    /// @return the parts of all groups, such that neighbours read neighbouring keys
    private static List<Part> parts(Call call, List<Group> groups, long[] at) {
        int most = groups.stream().mapToInt(Group::parts).max().orElse(0);
        List<Part> parts = new ArrayList<>();
        for (int part = 0; part < most; part++) {
            for (int g = 0; g < groups.size(); g++) {
                if (part < groups.get(g).parts) {
                    parts.add(new Part(groups.get(g), part, at[g] + part * call.partBytes()));
                }
            }
        }
        return parts;
    }

    /// A worker's own memory.
    private final class Worker {
        final int number;
        final Blocks blocks = new Blocks(programs, kind, precision);
        final Buffer keys = new Buffer(programs.device());
        final Buffer values = new Buffer(programs.device());
        final Buffer factors = new Buffer(programs.device());
        final Buffer scores = new Buffer(programs.device());
        final Buffer weights = new Buffer(programs.device());
        final MemorySegment ends = programs.device().scratch(StripScores.STRIP_BYTES);

        Worker(int number) {
            this.number = number;
        }
    }

    /// What a worker has at hand for one part.
    ///
    /// @param count how many keys
    /// @param valuesNext asked for during the scores
    /// @param keysNext asked for during the sums
    private record Work(Call call, Worker w, Keys keys, Keys values, int count, Asked valuesNext, Asked keysNext) {}

    /// @param address of what goes with a row of the part
    /// @param lines with each step of sums, 0 for as many as they read
    private record Asked(IntToLongFunction address, Ahead ahead, int lines) {
        static Asked rows(Tensor cache, Part part, Call call) {
            return new Asked(row -> part.address(cache, call, row), Ahead.of(cache), 0);
        }
    }

    /// The weighted sums over one part of the keys.
    private void part(Call call, Part part, Part next, long parts, Worker w) {
        Group group = part.group;
        int start = part.start(call);
        int count = part.count(call);
        Work work = work(call, part, next, w);
        long to = parts + part.at;
        for (int from = 0; from < group.rows(); from += STRIP) {
            int rows = Math.min(STRIP, group.rows() - from);
            int[] seen = new int[STRIP];
            int least = count;
            int most = 0;
            for (int i = 0; i < STRIP; i++) {
                seen[i] = i < rows ? Math.clamp(group.ends[from + i] - start, 0, count) : count;
                least = Math.min(least, seen[i]);
                most = i < rows ? Math.max(most, seen[i]) : most;
            }
            MemorySegment.copy(seen, 0, w.ends, ValueLayout.JAVA_INT, 0, STRIP);
            scores(work, group, from, rows);
            softmax(work, least < count, from, rows, to);
            long sums = to + call.sums(from);
            if (most > 0) {
                sums(work, group, most, 0, rows, sums);
            }
            if (least < most && !w.blocks.finite(sums, call.stride, rows, group.problem.columns())) {
                sumSeen(work, group, seen, rows, sums);
            }
        }
    }

    private Work work(Call call, Part part, Part next, Worker w) {
        Problem problem = part.group.problem;
        Tensor keys = problem.keys;
        Tensor values = problem.values;
        Asked nextKeys = Asked.rows(next.group.problem.keys, next, call);
        boolean same = problem.valuesAreKeys();
        int rows = part.group.rows();
        boolean lie = lieAsKeys(keys, rows) && (!same || lieAsValues(values, rows));
        Keys left = lie ? asTheyLie(part, keys, call) : copy(part, keys, call, w.keys, w);
        Keys right = same
                ? left
                : lieAsValues(values, rows) ? asTheyLie(part, values, call) : copy(part, values, call, w.values, w);
        Asked during = call.after == null ? nextKeys : share(call, call.after, part);
        return new Work(
                call, w, left, right, part.count(call), same ? nextKeys : Asked.rows(values, part, call), during);
    }

    /// A part's share of what is needed behind all parts.
    private Asked share(Call call, MemorySegment after, Part part) {
        int parts = part.group.parts;
        int count = part.count(call);
        return new Asked(
                row -> after.address() + after.byteSize() * ((long) part.number * count + row) / ((long) parts * count),
                Ahead.ON,
                programs.isa().hasMasks() ? 2 : 1);
    }

    /// @param queries that read them
    /// @return whether products read rows where they are: their elements are operands, or bf16 that
    ///     becomes them
    private boolean lie(Tensor rows, int queries) {
        boolean operands = rows.dtype() == DType.BF16 || kind == Tile.Kind.F32 && precision == Precision.F32;
        long stride = Span.stride(rows, 1);
        return operands && stride <= STRIDE_MOST && (queries < COPY_QUERIES || stride % CROWDED != 0);
    }

    private boolean lieAsKeys(Tensor rows, int queries) {
        return lie(rows, queries) && (rows.dtype() == DType.F32 || rows.size(2) % 2 == 0);
    }

    private boolean lieAsValues(Tensor rows, int queries) {
        boolean whole =
                programs.isa().hasMasks() || rows.size(2) % programs.isa().lanes() == 0;
        return lie(rows, queries) && (rows.dtype() == DType.F32 || whole);
    }

    private Keys asTheyLie(Part part, Tensor cache, Call call) {
        boolean widens = kind == Tile.Kind.F32 && cache.dtype() == DType.BF16;
        CacheRows rows = new CacheRows(kind, widens, (int) Span.stride(cache, 1));
        List<Run> runs = part.runs(call);
        long[] addresses = new long[runs.size()];
        int[] counts = new int[runs.size()];
        for (int i = 0; i < counts.length; i++) {
            addresses[i] = part.group.problem.address(cache, runs.get(i).row);
            counts[i] = runs.get(i).count;
        }
        return new Keys(rows, addresses, counts);
    }

    private Keys copy(Part part, Tensor cache, Call call, Buffer buffer, Worker w) {
        PagedSequence sequence = part.group.problem.sequence;
        long stride = w.blocks.rowStride(cache.size(2));
        long to = buffer.at(call.partKeys * stride + programs.isa().bytes());
        for (Run run : part.runs(call)) {
            int within = sequence.within(run.row);
            Tensor together = cache.select(0, sequence.page(run.row)).slice(0, within, within + run.count);
            w.blocks.left(together, to + (run.row - part.start(call)) * stride);
        }
        CacheRows rows = new CacheRows(kind, false, Math.toIntExact(stride));
        return new Keys(rows, new long[] {to}, new int[] {part.count(call)});
    }

    private void scores(Work work, Group group, int from, int rows) {
        Call call = work.call;
        CacheRows keys = work.keys.rows;
        int vectors = (rows + programs.isa().lanes() - 1) / programs.isa().lanes();
        int tile = StripScores.tileRows(programs.isa(), vectors, keys.stride());
        long scores = work.w.scores.at((long) call.partKeys * StripScores.STRIP_BYTES);
        int done = 0;
        for (int run = 0; run < work.keys.counts.length; run++) {
            int count = work.keys.counts[run];
            StripScores code = new StripScores(keys, vectors, count % tile, work.valuesNext.ahead);
            arguments.call(
                    programs.get(code, code::write),
                    work.w.number,
                    work.keys.addresses[run],
                    kind.groups(group.problem.keys.size(2)) / keys.groups(),
                    call.queries + (group.strip + from / STRIP) * call.strip,
                    scores + (long) done * StripScores.STRIP_BYTES,
                    count / tile,
                    work.valuesNext.address.applyAsLong(done));
            done += count;
        }
    }

    /// Makes weights of a strip's scores.
    ///
    /// @param from the strip's first row
    /// @param to where the part's results go
    private void softmax(Work work, boolean masked, int from, int rows, long to) {
        Call call = work.call;
        long bytes = (long) call.partKeys * StripScores.STRIP_BYTES;
        StripSoftmax code = new StripSoftmax(kind, precision == Precision.BF16, masked);
        for (int lane = 0; lane < rows; lane += programs.isa().lanes()) {
            long vector = (long) lane * Float.BYTES;
            arguments.call(
                    programs.get(code, code::write),
                    work.w.number,
                    work.w.scores.at(bytes) + vector,
                    work.count,
                    work.w.weights.at(bytes) + vector,
                    to + Call.largest(from + lane),
                    to + call.total(from + lane),
                    Arguments.bits(call.scale),
                    work.w.ends.address() + vector);
        }
    }

    /// The sums of the rows `from` to `to` of a strip over the first keys.
    private void sums(Work work, Group group, int keys, int from, int to, long sums) {
        int columns = group.problem.columns();
        int block = StripSums.blockColumns(programs.isa());
        CacheRows values = work.values.rows;
        Asked next = work.keysNext;
        int lines = next.lines > 0 ? next.lines : StripSums.linesAhead(programs.isa(), values, to - from);
        long weights = work.w.weights.at((long) work.call.partKeys * StripScores.STRIP_BYTES);
        int done = 0;
        for (int run = 0; done < keys; run++) {
            int count = Math.min(work.values.counts[run], keys - done);
            StripSums code = new StripSums(values, to - from, columns % block, next.ahead, lines, done > 0);
            arguments.call(
                    programs.get(code, code::write),
                    work.w.number,
                    work.values.addresses[run],
                    count,
                    weights + (long) done / kind.perGroup() * StripScores.STRIP_BYTES + (long) from * Float.BYTES,
                    sums + from * work.call.stride,
                    work.call.stride,
                    columns / block,
                    next.address.applyAsLong(done));
            done += count;
        }
    }

    /// The sums of a strip's rows, each over what it sees.
    private void sumSeen(Work work, Group group, int[] seen, int rows, long sums) {
        for (int i = 0; i < rows; ) {
            int same = i + 1;
            while (same < rows && seen[same] == seen[i]) {
                same++;
            }
            if (seen[i] > 0) {
                sums(work, group, seen[i], i, same, sums);
            }
            i = same;
        }
    }

    /// Joins the parts of a row's sums, those that it sees, and divides by the sum of weights.
    private void join(Call call, Group group, int row, MemorySegment parts, Worker w) {
        Tensor out = group.problem.out;
        int number = group.first + row;
        long bytes = (long) group.problem.columns() * Float.BYTES;
        long at = out.offset(number / out.size(1), number % out.size(1)) * Float.BYTES;
        int count = parts(group.ends[row], call.partKeys);
        if (count == 0) {
            out.memory().asSlice(at, bytes).fill((byte) 0);
            return;
        }
        float most = RowSoftmax.LOWEST;
        for (int part = 0; part < count; part++) {
            most = Math.max(most, parts.get(ValueLayout.JAVA_FLOAT, part * call.partBytes() + Call.largest(row)));
        }
        MemorySegment factors = w.factors.of((long) count * Float.BYTES);
        float total = 0;
        for (int part = 0; part < count; part++) {
            long results = part * call.partBytes();
            float factor = (float) Math.exp(parts.get(ValueLayout.JAVA_FLOAT, results + Call.largest(row)) - most);
            factors.setAtIndex(ValueLayout.JAVA_FLOAT, part, factor);
            total += factor * parts.get(ValueLayout.JAVA_FLOAT, results + call.total(row));
        }
        int block = JoinParts.blockColumns(programs.isa());
        JoinParts code = new JoinParts(group.problem.columns() % block);
        arguments.call(
                programs.get(code, code::write),
                w.number,
                parts.address() + call.sums(row),
                call.partBytes(),
                factors.address(),
                count,
                out.memory().address() + at,
                group.problem.columns() / block,
                Arguments.bits(1 / total));
    }
}
