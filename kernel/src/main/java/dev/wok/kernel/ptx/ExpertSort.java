package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Routing.Plan;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// Sorts slots by expert, those of one expert in their order.
///
/// A chunk of slots is a block's, a part of it a warp's. Three launches: each chunk's counts of each
/// expert; for each expert, what is before each chunk; where each slot goes. Few slots are one chunk
/// and one launch. Numbers that are no expert are sorted behind all experts, in rows from the last of
/// the offsets on.
///
/// @param experts how many there are
record ExpertSort(int experts) {
    private static final int WARPS = 16;
    private static final int THREADS = WARPS * Sums.LANES;

    /// Slots of a warp in a chunk, unless there would be too many chunks.
    private static final int SHARE = 128;

    /// Slots up to here are one chunk.
    private static final int ONE_CHUNK = 4096;

    private static final int MOST_CHUNKS = 1024;

    /// Threads that go through the chunks side by side, for each expert.
    private static final int SLICES = 16;

    private record Count(ExpertSort sort) {}

    private record Before(ExpertSort sort) {}

    private record Place(ExpertSort sort, boolean isOneChunk) {}

    List<Consumer<PtxKernel>> kernels() {
        return List.of(this::count, this::before, k -> place(k, false), k -> place(k, true));
    }

    /// The experts, and one more for what is none.
    private int buckets() {
        return experts + 1;
    }

    /// Shared memory: counters of each warp, and of all.
    private int sharedBytes() {
        return (WARPS + 1) * buckets() * Integer.BYTES;
    }

    void run(Programs programs, Tensor chosen, Plan plan, Tensor load) {
        GpuStream stream = programs.gpu().stream();
        int slots = Math.toIntExact(chosen.elements());
        boolean isOne = slots <= ONE_CHUNK;
        int share = isOne ? roundUp(slots, WARPS) : Math.max(SHARE, roundUp(slots, WARPS * MOST_CHUNKS));
        int chunks = isOne ? 1 : Math.ceilDiv(slots, share * WARPS);
        Tensor counts = programs.scratch("ExpertSort.counts", DType.I32, isOne ? 1 : (long) chunks * buckets());
        Tensor totals = programs.scratch("ExpertSort.totals", DType.I32, buckets());
        if (!isOne) {
            stream.launch(
                    programs.get(new Count(this), "expert_counts", this::count),
                    Launch.of(chunks, THREADS).withShared(buckets() * Integer.BYTES),
                    chosen,
                    slots,
                    share,
                    counts);
            stream.launch(
                    programs.get(new Before(this), "expert_starts", this::before),
                    Launch.of(Math.ceilDiv(buckets(), Sums.LANES), 1).withBlock(Sums.LANES, SLICES, 1),
                    counts,
                    totals,
                    chunks);
        }
        stream.launch(
                programs.get(new Place(this, isOne), "expert_sort", k -> place(k, isOne)),
                Launch.of(chunks, THREADS).withShared(sharedBytes()),
                chosen,
                slots,
                share,
                counts,
                totals,
                plan.offsets(),
                plan.rowSlot(),
                plan.slotRow(),
                load);
    }

    /// @return slots of each of so many warps, whole warps
    private static int roundUp(int slots, int warps) {
        return Math.ceilDiv(Math.ceilDiv(slots, warps), Sums.LANES) * Sums.LANES;
    }

    /// The slots of this thread's warp.
    private record Part(Reg chosen, Reg tid, Reg lane, Reg warp, Reg begin, Reg end) {
        static Part of(PtxKernel k) {
            Reg chosen = k.param("chosen", Type.U64);
            Reg slots = k.param("slots", Type.U32);
            Reg share = k.param("share", Type.U32);
            Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
            Reg lane = k.reg(Type.U32, "lane");
            Reg warp = k.reg(Type.U32, "warp");
            Reg begin = k.reg(Type.U32, "begin", Special.CTAID_X);
            Reg end = k.reg(Type.U32, "end");
            k.and(lane, tid, Sums.LANES - 1);
            k.shr(warp, tid, 5);
            k.mad(begin, begin, WARPS, warp);
            k.mul(begin, begin, share);
            k.add(end, begin, share);
            k.min(end, end, slots);
            return new Part(chosen, tid, lane, warp, begin, end);
        }

