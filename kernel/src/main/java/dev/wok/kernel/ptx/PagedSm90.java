package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Ring;
import java.util.Arrays;
import java.util.Optional;

/// A [PagedBlock] of 64 heads in bf16 by `wgmma`, for sm_90a, where the values are the keys' first columns.
///
/// Three groups of four warps. The first copies: queries, then tiles of 64 keys into a ring of two, each read once for
/// both products. The second computes scores and their powers, and sums the left half of the values; its powers are in
/// its registers, and in shared memory for the third, which sums the right half while the second is at the next scores.
///
/// Everything that is multiplied lies in atoms of 64 columns: rows of 128 bytes, whose pieces of 16 are shuffled as the
/// swizzle of 128 bytes says.
///
/// @param columns of a key in atoms of 64, the last filled up with zeros
/// @param vDim numbers of a value, a multiple of 128
record PagedSm90(Bf16Rows q, Bf16Rows keys, int columns, int vDim, Chunks chunks) {
    static final int HEADS = 64;

    private static final int TILE = 64;
    private static final int ATOM = 64;
    private static final int ROW = TileDescriptor.ROW;
    private static final int ATOM_BYTES = TILE * ROW;
    private static final int STAGES = 2;
    private static final int GROUP = 128;
    private static final int GROUPS = 3;
    private static final int LANES_PER_ROW = 8;
    private static final int ROWS_AT_ONCE = GROUP / LANES_PER_ROW;
    private static final int PIECE_BYTES = 16;

    /// Numbers of the common dimension that one instruction takes.
    private static final int DEPTH = 16;

    private static final int DEPTH_BYTES = DEPTH * Rounding.BYTES;
    private static final int COLUMN_TILE = 8;

    /// Columns of the values of one group, the most that one instruction takes.
    private static final int MOST_HALF = 256;

    private static final int FEW_REGISTERS = 88;
    private static final int MANY_REGISTERS = 208;

    /// A barrier of the copying warps alone.
    private static final int COPYING = 1;

    /// @param qkDim numbers of a key
    /// @param sharedBytes of a block at most
    /// @return the kernel for these sizes, where there is one
    static Optional<PagedSm90> choose(Bf16Rows q, Bf16Rows keys, int qkDim, int vDim, Chunks chunks, int sharedBytes) {
        int columns = Math.ceilDiv(qkDim, ATOM) * ATOM;
        boolean isHalf = vDim > 0 && vDim % (2 * ATOM) == 0 && vDim <= 2 * MOST_HALF;
        // The copying warps have few registers: numbers that they convert come one by one.
        Bf16Rows rows = keys.isCopied() ? keys : new Bf16Rows(keys.dtype(), false);
        PagedSm90 shape = new PagedSm90(q, rows, columns, vDim, chunks);
        return isHalf && shape.sharedBytes() <= sharedBytes ? Optional.of(shape) : Optional.empty();
    }

    static int threads() {
        return GROUPS * GROUP;
    }

    private int tileBytes() {
        return columns / ATOM * ATOM_BYTES;
    }

    /// Queries, tiles, powers, factors, and barriers.
    private int tilesAt() {
        return tileBytes();
    }

    private int powersAt() {
        return tilesAt() + STAGES * tileBytes();
    }

    private int factorsAt() {
        return powersAt() + ATOM_BYTES;
    }

    private int brokenAt() {
        return factorsAt() + HEADS * Float.BYTES;
    }

    private int fullAt() {
        return brokenAt() + Long.BYTES;
    }

    private int emptyAt() {
        return fullAt() + STAGES * Long.BYTES;
    }

    private int powersFullAt() {
        return emptyAt() + STAGES * Long.BYTES;
    }

    private int powersEmptyAt() {
        return powersFullAt() + Long.BYTES;
    }

    int sharedBytes() {
        return powersEmptyAt() + Long.BYTES;
    }

    /// What the groups share.
    ///
    /// @param tid this thread's number in its group
    /// @param warp the warp's number in its group
    private record Context(PagedBlock block, Reg base, Reg tid, Reg lane, Reg warp) {}

