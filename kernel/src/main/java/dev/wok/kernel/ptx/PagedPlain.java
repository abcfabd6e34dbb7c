package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;

/// A [PagedBlock] with float32 sums and any sizes: a thread for each key, then a thread for each column of the values.
///
/// @param keys how a thread reads a row of the keys
/// @param heads of a block, a power of two up to 8
/// @param rounds whether operands are rounded to bf16
record PagedPlain(Elements q, Elements keys, Elements values, int heads, boolean rounds) {
    static final int MOST_HEADS = 8;
    static final int THREADS = 128;

    /// Rows of a chunk, all of whose scores are in shared memory at once.
    static final int KEYS = 256;

    private static final int WARPS = THREADS / Sums.LANES;
    private static final int PER_LANE = KEYS / Sums.LANES;
    private static final int MOST_VECTOR = 4;

    /// @return the block's dynamic shared memory
    int sharedBytes(int qkDim) {
        return qkDim * heads * Float.BYTES;
    }

    void write(PtxKernel k) {
        k.maxThreads(THREADS);
        Symbol scores = k.shared("scores", Type.F32, KEYS * heads, 16);
        Symbol keyAts = k.shared("key_ats", Type.U64, KEYS, 8);
        Symbol valueAts = k.shared("value_ats", Type.U64, KEYS, 8);
        Symbol queries = k.dynamicShared("queries", 16);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        PagedBlock block = PagedBlock.of(k, Chunks.of(KEYS), heads, lane);
        Reg queriesAt = k.reg(Type.U32, "queries_at");
        k.mov(queriesAt, queries);
        gather(k, block, tid, queriesAt, keyAts, valueAts);
        k.bar();
        score(k, block, tid, queriesAt, scores, keyAts);
        k.bar();
        powers(k, block, lane, warp, scores);
        k.bar();
        weigh(k, block, tid, scores, valueAts);
    }

    /// Queries to shared memory, `[qkDim, heads]`, zeros where there is no head; and where the chunk's rows lie.
    private void gather(PtxKernel k, PagedBlock block, Reg tid, Reg queriesAt, Symbol keyAts, Symbol valueAts) {
        k.comment("queries and places of rows");
        Reg numbers = k.reg(Type.U32, "numbers");
        Reg head = k.reg(Type.U32, "q_head");
        Reg dim = k.reg(Type.U32, "q_dim");
        Reg wide = k.reg(Type.U64, "q_wide");
        Reg from = k.reg(Type.U64, "q_from");
        Reg to = k.reg(Type.U32, "q_to");
        k.mul(numbers, block.qkDim(), heads);
        k.loop("number", tid, numbers, THREADS, number -> {
            k.op("div.u32", head, number, block.qkDim());
            k.mul(dim, head, block.qkDim());
            k.sub(dim, number, dim);
            Reg value = k.reg(Type.F32, "q_value", 0f);
            k.when(k.compare(Compare.LT, head, block.heads()), () -> {
                k.op("cvt.u64.u32", wide, head);
                k.mad(from, wide, block.qHead(), block.q());
                k.madWide(from, dim, q.bytes(), from);
                k.mov(value, q.load(k, "q", from)[0]);
                round(k, value);
            });
            k.mad(to, dim, heads, head);
            k.mad(to, to, Float.BYTES, queriesAt);
            k.st(SHARED, to, value);
        });
        Reg row = k.reg(Type.U32, "row");
        PagedRows.Place place = block.rows().place(k);
        k.loop("key", tid, block.count(), THREADS, key -> {
            k.add(row, block.begin(), key);
            block.rows().find(k, block.seen(), row, place);
            Reg isThere = place.isThere(k);
            Reg keyAt = place.address(k, "key_at", block.keys(), block.keyPage(), block.keyRow(), isThere);
            Reg valueAt = place.address(k, "value_at", block.values(), block.valuePage(), block.valueRow(), isThere);
            k.selp(keyAt, keyAt, 0, isThere);
            k.selp(valueAt, valueAt, 0, isThere);
            k.st(SHARED, at(k, keyAts, key, Long.BYTES), keyAt);
            k.st(SHARED, at(k, valueAts, key, Long.BYTES), valueAt);
        });
    }

    private void round(PtxKernel k, Reg... values) {
        if (rounds) {
            Rounding.toBf16(k, values);
        }
    }

    private static Reg at(PtxKernel k, Symbol base, Reg index, int bytes) {
        Reg at = k.reg(Type.U32, "at");
        k.mov(at, base);
        k.mad(at, index, bytes, at);
        return at;
    }

    /// A thread takes a key: its products with all heads' queries, in the order of the dimensions.
    private void score(PtxKernel k, PagedBlock block, Reg tid, Reg queriesAt, Symbol scores, Symbol keyAts) {
        k.comment("scores");
        Reg keyAt = k.reg(Type.U64, "row_at");
        Reg queryAt = k.reg(Type.U32, "query_at");
        Reg[] sums = k.regs(Type.F32, "score", heads);
        Reg[] query = k.regs(Type.F32, "query", heads);
        k.loop("key", tid, block.count(), THREADS, key -> {
            k.ld(SHARED, keyAt, at(k, keyAts, key, Long.BYTES));
            Reg isThere = k.compare("is_there", Compare.NE, keyAt, 0);
            for (Reg sum : sums) {
                k.mov(sum, Float.NaN);
            }
            k.when(isThere, () -> {
                for (Reg sum : sums) {
                    k.mov(sum, 0f);
                }
                k.mov(queryAt, queriesAt);
                k.loop("dim", 0, block.qkDim(), keys.count(), _ -> {
                    Reg[] numbers = keys.load(k, "key", keyAt);
                    round(k, numbers);
                    for (int i = 0; i < numbers.length; i++) {
                        loadHeads(k, query, queryAt, i * heads * Float.BYTES);
                        for (int h = 0; h < heads; h++) {
                            k.fma(sums[h], query[h], numbers[i], sums[h]);
                        }
                    }
                    k.add(queryAt, queryAt, numbers.length * heads * Float.BYTES);
                    k.add(keyAt, keyAt, numbers.length * keys.bytes());
                });
            });
            Reg to = at(k, scores, key, heads * Float.BYTES);
            for (Reg sum : sums) {
                k.mul(sum, sum, block.scale());
            }
            int vector = Math.min(heads, MOST_VECTOR);
            for (int h = 0; h < heads; h += vector) {
                Operand group = vector == 1 ? sums[h] : vec(sums, h, vector);
                k.st(SHARED, to.at((long) h * Float.BYTES), group);
            }
        });
    }