        /// @return a slot's expert, or the number of experts where it is none
        Reg bucket(PtxKernel k, Reg slot, int experts) {
            Reg bucket = k.reg(Type.U32, "bucket");
            Reg at = k.reg(Type.U64, "chosen_at");
            k.madWide(at, slot, Integer.BYTES, chosen);
            k.ld(GLOBAL, bucket, at);
            k.min(bucket, bucket, experts);
            return bucket;
        }
    }

    private static Reg inShared(PtxKernel k, String name, Reg index, Reg base) {
        Reg at = k.reg(Type.U32, name);
        k.mad(at, index, Integer.BYTES, base);
        return at;
    }

    private static Reg inGlobal(PtxKernel k, String name, Reg index, Reg base) {
        Reg at = k.reg(Type.U64, name);
        k.madWide(at, index, Integer.BYTES, base);
        return at;
    }

    /// Sets counters to zero; a barrier must follow.
    private static void clear(PtxKernel k, Reg counters, Reg tid, int count) {
        k.loop(
                "i",
                tid,
                count,
                THREADS,
                i -> k.st(SHARED, inShared(k, "zero_at", i, counters), k.reg(Type.U32, "zero", 0)));
    }

    /// Counts this warp's slots.
    private void tally(PtxKernel k, Part part, Reg counters) {
        Reg first = k.reg(Type.U32, "first_slot");
        k.add(first, part.begin, part.lane);
        k.loop("slot", first, part.end, Sums.LANES, slot -> {
            Reg at = inShared(k, "count_at", part.bucket(k, slot, experts), counters);
            k.op("red.shared.add.u32", at.at(0), 1);
        });
    }

    /// `counts[chunk][bucket]`
    private void count(PtxKernel k) {
        k.maxThreads(THREADS);
        Part part = Part.of(k);
        Reg counts = k.param("counts", Type.U64);
        Symbol memory = k.dynamicShared("memory", 16);
        Reg counters = k.reg(Type.U32, "counters");
        k.mov(counters, memory);
        clear(k, counters, part.tid, buckets());
        k.bar();
        tally(k, part, counters);
        k.bar();
        Reg chunk = k.reg(Type.U32, "chunk", Special.CTAID_X);
        Reg to = k.reg(Type.U64, "to");
        k.madWide(to, chunk, buckets() * Integer.BYTES, counts);
        Reg value = k.reg(Type.U32, "value");
        k.loop("i", part.tid, buckets(), THREADS, i -> {
            k.ld(SHARED, value, inShared(k, "from", i, counters));
            k.st(GLOBAL, inGlobal(k, "at", i, to), value);
        });
    }

    /// Turns the chunks' counts of each expert into what is in the chunks before, and sums them up: a
    /// column of a block for each expert, whose threads each go through some of the chunks.
    private void before(PtxKernel k) {
        k.maxThreads(Sums.LANES * SLICES);
        Reg counts = k.param("counts", Type.U64);
        Reg totals = k.param("totals", Type.U64);
        Reg chunks = k.param("chunks", Type.U32);
        Symbol sums = k.shared("sums", Type.U32, Sums.LANES * SLICES, Integer.BYTES);
        Reg lane = k.reg(Type.U32, "lane", Special.TID_X);
        Reg slice = k.reg(Type.U32, "slice", Special.TID_Y);
        Reg bucket = k.reg(Type.U32, "bucket", Special.CTAID_X);
        k.mad(bucket, bucket, Sums.LANES, lane);
        Reg isInside = k.compare(Compare.LT, bucket, buckets());
        Reg length = k.reg(Type.U32, "length");
        Reg begin = k.reg(Type.U32, "begin");
        Reg end = k.reg(Type.U32, "end");
        k.add(length, chunks, SLICES - 1);
        k.div(length, length, SLICES);
        k.mul(begin, slice, length);
        k.add(end, begin, length);
        k.min(end, end, chunks);
        Reg column = inGlobal(k, "column", bucket, counts);
        Reg sum = k.reg(Type.U32, "sum", 0);
        Reg value = k.reg(Type.U32, "value");
        Reg at = k.reg(Type.U64, "at");
        k.when(
                isInside,
                () -> k.loop("chunk", begin, end, 1, chunk -> {
                    k.madWide(at, chunk, buckets() * Integer.BYTES, column);
                    k.ld(GLOBAL, value, at);
                    k.add(sum, sum, value);
                }));
        Reg base = k.reg(Type.U32, "sums_at");
        k.mov(base, sums);
        k.mad(base, lane, Integer.BYTES, base);
        Reg own = k.reg(Type.U32, "own_at");
        k.mad(own, slice, Sums.LANES * Integer.BYTES, base);
        k.st(SHARED, own, sum);
        k.bar();
        k.comment("what is before this thread's chunks");
        Reg running = k.reg(Type.U32, "running", 0);
        k.loop("other", 0, slice, 1, other -> {
            Reg from = k.reg(Type.U32, "other_at");
            k.mad(from, other, Sums.LANES * Integer.BYTES, base);
            k.ld(SHARED, value, from);
            k.add(running, running, value);
        });
        k.when(isInside, () -> {
            k.loop("chunk", begin, end, 1, chunk -> {
                k.madWide(at, chunk, buckets() * Integer.BYTES, column);
                k.ld(GLOBAL, value, at);
                k.st(GLOBAL, at, running);
                k.add(running, running, value);
            });
            k.when(
                    k.compare(Compare.EQ, slice, SLICES - 1),
                    () -> k.st(GLOBAL, inGlobal(k, "total_at", bucket, totals), running));
        });
    }

