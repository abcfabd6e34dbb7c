package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;
import static dev.wok.kernel.ptx.HopperTiles.EIGHT_ROWS;
import static dev.wok.kernel.ptx.HopperTiles.GROUP;
import static dev.wok.kernel.ptx.HopperTiles.GROUP_ROWS;
import static dev.wok.kernel.ptx.HopperTiles.GROUP_WARPS;
import static dev.wok.kernel.ptx.HopperTiles.ROW;
import static dev.wok.kernel.ptx.HopperTiles.bytes;
import static dev.wok.kernel.ptx.HopperTiles.map;
import static dev.wok.kernel.ptx.HopperTiles.numbers;

import dev.wok.device.Launch;
import dev.wok.device.TensorMap;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Attention's gradients in bf16 by `wgmma`, for sm_90a: `dq` by one kernel, `dk` and `dv` by another,
/// so that each result belongs to one block and its sum has one order.
///
/// A block owns 128 tokens of a head, queries or keys, 64 for each of two groups of four warps, as
/// [AttentionSm90] does; the copy engine brings tiles of the other side. Owned rows are the left operand
/// of scores and of `dOut . v`, so both are rows in the registers of a group, and become there the left
/// operand of what adds up the tile's rows: nothing but operands is ever in shared memory.
///
/// Unseen tokens are dealt with as in [TensorAttention].
///
/// @param ownsQueries whether the result is `dq`; otherwise `dk` and `dv`
/// @param dtype of the results
/// @param inPairs whether two numbers of a result may be stored at once
/// @param tile tokens of a stage, a multiple of 16
record AttentionGradientSm90(
        boolean ownsQueries, DType dtype, boolean inPairs, int qkDim, int vDim, int tile, int stages) {
    private static final int GROUPS = 2;
    private static final int OWNED = GROUPS * GROUP_ROWS;

    private static final int FEW_REGISTERS = 24;
    private static final int MANY_REGISTERS = 240;

    /// Sums and scores that a thread has registers for.
    private static final int MOST_NUMBERS = 192;

    private static final int LEAST_TILE = 16;
    private static final int MOST_KEYS = 128;
    private static final int MOST_QUERIES = 64;
    private static final int MOST_STAGES = 4;

    /// Sums of a row that one instruction has in a thread.
    private static final int MOST_SUMS = 128;

    /// The barrier that the multiplying threads share.
    private static final int MULTIPLYING = 1;

    /// Coordinates of a copy are signed, and a query has two numbers of [AttentionStatistics].
    private static final long MOST_ROWS = 1 << 30;

    /// @param rows queries of all heads
    /// @return the ways to compute this, as far as registers and shared memory allow
    static List<AttentionGradientSm90> candidates(
            boolean ownsQueries, DType dtype, boolean inPairs, int qkDim, int vDim, long rows, int sharedBytes) {
        List<AttentionGradientSm90> all = new ArrayList<>();
        boolean hasInstructions = Math.max(numbers(qkDim), numbers(vDim)) <= MOST_SUMS;
        if (qkDim == 0 || vDim == 0 || !hasInstructions || rows >= MOST_ROWS) {
            return all;
        }
        int mostTile = ownsQueries ? MOST_KEYS : MOST_QUERIES;
        for (int tile = LEAST_TILE; tile <= mostTile; tile *= 2) {
            for (int stages = 2; stages <= MOST_STAGES; stages++) {
                AttentionGradientSm90 one =
                        new AttentionGradientSm90(ownsQueries, dtype, inPairs, qkDim, vDim, tile, stages);
                if (one.registers() <= MOST_NUMBERS && one.sharedBytes() <= sharedBytes) {
                    all.add(one);
                }
            }
        }
        return all;
    }

    /// Large tiles wait seldom; a block has a multiprocessor to itself, so stages cost nothing.
    double cost() {
        return (1 + 1.0 / stages) / tile;
    }

    /// Sums, scores and `dOut . v`.
    private int registers() {
        return numbers(qkDim) + (ownsQueries ? 0 : numbers(vDim)) + tile;
    }

    private int stageBytes() {
        return bytes(tile, qkDim) + bytes(tile, vDim);
    }

    private int ownedBytes() {
        return bytes(OWNED, qkDim) + bytes(OWNED, vDim);
    }

    private int statisticsAt() {
        return ownedBytes() + stages * stageBytes();
    }

    /// Of a tile of queries.
    private int statisticsBytes() {
        return ownsQueries ? 0 : tile * AttentionStatistics.BYTES;
    }

    private int barriersAt() {
        return statisticsAt() + stages * statisticsBytes();
    }

    private int sharedBytes() {
        return barriersAt() + (1 + 2 * stages) * Long.BYTES;
    }

    /// @param heads of the owned tokens
    Launch launch(int tokens, int heads) {
        long tiles = (tokens + OWNED - 1) / OWNED;
        return Launch.of(Math.toIntExact(tiles * heads), (GROUPS + 1) * GROUP).withShared(sharedBytes());
    }

    /// Of `q` or `dOut`.
    TensorMap queries(Tensor tensor) {
        return map(tensor, ownsQueries ? OWNED : tile);
    }

    /// Of `k` or `v`.
    TensorMap keys(Tensor tensor) {
        return map(tensor, ownsQueries ? tile : OWNED);
    }

    /// Of all queries' statistics, one after the other.
    ///
    /// @param statistics of [AttentionStatistics]
    TensorMap statistics(Tensor statistics) {
        return TensorMap.of(statistics, tile * AttentionStatistics.BYTES / Float.BYTES);
    }

    void write(PtxKernel k) {
        new Writer(k).write();
    }

    private final class Writer {
        private final PtxKernel k;
        private final HopperTiles tiles;

        /// Maps: those of `q` and `k`, those of `dOut` and `v`.
        private final Reg ownedMap;

        private final Reg tileMap;
        private final Reg ownedSlopeMap;
        private final Reg tileSlopeMap;

        /// A map where a tile has statistics, otherwise an address.
        private final Reg statistics;

        private final HeadRows result;
        private final HeadRows second;
        private final Reg tokens;
        private final Reg share;
        private final Reg scale;
        private final Reg factor;
        private final Reg tid;
        private final Reg lane;
        private final Documents documents;
        private final Reg owned;
        private final Reg ownedEnd;
        private final Reg ownedHead;
        private final Reg base;
        private final Reg slopesAt;
        private final Reg ringAt;
        private final Reg statisticsRing;
        private final Reg ownedCame;

        /// Of a ring: when a tile has come, and when every warp is through with it.
        private final Reg came;

        private final Reg used;

        Writer(PtxKernel k) {
            this.k = k;
            tiles = new HopperTiles(k);
            k.maxThreads((GROUPS + 1) * GROUP).minBlocks(1);
            Reg q = k.tensorMap("q");
            Reg keys = k.tensorMap("k");
            Reg v = k.tensorMap("v");
            Reg dOut = k.tensorMap("dout");
            ownedMap = ownsQueries ? q : keys;
            tileMap = ownsQueries ? keys : q;
            ownedSlopeMap = ownsQueries ? dOut : v;
            tileSlopeMap = ownsQueries ? v : dOut;
            statistics = ownsQueries ? k.param("statistics", Type.U64) : k.tensorMap("statistics");
            result = HeadRows.param(k, "result");
            second = HeadRows.param(k, "second");
            Reg keyStart = k.param("key_start", Type.U64);
            tokens = k.param("tokens", Type.U32);
            Reg heads = k.param("heads", Type.U32);
            share = k.param("share", Type.U32);
            scale = k.param("scale_log2_e", Type.F32);
            factor = k.param("factor", Type.F32);
            Symbol memory = k.dynamicShared("tiles", EIGHT_ROWS);
            base = k.reg(Type.U32, "tiles_at");
            k.mov(base, memory);
            slopesAt = tiles.behind("owned_slopes", base, bytes(OWNED, qkDim));
            ringAt = tiles.behind("ring", base, ownedBytes());
            statisticsRing = tiles.behind("statistics_ring", base, statisticsAt());
            ownedCame = tiles.behind("owned_came", base, barriersAt());
            came = tiles.behind("came", ownedCame, Long.BYTES);
            used = tiles.behind("used", came, stages * Long.BYTES);
            tid = k.reg(Type.U32, "tid", Special.TID_X);
            lane = k.reg(Type.U32, "lane");
            k.and(lane, tid, Sums.LANES - 1);
            documents = new Documents(keyStart, tokens, lane);

            k.comment("the last queries see most keys, the first keys most queries: they come first");
            Reg id = k.reg(Type.U32, "id", Special.CTAID_X);
            Reg headsHere = k.reg(Type.U32, "heads_here", heads);
            owned = k.reg(Type.U32, "owned");
            ownedEnd = k.reg(Type.U32, "owned_end");
            ownedHead = k.reg(Type.U32, "owned_head");
            if (!ownsQueries) {
                k.div(headsHere, heads, share);
            }
            k.rem(ownedHead, id, headsHere);
            k.div(id, id, headsHere);
            if (ownsQueries) {
                Reg last = k.reg(Type.U32, "last_tile");
                k.sub(last, tokens, 1);
                k.div(last, last, OWNED);
                k.sub(id, last, id);
            }
            k.mul(owned, id, OWNED);
            k.add(ownedEnd, owned, OWNED);
            k.min(ownedEnd, ownedEnd, tokens);
        }

        void write() {
            k.comment("one thread makes the barriers");
            k.when(k.compare(Compare.EQ, tid, 0), () -> {
                tiles.init(ownedCame, 0, 1);
                for (int i = 0; i < stages; i++) {
                    tiles.init(came, i, 1);
                    tiles.init(used, i, GROUPS * GROUP_WARPS);
                }
                k.op("fence.mbarrier_init.release.cluster");
                k.op("fence.proxy.async");
            });
            k.bar();
            k.when(
                    k.compare(Compare.LT, tid, GROUP),
                    () -> {
                        k.op("setmaxnreg.dec.sync.aligned.u32", FEW_REGISTERS);
                        k.when(k.compare(Compare.LT, tid, Sums.LANES), this::copy);
                    },
                    () -> {
                        k.op("setmaxnreg.inc.sync.aligned.u32", MANY_REGISTERS);
                        multiply();
                    });
        }

        /// Runs code for each head whose tiles the owned tokens meet, in order.
        private void eachHead(Consumer<Reg> body) {
            if (ownsQueries) {
                Reg kvHead = k.reg(Type.U32, "kv_head");
                k.div(kvHead, ownedHead, share);
                body.accept(kvHead);
                return;
            }
            Reg first = k.reg(Type.U32, "first_head");
            Reg end = k.reg(Type.U32, "heads_end");
            k.mul(first, ownedHead, share);
            k.add(end, first, share);
            k.loop("head", first, end, 1, body);
        }

        /// @return the first token of the tiles that tokens of a document meet
        private Reg firstOther(Reg begin) {
            return ownsQueries ? documents.firstKey(k, begin, tile) : documents.firstQuery(k, begin, tile);
        }

        private Reg otherEnd(Reg begin, Reg end) {
            return ownsQueries ? end : documents.endOfQueries(k, begin, end);
        }

        /// The copying warp: all lanes look for the documents, the first one copies.
        private void copy() {
            Reg isFirst = k.compare("copies", Compare.EQ, lane, 0);
            k.when(isFirst, () -> {
                tiles.expect(ownedCame, ownedBytes());
                tiles.copy(ownedMap, qkDim, base, OWNED, ownedHead, owned, ownedCame);
                tiles.copy(ownedSlopeMap, vDim, slopesAt, OWNED, ownedHead, owned, ownedCame);
            });
            Ring ring = Ring.of(k, "copy", stages);
            Reg parity = k.reg(Type.U32, "used_parity");
            eachHead(head -> documents.each(k, owned, ownedEnd, OWNED, (begin, end) -> {
                Reg other = firstOther(begin);
                Reg otherEnd = otherEnd(begin, end);
                k.loopWhile(() -> k.compare(Compare.LT, other, otherEnd), () -> {
                    k.xor(parity, ring.phase(), 1);
                    tiles.await(ring.at(k, "used_at", used, Long.BYTES), parity);
                    k.when(isFirst, () -> copyTile(ring, head, other));
                    ring.advance(k);
                    k.add(other, other, tile);
                });
            }));
        }

        private void copyTile(Ring ring, Reg head, Reg other) {
            Reg barrier = ring.at(k, "came_at", came, Long.BYTES);
            Reg stage = ring.at(k, "copy_to", ringAt, stageBytes());
            tiles.expect(barrier, stageBytes() + statisticsBytes());
            tiles.copy(tileMap, qkDim, stage, tile, head, other, barrier);
            k.add(stage, stage, bytes(tile, qkDim));
            tiles.copy(tileSlopeMap, vDim, stage, tile, head, other, barrier);
            if (!ownsQueries) {
                Reg first = k.reg(Type.U32, "statistics_from");
                k.mad(first, head, tokens, other);
                k.shl(first, first, 1);
                k.op(
                        "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes",
                        ring.at(k, "statistics_to", statisticsRing, statisticsBytes())
                                .at(0),
                        tensor(statistics, first),
                        barrier.at(0));
            }
        }

        private void multiply() {
            k.comment("the multiplying warps: 64 rows for each group");
            Reg group = k.reg(Type.U32, "group");
            Reg warp = k.reg(Type.U32, "warp");
            k.sub(group, tid, GROUP);
            k.shr(warp, group, 5);
            k.shr(group, group, 7);
            Reg[] row = k.regs(Type.U32, "row", 2);
            Reg pair = k.reg(Type.U32, "pair");
            k.shr(row[0], lane, 2);
            k.mad(row[0], warp, 16, row[0]);
            k.add(row[0], row[0], owned);
            k.add(row[1], row[0], 8);
            k.and(pair, lane, 3);
            k.shl(pair, pair, 1);
            AttentionRows rows = new AttentionRows(k, documents, ownsQueries, row, pair, dtype, inPairs);
            Reg groupAt = k.reg(Type.U32, "group_at");
            k.mad(groupAt, group, GROUP_ROWS * ROW, base);
            Reg left = tiles.rows("left_tile", groupAt);
            k.add(groupAt, groupAt, bytes(OWNED, qkDim));
            Reg slopeLeft = tiles.rows("slope_left_tile", groupAt);
            Reg[] sums = tiles.zeros("sum", numbers(qkDim));
            Reg[] secondSums = ownsQueries ? new Reg[0] : tiles.zeros("second_sum", numbers(vDim));
            Reg[][] ofRows = ownsQueries ? new Reg[][] {statistics(row[0]), statistics(row[1])} : new Reg[0][];
            Reg isFirstLane = k.compare("is_first_lane", Compare.EQ, lane, 0);
            Ring ring = Ring.of(k, "use", stages);
            tiles.await(ownedCame, 0);
            eachHead(_ -> documents.each(k, owned, ownedEnd, OWNED, (begin, end) -> {
                Reg[] ofQueries = ownsQueries ? limits(rows, begin, end) : new Reg[0];
                Reg wholeFrom = k.reg(Type.U32, "whole_from");
                Reg wholeEnd = k.reg(Type.U32, "whole_end");
                Reg count = k.reg(Type.U32, "owned_here");
                Reg ends = k.reg(Type.U32, "owned_last");
                Reg behind = k.reg(Type.U32, "behind_first");
                k.comment("tiles from whole_from to whole_end count for all that is owned");
                k.sub(ends, end, 1);
                k.add(behind, owned, 1);
                Reg other = firstOther(begin);
                Reg otherEnd = otherEnd(begin, end);
                if (ownsQueries) {
                    k.mov(wholeFrom, documents.of(k, "last_start", ends));
                    k.mov(wholeEnd, behind);
                } else {
                    k.mov(wholeFrom, ends);
                    k.mov(wholeEnd, documents.endOfQueries(k, begin, behind));
                }
                k.sub(count, end, begin);
                Reg isPart = k.compare(Compare.NE, count, OWNED);
                k.onlyIf(isPart, () -> k.mov(wholeEnd, 0));
                k.loopWhile(() -> k.compare(Compare.LT, other, otherEnd), () -> {
                    Reg tileEnd = k.reg(Type.U32, "tile_end");
                    k.add(tileEnd, other, tile);
                    Reg isMasked = k.compare("is_masked", Compare.LT, other, wholeFrom);
                    Reg isLate = k.compare(Compare.GT, tileEnd, wholeEnd);
                    k.op("or.pred", isMasked, isMasked, isLate);
                    Reg tileAt = ring.at(k, "tile_at", ringAt, stageBytes());
                    Reg slopeAt = tiles.behind("slope_at", tileAt, bytes(tile, qkDim));

                    tiles.await(ring.at(k, "came_here", came, Long.BYTES), ring.phase());
                    Reg[] scores = k.regs(Type.F32, "score", tile / 2);
                    Reg[] slopes = k.regs(Type.F32, "slope", tile / 2);
                    tiles.products(scores, left, OWNED, tiles.rows("tile", tileAt), qkDim);
                    tiles.products(slopes, slopeLeft, OWNED, tiles.rows("slope_tile", slopeAt), vDim);
                    tiles.finish(1);
                    Reg statisticsAt = ring.at(k, "statistics_here", statisticsRing, statisticsBytes());
                    k.mad(statisticsAt, pair, AttentionStatistics.BYTES, statisticsAt);
                    probabilities(scores, ofRows, statisticsAt);
                    tiles.finish(0);
                    slopes(slopes, scores, ofRows, statisticsAt);
                    k.when(isMasked, () -> {
                        Reg[] limits = ownsQueries ? ofQueries : limits(rows, begin, end);
                        Reg worker = k.reg(Type.U32, "worker", Special.TID_X);
                        k.sub(worker, worker, GROUP);
                        rows.mask(tile, other, limits, (_, s) -> {
                            k.mov(scores[s], 0f);
                            k.mov(slopes[s], 0f);
                        });
                        SpecialNumbers special = new SpecialNumbers(k, MULTIPLYING, GROUPS * GROUP, true);
                        if (!ownsQueries) {
                            tiles.splitOff(special, rows, secondSums, tile, other, limits, true, worker, slopeAt);
                        }
                        tiles.splitOff(special, rows, sums, tile, other, limits, false, worker, tileAt);
                    });
                    if (!ownsQueries) {
                        tiles.add(secondSums, tiles.rounded(scores), tiles.columns("slope_rows", slopeAt, tile));
                    }
                    tiles.add(sums, tiles.rounded(slopes), tiles.columns("tile_rows", tileAt, tile));
                    tiles.finish(0);
                    Reg free = ring.at(k, "free", used, Long.BYTES);
                    k.when(isFirstLane, () -> tiles.arrive(free));
                    ring.advance(k);
                    k.add(other, other, tile);
                });
            }));
            k.comment("the results");
            for (int i = 0; i < 2; i++) {
                int half = i;
                Reg times = k.reg(Type.F32, "times", factor);
                k.when(k.compare(Compare.LT, row[i], tokens), () -> {
                    if (ownsQueries) {
                        rows.spoilBad(half, times);
                    }
                    rows.store(result, ownedHead, half, sums, half, qkDim, times);
                    if (!ownsQueries) {
                        Reg one = k.reg(Type.F32, "one", 1f);
                        rows.store(second, ownedHead, half, secondSums, half, vDim, one);
                    }
                });
            }
        }

        private static Reg[] limits(AttentionRows rows, Reg begin, Reg end) {
            return new Reg[] {rows.limit(0, begin, end), rows.limit(1, begin, end)};
        }

        /// @return of an owned query; of a token outside any numbers
        private Reg[] statistics(Reg token) {
            Reg[] both = k.regs(Type.F32, "statistics", 2);
            Reg inside = k.reg(Type.U32, "inside");
            Reg at = k.reg(Type.U64, "statistics_at");
            k.sub(inside, tokens, 1);
            k.min(inside, inside, token);
            k.mulWide(at, ownedHead, tokens);
            k.mad(at, at, AttentionStatistics.BYTES, statistics);
            k.madWide(at, inside, AttentionStatistics.BYTES, at);
            k.ld(GLOBAL, vec(both), at);
            return both;
        }

        /// Turns scores into probabilities.
        private void probabilities(Reg[] scores, Reg[][] ofRows, Reg statisticsAt) {
            eachPair(ofRows, statisticsAt, 0, (s, log) -> {
                k.fma(scores[s], scores[s], scale, log);
                k.ex2(scores[s], scores[s]);
            });
        }

        /// Turns `dOut . v` into `p (dOut . v - delta)`.
        private void slopes(Reg[] slopes, Reg[] probabilities, Reg[][] ofRows, Reg statisticsAt) {
            eachPair(ofRows, statisticsAt, 1, (s, delta) -> {
                k.sub(slopes[s], slopes[s], delta);
                k.mul(slopes[s], slopes[s], probabilities[s]);
            });
        }

        /// Runs code for each number of a tile, and for one of the statistics of its query.
        private void eachPair(Reg[][] ofRows, Reg statisticsAt, int which, OfPair body) {
            Reg[] ofColumns = ownsQueries ? new Reg[0] : k.regs(Type.F32, "of_column", 2);
            for (int s = 0; s < tile / 2; s++) {
                if (ownsQueries) {
                    body.accept(s, ofRows[s % 4 / 2][which]);
                    continue;
                }
                if (s % 4 == 0) {
                    for (int i = 0; i < 2; i++) {
                        k.ld(
                                SHARED,
                                ofColumns[i],
                                statisticsAt.at((2L * s + i) * AttentionStatistics.BYTES + which * Float.BYTES));
                    }
                }
                body.accept(s, ofColumns[s % 2]);
            }
        }
    }

    /// Takes a pair of a query and a key.
    private interface OfPair {
        /// @param s its number in this thread
        /// @param statistic of the query
        void accept(int s, Reg statistic);
    }
}