    void write(PtxKernel k) {
        k.maxThreads(threads()).minBlocks(1);
        Symbol memory = k.dynamicShared("tiles", TileDescriptor.EIGHT_ROWS);
        Reg base = k.reg(Type.U32, "tiles_at");
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg group = k.reg(Type.U32, "group");
        Reg inGroup = k.reg(Type.U32, "tid_in_group");
        k.mov(base, memory);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(group, tid, 7);
        k.and(inGroup, tid, GROUP - 1);
        k.shr(warp, inGroup, 5);
        PagedBlock block = PagedBlock.of(k, chunks, HEADS, lane);
        Context c = new Context(block, base, inGroup, lane, warp);

        k.comment("one thread makes the barriers");
        k.when(k.compare(Compare.EQ, tid, 0), () -> {
            for (int i = 0; i < STAGES; i++) {
                Barrier.init(k, base.at(fullAt() + i * Long.BYTES), GROUP);
                Barrier.init(k, base.at(emptyAt() + i * Long.BYTES), 2 * GROUP / Sums.LANES);
            }
            Barrier.init(k, base.at(powersFullAt()), GROUP);
            Barrier.init(k, base.at(powersEmptyAt()), GROUP / Sums.LANES);
        });
        k.bar();
        k.when(
                k.compare(Compare.EQ, group, 0),
                () -> {
                    k.op("setmaxnreg.dec.sync.aligned.u32", FEW_REGISTERS);
                    copy(k, c);
                },
                () -> {
                    k.op("setmaxnreg.inc.sync.aligned.u32", MANY_REGISTERS);
                    k.when(k.compare(Compare.EQ, group, 1), () -> score(k, c), () -> weigh(k, c));
                });
    }

    // ---------------------------------------------------------------------------------------------- copying

    /// Eight lanes take a row. A thread's rows are 16 apart, so that all its pieces are shuffled alike.
    private void copy(PtxKernel k, Context c) {
        k.comment("the copying warps");
        PagedBlock b = c.block;
        Reg row = k.reg(Type.U32, "tile_row");
        Reg piece = k.reg(Type.U32, "piece");
        Reg place = k.reg(Type.U32, "place");
        k.shr(row, c.tid, 3);
        k.and(piece, c.tid, LANES_PER_ROW - 1);
        k.and(place, row, 7);
        k.xor(place, place, piece);
        k.shl(place, place, 4);
        k.mad(place, row, ROW, place);
        k.add(place, place, c.base);
        Reg next = k.reg(Type.U32, "next_key", 0);
        Reg broken = k.reg(Type.U32, "broken", 0);
        PagedRows.Place[] places = new PagedRows.Place[TILE / ROWS_AT_ONCE];
        Arrays.setAll(places, _ -> b.rows().place(k));
        find(k, b, next, row, places);

        Reg at = k.reg(Type.U64, "row_at");
        Reg wide = k.reg(Type.U64, "row_wide");
        Reg count = k.reg(Type.S32, "numbers");
        Reg key = k.reg(Type.U32, "key");
        for (int i = 0; i < places.length; i++) {
            k.add(key, row, i * ROWS_AT_ONCE);
            Reg isHead = k.compare(Compare.LT, key, b.heads());
            k.op("cvt.u64.u32", wide, key);
            k.mad(at, wide, b.qHead(), b.q());
            k.selp(at, at, b.q(), isHead);
            k.mov(count, b.qkDim());
            k.selp(count, count, 0, isHead);
            bring(k, q, place, i, piece, at, count);
        }
        Ring ring = Ring.of(k, "copy", STAGES);
        Reg parity = k.reg(Type.U32, "empty_parity");
        k.loop("copied_key", 0, b.count(), TILE, _ -> {
            k.xor(parity, ring.phase(), 1);
            Barrier.await(k, ring.at(k, "empty_at", c.base, Long.BYTES).at(emptyAt()), parity);
            Reg stage = ring.at(k, "copy_to", place, tileBytes());
            k.add(stage, stage, tilesAt());
            for (int i = 0; i < places.length; i++) {
                Reg isThere = places[i].isThere(k);
                k.onlyIf(isThere.not(), () -> k.mov(broken, 1));
                k.add(key, next, row);
                k.add(key, key, i * ROWS_AT_ONCE);
                Reg isSeen = k.compare(Compare.LT, key, b.count());
                k.op("and.pred", isSeen, isSeen, isThere);
                Reg keyAt = places[i].address(k, "key_at", b.keys(), b.keyPage(), b.keyRow(), isSeen);
                k.mov(count, b.qkDim());
                k.selp(count, count, 0, isSeen);
                bring(k, keys, stage, i, piece, keyAt, count);
            }
            k.add(next, next, TILE);
            find(k, b, next, row, places);
            k.comment("what has come is seen by the tensor cores");
            if (q.isCopied() || keys.isCopied()) {
                k.op("cp.async.wait_all");
            }
            k.op("fence.proxy.async.shared::cta");
            Barrier.arrive(k, ring.at(k, "full_at", c.base, Long.BYTES).at(fullAt()));
            ring.advance(k);
        });
        Reg isBroken = k.compare("is_broken", Compare.NE, broken, 0);
        k.op("bar.red.or.pred", isBroken, COPYING, GROUP, isBroken);
        k.selp(broken, 1, 0, isBroken);
        k.when(k.compare(Compare.EQ, c.tid, 0), () -> k.st(SHARED, c.base.at(brokenAt()), broken));
        k.bar();
    }