    private void place(PtxKernel k, boolean isOneChunk) {
        k.maxThreads(THREADS);
        Part part = Part.of(k);
        Reg counts = k.param("counts", Type.U64);
        Reg totals = k.param("totals", Type.U64);
        Reg offsets = k.param("offsets", Type.U64);
        Reg rowSlot = k.param("row_slot", Type.U64);
        Reg slotRow = k.param("slot_row", Type.U64);
        Reg load = k.param("load", Type.U64);
        Symbol memory = k.dynamicShared("memory", 16);
        Symbol parts = k.shared("parts", Type.U32, WARPS, Integer.BYTES);
        Reg counters = k.reg(Type.U32, "counters");
        Reg own = k.reg(Type.U32, "own_counters");
        Reg starts = k.reg(Type.U32, "starts");
        k.mov(counters, memory);
        k.mad(own, part.warp, buckets() * Integer.BYTES, counters);
        k.add(starts, counters, WARPS * buckets() * Integer.BYTES);
        clear(k, counters, part.tid, WARPS * buckets());
        k.bar();
        tally(k, part, own);
        if (isOneChunk) {
            k.bar();
        }

        k.comment("where each expert's rows begin");
        Reg chunk = k.reg(Type.U32, "chunk", Special.CTAID_X);
        Reg isFirst = k.compare(Compare.EQ, chunk, 0);
        Reg value = k.reg(Type.U32, "value");
        Reg total = k.reg(Type.U32, "total");
        Reg carry = k.reg(Type.U32, "carry", 0);
        k.loop("from_bucket", 0, buckets(), THREADS, from -> {
            Reg bucket = k.reg(Type.U32, "bucket");
            k.add(bucket, from, part.tid);
            Reg isBucket = k.compare(Compare.LT, bucket, buckets());
            k.mov(total, 0);
            k.when(isBucket, () -> {
                if (isOneChunk) {
                    Reg at = inShared(k, "count_at", bucket, counters);
                    for (int warp = 0; warp < WARPS; warp++) {
                        k.ld(SHARED, value, at.at((long) warp * buckets() * Integer.BYTES));
                        k.add(total, total, value);
                    }
                } else {
                    k.ld(GLOBAL, total, inGlobal(k, "total_at", bucket, totals));
                }
            });
            Reg before = before(k, part, total, carry, parts);
            k.when(isBucket, () -> {
                k.st(SHARED, inShared(k, "start_at", bucket, starts), before);
                k.when(isFirst, () -> {
                    k.st(GLOBAL, inGlobal(k, "offset_at", bucket, offsets), before);
                    k.when(k.compare(Compare.LT, bucket, experts), () -> {
                        Reg at = inGlobal(k, "load_at", bucket, load);
                        k.ld(GLOBAL, value, at);
                        k.add(value, value, total);
                        k.st(GLOBAL, at, value);
                    });
                });
            });
        });

        k.comment("where each warp's slots of an expert go: behind those of the warps before");
        Reg running = k.reg(Type.U32, "running");
        k.loop("bucket", part.tid, buckets(), THREADS, bucket -> {
            k.ld(SHARED, running, inShared(k, "start_at", bucket, starts));
            if (!isOneChunk) {
                Reg chunkAt = k.reg(Type.U64, "chunk_at");
                k.madWide(chunkAt, chunk, buckets() * Integer.BYTES, counts);
                k.ld(GLOBAL, value, inGlobal(k, "before_at", bucket, chunkAt));
                k.add(running, running, value);
            }
            Reg at = inShared(k, "count_at", bucket, counters);
            for (int warp = 0; warp < WARPS; warp++) {
                long of = (long) warp * buckets() * Integer.BYTES;
                k.ld(SHARED, value, at.at(of));
                k.st(SHARED, at.at(of), running);
                k.add(running, running, value);
            }
        });
        k.bar();
        put(k, part, own, rowSlot, slotRow);
    }