    /// Loads a number for each head from shared memory.
    private void loadHeads(PtxKernel k, Reg[] numbers, Reg at, int offset) {
        int vector = Math.min(heads, MOST_VECTOR);
        for (int h = 0; h < heads; h += vector) {
            Operand group = vector == 1 ? numbers[h] : vec(numbers, h, vector);
            k.ld(SHARED, group, at.at(offset + (long) h * Float.BYTES));
        }
    }

    /// A warp takes a head: scores become powers of two.
    private void powers(PtxKernel k, PagedBlock block, Reg lane, Reg warp, Symbol scores) {
        k.comment("powers");
        Reg[] powers = k.regs(Type.F32, "power", PER_LANE);
        Reg most = k.reg(Type.F32, "most");
        Reg base = k.reg(Type.F32, "base");
        Reg sum = k.reg(Type.F32, "sum");
        Reg key = k.reg(Type.U32, "lane_key");
        Reg statAt = k.reg(Type.U64, "stat_at");
        Reg isFirst = k.compare("is_first_lane", Compare.EQ, lane, 0);
        k.loop("head", warp, heads, WARPS, head -> {
            Reg at = at(k, scores, lane, heads * Float.BYTES);
            k.mad(at, head, Float.BYTES, at);
            k.mov(most, Float.NEGATIVE_INFINITY);
            for (int i = 0; i < PER_LANE; i++) {
                Reg power = powers[i];
                long offset = (long) i * Sums.LANES * heads * Float.BYTES;
                k.mov(power, Float.NEGATIVE_INFINITY);
                k.add(key, lane, i * Sums.LANES);
                k.onlyIf(k.compare(Compare.LT, key, block.count()), () -> k.ld(SHARED, power, at.at(offset)));
                k.op("max.NaN.f32", most, most, power);
            }
            Sums.greatestOfWarp(k, most);
            Softmax.base(k, base, most);
            k.mov(sum, 0f);
            for (int i = 0; i < PER_LANE; i++) {
                Reg power = powers[i];
                long offset = (long) i * Sums.LANES * heads * Float.BYTES;
                k.sub(power, power, base);
                k.ex2(power, power);
                k.add(sum, sum, power);
                round(k, power);
                k.add(key, lane, i * Sums.LANES);
                k.onlyIf(k.compare(Compare.LT, key, block.count()), () -> k.st(SHARED, at.at(offset), power));
            }
            Sums.overWarp(k, sum);
            Reg isHead = k.compare(Compare.LT, head, block.heads());
            k.op("and.pred", isHead, isHead, isFirst);
            k.when(isHead, () -> {
                k.madWide(statAt, head, PagedBlock.STAT_BYTES, block.stats());
                k.st(GLOBAL, statAt, vec(most, sum));
            });
        });
    }

    /// A thread takes a column of the values.
    private void weigh(PtxKernel k, PagedBlock block, Reg tid, Symbol scores, Symbol valueAts) {
        k.comment("values times powers");
        Reg[] sums = k.regs(Type.F32, "weighted", heads);
        Reg[] powers = k.regs(Type.F32, "weight", heads);
        Reg valueAt = k.reg(Type.U64, "value_row");
        Reg powerAt = k.reg(Type.U32, "power_at");
        Reg rowAt = k.reg(Type.U32, "value_row_at");
        Reg to = k.reg(Type.U64, "to");
        k.loop("column", tid, block.vDim(), THREADS, column -> {
            for (Reg sum : sums) {
                k.mov(sum, 0f);
            }
            k.mov(powerAt, scores);
            k.mov(rowAt, valueAts);
            k.loop("key", 0, block.count(), 1, _ -> {
                k.ld(SHARED, valueAt, rowAt);
                Reg isThere = k.compare(Compare.NE, valueAt, 0);
                k.madWide(valueAt, column, values.bytes(), valueAt);
                Reg value = k.reg(Type.F32, "value", 0f);
                k.when(isThere, () -> {
                    k.mov(value, values.load(k, "v", valueAt)[0]);
                    round(k, value);
                });
                loadHeads(k, powers, powerAt, 0);
                for (int h = 0; h < heads; h++) {
                    k.fma(sums[h], powers[h], value, sums[h]);
                }
                k.add(powerAt, powerAt, heads * Float.BYTES);
                k.add(rowAt, rowAt, Long.BYTES);
            });
            k.madWide(to, column, Float.BYTES, block.sums());
            for (int h = 0; h < heads; h++) {
                Reg sum = sums[h];
                k.onlyIf(k.compare(Compare.GT, block.heads(), h), () -> k.st(GLOBAL, to, sum));
                k.add(to, to, block.sumsRow());
            }
        });
    }
}