    /// Looks up where the rows of the tile lie that comes next.
    private static void find(PtxKernel k, PagedBlock b, Reg next, Reg row, PagedRows.Place... places) {
        Reg key = k.reg(Type.U32, "found_key");
        Reg last = k.reg(Type.U32, "last_key");
        k.sub(last, b.count(), 1);
        for (int i = 0; i < places.length; i++) {
            k.add(key, next, row);
            k.add(key, key, i * ROWS_AT_ONCE);
            k.min(key, key, last);
            k.add(key, key, b.begin());
            b.rows().find(k, b.seen(), key, places[i]);
        }
    }

    /// @param place of the thread's first piece in its first row
    /// @param i which of its rows
    private void bring(PtxKernel k, Bf16Rows rows, Reg place, int i, Reg piece, Reg row, Reg count) {
        Reg first = k.reg(Type.S32, "first_number");
        long offset = (long) i * ROWS_AT_ONCE * ROW;
        if (rows.isCopied()) {
            for (int atom = 0; atom < columns / ATOM; atom++) {
                k.mad(first, piece, Bf16Rows.PIECE, atom * ATOM);
                rows.bring(k, place, offset + (long) atom * ATOM_BYTES, row, first, count);
            }
            return;
        }
        Reg at = k.reg(Type.U32, "atom_at");
        k.mul(first, piece, Bf16Rows.PIECE);
        k.mov(at, place);
        k.loop("atom", 0, columns / ATOM, 1, _ -> {
            rows.bring(k, at, offset, row, first, count);
            k.add(first, first, ATOM);
            k.add(at, at, ATOM_BYTES);
        });
    }

    // ---------------------------------------------------------------------------------------------- multiplying

    private static void commit(PtxKernel k) {
        k.op("wgmma.commit_group.sync.aligned");
    }

    private static void waitFor(PtxKernel k, int groups) {
        k.op("wgmma.wait_group.sync.aligned", groups);
    }

    private Reg[] halfOfSums(PtxKernel k) {
        Reg[] sums = k.regs(Type.F32, "weighted", vDim / 4);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        return sums;
    }

    private String instruction(int n) {
        return "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(n);
    }

    private static void scale(PtxKernel k, Reg[] sums, Reg... factors) {
        for (int i = 0; i < sums.length; i++) {
            k.mul(sums[i], sums[i], factors[i % 4 / 2]);
        }
    }