    /// @param total of this thread
    /// @param carry of all threads of the rounds before; gets this round's total on top
    /// @return the sum of the totals before this thread's, in a new register
    private static Reg before(PtxKernel k, Part part, Reg total, Reg carry, Symbol parts) {
        Reg sum = k.reg(Type.U32, "sum", total);
        Reg other = k.reg(Type.U32, "other");
        for (int lanes = 1; lanes < Sums.LANES; lanes *= 2) {
            k.shflUp(other, sum, lanes);
            k.onlyIf(k.compare(Compare.GE, part.lane, lanes), () -> k.add(sum, sum, other));
        }
        Reg at = k.reg(Type.U32, "part_at");
        k.mov(at, parts);
        k.mad(at, part.warp, Integer.BYTES, at);
        k.when(k.compare(Compare.EQ, part.lane, Sums.LANES - 1), () -> k.st(SHARED, at, sum));
        k.bar();
        k.sub(sum, sum, total);
        k.add(sum, sum, carry);
        for (int warp = 0; warp < WARPS; warp++) {
            k.ld(SHARED, other, parts.at((long) warp * Integer.BYTES));
            k.onlyIf(k.compare(Compare.GT, part.warp, warp), () -> k.add(sum, sum, other));
            k.add(carry, carry, other);
        }
        k.bar();
        return sum;
    }

    /// Puts slots into their rows, 32 at a time: those of one expert side by side, in the order of the
    /// lanes.
    private void put(PtxKernel k, Part part, Reg counters, Reg rowSlot, Reg slotRow) {
        Reg below = k.reg(Type.U32, "lanes_below", Special.LANEMASK_LT);
        k.loop("first", part.begin, part.end, Sums.LANES, first -> {
            Reg slot = k.reg(Type.U32, "slot");
            k.add(slot, first, part.lane);
            Reg isSlot = k.compare(Compare.LT, slot, part.end);
            Reg bucket = k.reg(Type.U32, "of_slot", buckets());
            k.when(isSlot, () -> k.mov(bucket, part.bucket(k, slot, experts)));
            Reg alike = k.reg(Type.U32, "alike");
            Reg rank = k.reg(Type.U32, "rank");
            Reg many = k.reg(Type.U32, "many");
            k.op("match.any.sync.b32", alike, bucket, Largest.FULL_WARP);
            k.and(rank, alike, below);
            k.op("popc.b32", rank, rank);
            k.op("popc.b32", many, alike);
            Reg at = inShared(k, "next_at", bucket, counters);
            Reg row = k.reg(Type.U32, "row");
            k.when(isSlot, () -> k.ld(SHARED, row, at));
            k.barWarp();
            k.when(isSlot, () -> {
                k.add(many, many, row);
                k.when(k.compare(Compare.EQ, rank, 0), () -> k.st(SHARED, at, many));
                k.add(row, row, rank);
                k.st(GLOBAL, inGlobal(k, "row_at", row, rowSlot), slot);
                k.st(GLOBAL, inGlobal(k, "slot_at", slot, slotRow), row);
            });
            k.barWarp();
        });
    }
}