    /// The second group: while the tensor cores are at a tile's values, it is at the next one's powers.
    private void score(PtxKernel k, Context c) {
        k.comment("the scoring warps");
        Reg[] sums = halfOfSums(k);
        Reg[] scores = k.regs(Type.F32, "score", TILE / 2);
        Reg[][] powers = new Reg[TILE / DEPTH][];
        for (int i = 0; i < powers.length; i++) {
            powers[i] = k.regs(Type.B32, "powers" + i, 4);
        }
        Reg[] greatest = k.regs(Type.F32, "greatest", 2);
        Reg[] bases = k.regs(Type.F32, "power_base", 2);
        Reg[] powerSums = k.regs(Type.F32, "power_sum", 2);
        Reg[] factors = k.regs(Type.F32, "factor", 2);
        for (int h = 0; h < 2; h++) {
            k.mov(greatest[h], Float.NEGATIVE_INFINITY);
            k.mov(powerSums[h], 0f);
        }
        Reg adds = k.reg(Type.PRED, "adds");
        Reg clears = k.reg(Type.PRED, "clears");
        k.setp(Compare.EQ, adds, 0, 0);
        k.setp(Compare.NE, clears, 0, 0);
        Reg row = row(k, c);
        Reg column = k.reg(Type.U32, "column");
        k.and(column, c.lane, 3);
        k.shl(column, column, 1);
        Reg isFirstLane = k.compare(Compare.EQ, c.lane, 0);
        Ring ring = Ring.of(k, "use", STAGES);
        Reg free = k.reg(Type.U32, "powers_parity", 0);
        Reg stage = k.reg(Type.U32, "stage");
        Reg empty = k.reg(Type.U32, "stage_empty");
        Reg first = k.reg(Type.U32, "first_key", 0);

        k.comment("the first tile's powers");
        next(k, c, ring, stage, empty);
        multiplyKeys(k, c, stage, scores, clears, adds);
        waitFor(k, 0);
        powers(k, c.block, first, column, scores, greatest, bases, powerSums, factors);
        pack(k, scores, powers);
        share(k, c, row, column, powers, factors);
        Reg before = k.reg(Type.U32, "stage_before");
        Reg emptyBefore = k.reg(Type.U32, "stage_before_empty");
        k.loop("key", TILE, c.block.count(), TILE, key -> {
            k.comment("the next tile's scores, and behind them the values of the one before");
            k.mov(before, stage);
            k.mov(emptyBefore, empty);
            next(k, c, ring, stage, empty);
            multiplyKeys(k, c, stage, scores, clears, adds);
            multiplyValues(k, before, sums, powers, adds);
            waitFor(k, 1);
            powers(k, c.block, key, column, scores, greatest, bases, powerSums, factors);
            waitFor(k, 0);
            k.when(isFirstLane, () -> Barrier.arrive(k, emptyBefore.at(emptyAt())));
            scale(k, sums, factors);
            pack(k, scores, powers);
            Barrier.await(k, c.base.at(powersEmptyAt()), free);
            k.xor(free, free, 1);
            share(k, c, row, column, powers, factors);
        });
        k.op("wgmma.fence.sync.aligned");
        multiplyValues(k, stage, sums, powers, adds);
        waitFor(k, 0);
        k.bar();
        Reg broken = k.reg(Type.U32, "is_broken");
        k.ld(SHARED, broken, c.base.at(brokenAt()));
        storeStats(k, c, row, broken, greatest, powerSums);
        storeSums(k, c, row, column, 0, sums);
    }

    /// Waits for the next tile.
    ///
    /// @param stage gets where it lies
    /// @param empty gets where its barriers lie, less where those of the first tile do
    private void next(PtxKernel k, Context c, Ring ring, Reg stage, Reg empty) {
        k.mad(empty, ring.slot(), Long.BYTES, c.base);
        Barrier.await(k, empty.at(fullAt()), ring.phase());
        k.mad(stage, ring.slot(), tileBytes(), c.base);
        k.add(stage, stage, tilesAt());
        ring.advance(k);
    }

    private void multiplyKeys(PtxKernel k, Context c, Reg stage, Reg[] scores, Reg clears, Reg adds) {
        Reg left = TileDescriptor.of(k, "query_tile", c.base, ATOM_BYTES);
        Reg right = TileDescriptor.of(k, "key_tile", stage, ATOM_BYTES);
        k.op("wgmma.fence.sync.aligned");
        for (int i = 0; i < columns / DEPTH; i++) {
            Reg how = i == 0 ? clears : adds;
            k.op(instruction(TILE), vec((Object[]) scores), left, right, how, 1, 1, 0, 0);
            boolean isLast = (i + 1) % (ATOM / DEPTH) == 0;
            long step = isLast ? ATOM_BYTES - (ROW - DEPTH_BYTES) : DEPTH_BYTES;
            k.add(left, left, step >> 4);
            k.add(right, right, step >> 4);
        }
        commit(k);
    }

    /// Behind a fence: that of the next tile's scores, or one of its own.
    private void multiplyValues(PtxKernel k, Reg stage, Reg[] sums, Reg[][] powers, Reg adds) {
        Reg values = TileDescriptor.of(k, "left_values", stage, ATOM_BYTES);
        for (Reg[] power : powers) {
            k.op(instruction(vDim / 2), vec((Object[]) sums), vec((Object[]) power), values, adds, 1, 1, 1);
            k.add(values, values, (long) (DEPTH * ROW >> 4));
        }
        commit(k);
    }

    private static void pack(PtxKernel k, Reg[] scores, Reg[]... powers) {
        for (int i = 0; i < scores.length; i += 2) {
            k.op("cvt.rn.bf16x2.f32", powers[i / 8][i % 8 / 2], scores[i + 1], scores[i]);
        }
    }

    /// @return the first of the two rows of a lane's fragment, which are eight apart
    private static Reg row(PtxKernel k, Context c) {
        Reg row = k.reg(Type.U32, "row");
        k.shr(row, c.lane, 2);
        k.mad(row, c.warp, 16, row);
        return row;
    }

    private static void powers(
            PtxKernel k,
            PagedBlock block,
            Reg first,
            Reg column,
            Reg[] scores,
            Reg[] greatest,
            Reg[] bases,
            Reg[] powerSums,
            Reg... factors) {
        Reg seen = k.reg(Type.S32, "keys_seen");
        Reg offset = k.reg(Type.U32, "first_column");
        k.add(offset, first, column);
        k.op("sub.s32", seen, block.count(), offset);
        for (int h = 0; h < 2; h++) {
            k.mov(factors[h], greatest[h]);
        }
        for (int i = 0; i < scores.length; i++) {
            Reg score = scores[i];
            int key = i / 4 * COLUMN_TILE + i % 2;
            k.mul(score, score, block.scale());
            k.onlyIf(k.compare(Compare.LE, seen, key), () -> k.mov(score, Float.NEGATIVE_INFINITY));
            k.op("max.NaN.f32", greatest[i % 4 / 2], greatest[i % 4 / 2], score);
        }
        for (int h = 0; h < 2; h++) {
            Sums.greatestOfLanes(k, greatest[h], 4);
            Softmax.base(k, bases[h], greatest[h]);
            k.sub(factors[h], factors[h], bases[h]);
            k.ex2(factors[h], factors[h]);
            k.mul(powerSums[h], powerSums[h], factors[h]);
        }
        for (int i = 0; i < scores.length; i++) {
            k.sub(scores[i], scores[i], bases[i % 4 / 2]);
            k.ex2(scores[i], scores[i]);
            k.add(powerSums[i % 4 / 2], powerSums[i % 4 / 2], scores[i]);
        }
    }

    /// Gives powers and factors to the third group, which must be through with those before.
    private void share(PtxKernel k, Context c, Reg row, Reg column, Reg[][] powers, Reg... factors) {
        Reg begin = k.reg(Type.U32, "power_row_at");
        Reg turn = k.reg(Type.U32, "power_turn");
        Reg at = k.reg(Type.U32, "power_at");
        k.comment("a row and the one eight further on are shuffled alike");
        k.and(turn, row, 7);
        k.mad(begin, row, ROW, c.base);
        k.mad(begin, column, Rounding.BYTES, begin);
        for (int piece = 0; piece < TILE / COLUMN_TILE; piece++) {
            k.xor(at, turn, piece);
            k.mad(at, at, PIECE_BYTES, begin);
            for (int h = 0; h < 2; h++) {
                Reg pair = powers[piece / 2][piece % 2 * 2 + h];
                k.op("st.shared.b32", at.at(powersAt() + (long) h * TileDescriptor.EIGHT_ROWS), pair);
            }
        }
        Reg lane = k.reg(Type.U32, "lane_of_row");
        Reg to = k.reg(Type.U32, "factor_to");
        k.and(lane, c.lane, 3);
        Reg isFirst = k.compare("is_first_of_row", Compare.EQ, lane, 0);
        k.mad(to, row, Float.BYTES, c.base);
        for (int h = 0; h < 2; h++) {
            Reg factor = factors[h];
            long place = factorsAt() + 8L * h * Float.BYTES;
            k.onlyIf(isFirst, () -> k.st(SHARED, to.at(place), factor));
        }
        k.op("fence.proxy.async.shared::cta");
        Barrier.arrive(k, c.base.at(powersFullAt()));
    }

    /// The third group.
    private void weigh(PtxKernel k, Context c) {
        k.comment("the weighing warps");
        Reg[] sums = halfOfSums(k);
        Reg[] factors = k.regs(Type.F32, "factor", 2);
        Reg adds = k.reg(Type.PRED, "adds");
        k.setp(Compare.EQ, adds, 0, 0);
        Reg row = row(k, c);
        Reg column = k.reg(Type.U32, "column");
        Reg from = k.reg(Type.U32, "factor_from");
        k.and(column, c.lane, 3);
        k.shl(column, column, 1);
        k.mad(from, row, Float.BYTES, c.base);
        Reg isFirstLane = k.compare(Compare.EQ, c.lane, 0);
        Ring ring = Ring.of(k, "use", STAGES);
        Reg ready = k.reg(Type.U32, "powers_parity", 0);
        Reg powersAt = k.reg(Type.U32, "powers_at");
        k.add(powersAt, c.base, powersAt());
        k.loop("first_key", 0, c.block.count(), TILE, _ -> {
            k.comment("powers come after the tile that they belong to");
            Reg stage = ring.at(k, "use_at", c.base, tileBytes());
            k.add(stage, stage, tilesAt() + vDim / 2 / ATOM * ATOM_BYTES);
            Barrier.await(k, c.base.at(powersFullAt()), ready);
            k.xor(ready, ready, 1);
            for (int h = 0; h < 2; h++) {
                k.ld(SHARED, factors[h], from.at(factorsAt() + 8L * h * Float.BYTES));
            }
            scale(k, sums, factors);
            Reg left = TileDescriptor.of(k, "power_tile", powersAt, ATOM_BYTES);
            Reg values = TileDescriptor.of(k, "right_values", stage, ATOM_BYTES);
            k.op("wgmma.fence.sync.aligned");
            for (int i = 0; i < TILE / DEPTH; i++) {
                k.op(instruction(vDim / 2), vec((Object[]) sums), left, values, adds, 1, 1, 0, 1);
                k.add(left, left, (long) (DEPTH_BYTES >> 4));
                k.add(values, values, (long) (DEPTH * ROW >> 4));
            }
            commit(k);
            waitFor(k, 0);
            k.barWarp();
            k.when(isFirstLane, () -> {
                Barrier.arrive(k, c.base.at(powersEmptyAt()));
                Barrier.arrive(k, ring.at(k, "use_empty_at", c.base, Long.BYTES).at(emptyAt()));
            });
            ring.advance(k);
        });
        k.bar();
        storeSums(k, c, row, column, vDim / 2, sums);
    }

    // ---------------------------------------------------------------------------------------------- results

    private static void storeStats(PtxKernel k, Context c, Reg row, Reg broken, Reg[] greatest, Reg... powerSums) {
        Reg isBroken = k.compare(Compare.NE, broken, 0);
        Reg lane = k.reg(Type.U32, "lane_of_row");
        Reg head = k.reg(Type.U32, "stat_head");
        Reg at = k.reg(Type.U64, "stat_at");
        k.and(lane, c.lane, 3);
        for (int h = 0; h < 2; h++) {
            Reg sum = powerSums[h];
            Reg most = greatest[h];
            Sums.overLanes(k, sum, 4);
            k.selp(most, Float.NaN, most, isBroken);
            k.add(head, row, 8 * h);
            Reg isHead = k.compare(Compare.LT, head, c.block.heads());
            Reg isFirst = k.compare(Compare.EQ, lane, 0);
            k.op("and.pred", isHead, isHead, isFirst);
            k.madWide(at, head, PagedBlock.STAT_BYTES, c.block.stats());
            k.onlyIf(isHead, () -> k.st(GLOBAL, at, vec(most, sum)));
        }
    }

    /// @param from the group's first column
    private static void storeSums(PtxKernel k, Context c, Reg row, Reg column, int from, Reg... sums) {
        Reg head = k.reg(Type.U32, "sum_head");
        Reg wide = k.reg(Type.U64, "sum_wide");
        Reg at = k.reg(Type.U64, "sum_at");
        for (int h = 0; h < 2; h++) {
            int first = 2 * h;
            k.add(head, row, 8 * h);
            k.when(k.compare(Compare.LT, head, c.block.heads()), () -> {
                k.op("cvt.u64.u32", wide, head);
                k.mad(at, wide, c.block.sumsRow(), c.block.sums());
                k.madWide(at, column, Float.BYTES, at);
                for (int i = first; i < sums.length; i += 4) {
                    long offset = (from + i / 4L * COLUMN_TILE) * Float.BYTES;
                    k.st(GLOBAL, at.at(offset), vec(sums[i], sums[i + 1]));
                }
            });
        }
    }
}
