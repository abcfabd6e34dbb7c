package dev.wok.kernel.ptx;

import static dev.wok.kernel.ptx.HopperTiles.COLUMNS;
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

/// Attention's result in bf16 by `wgmma`, for sm_90a (J. Shah et al., FlashAttention-3).
///
/// A block owns 128 queries of a head, 64 for each of two groups of four warps. One more warp lets the
/// copy engine fill a ring of stages with tiles of keys and values; a group multiplies them straight
/// from shared memory ([HopperTiles]), weights from its registers. While it computes exponentials, the
/// tensor cores have its own products of the values before, and the other group's: groups take turns.
///
/// Unseen tokens are dealt with as in [TensorAttention].
///
/// @param dtype of the results
/// @param inPairs whether two numbers of a result may be stored at once
/// @param tile keys of a stage, a multiple of 16
record AttentionSm90(DType dtype, boolean inPairs, int qkDim, int vDim, int tile, int stages) {
    private static final int GROUPS = 2;
    private static final int OWNED = GROUPS * GROUP_ROWS;

    private static final int FEW_REGISTERS = 40;
    private static final int MANY_REGISTERS = 232;

    /// Sums, scores and weights that a thread has registers for.
    private static final int MOST_NUMBERS = 192;

    private static final int MOST_TILE = 128;

    /// The barrier that the multiplying threads share.
    private static final int MULTIPLYING = 1;

    /// The first of two barriers, an even number.
    private static final int FIRST_TURN = 2;

    /// @return the ways to compute this, as far as registers and shared memory allow
    static List<AttentionSm90> candidates(DType dtype, boolean inPairs, int qkDim, int vDim, int sharedBytes) {
        List<AttentionSm90> all = new ArrayList<>();
        for (int tile = COLUMNS; tile <= MOST_TILE; tile *= 2) {
            for (int stages = 2; stages <= 3; stages++) {
                AttentionSm90 one = new AttentionSm90(dtype, inPairs, qkDim, vDim, tile, stages);
                int numbers = tile / 2 + tile / 4 + numbers(vDim);
                boolean hasInstruction = numbers(vDim) <= 128;
                if (qkDim > 0 && hasInstruction && numbers <= MOST_NUMBERS && one.sharedBytes() <= sharedBytes) {
                    all.add(one);
                }
            }
        }
        return all;
    }

    /// Large tiles wait seldom, more stages only where they cost nothing.
    double cost() {
        return 1.0 / tile + 0x1p-10 * stages;
    }

    private int keyBytes() {
        return bytes(tile, qkDim);
    }

    private int valueBytes() {
        return bytes(tile, vDim);
    }

    private int queryBytes() {
        return bytes(OWNED, qkDim);
    }

    private int stageBytes() {
        return keyBytes() + valueBytes();
    }

    private int barriersAt() {
        return queryBytes() + stages * stageBytes();
    }

    private int sharedBytes() {
        return barriersAt() + (1 + 4 * stages) * Long.BYTES;
    }

    Launch launch(int tokens, int heads) {
        long tiles = (tokens + OWNED - 1) / OWNED;
        return Launch.of(Math.toIntExact(tiles * heads), (GROUPS + 1) * GROUP).withShared(sharedBytes());
    }

    TensorMap queries(Tensor q) {
        return map(q, OWNED);
    }

    /// Of keys or values.
    TensorMap tiles(Tensor tensor) {
        return map(tensor, tile);
    }

    void write(PtxKernel k) {
        new Writer(k).write();
    }

    private final class Writer {
        private final PtxKernel k;
        private final HopperTiles tiles;
        private final Reg q;
        private final Reg keys;
        private final Reg v;
        private final HeadRows result;
        private final HeadRows lse;
        private final Reg tokens;
        private final Reg scale;
        private final Reg tid;
        private final Reg lane;
        private final Documents documents;
        private final Reg owned;
        private final Reg ownedEnd;
        private final Reg head;
        private final Reg kvHead;
        private final Reg base;
        private final Reg ringAt;
        private final Reg queriesCame;

        /// Of a ring: when keys and values have come, and when every warp is through with them.
        private final Reg keysCame;

        private final Reg valuesCame;
        private final Reg keysUsed;
        private final Reg valuesUsed;

        Writer(PtxKernel k) {
            this.k = k;
            tiles = new HopperTiles(k);
            k.maxThreads((GROUPS + 1) * GROUP).minBlocks(1);
            q = k.tensorMap("q");
            keys = k.tensorMap("k");
            v = k.tensorMap("v");
            result = HeadRows.param(k, "result");
            lse = HeadRows.param(k, "lse");
            Reg keyStart = k.param("key_start", Type.U64);
            tokens = k.param("tokens", Type.U32);
            Reg heads = k.param("heads", Type.U32);
            Reg share = k.param("share", Type.U32);
            scale = k.param("scale_log2_e", Type.F32);
            Symbol memory = k.dynamicShared("tiles", EIGHT_ROWS);
            base = k.reg(Type.U32, "tiles_at");
            k.mov(base, memory);
            ringAt = tiles.behind("ring", base, queryBytes());
            queriesCame = tiles.behind("queries_came", base, barriersAt());
            keysCame = tiles.behind("keys_came", queriesCame, Long.BYTES);
            valuesCame = tiles.behind("values_came", keysCame, stages * Long.BYTES);
            keysUsed = tiles.behind("keys_used", valuesCame, stages * Long.BYTES);
            valuesUsed = tiles.behind("values_used", keysUsed, stages * Long.BYTES);
            tid = k.reg(Type.U32, "tid", Special.TID_X);
            lane = k.reg(Type.U32, "lane");
            k.and(lane, tid, Sums.LANES - 1);
            documents = new Documents(keyStart, tokens, lane);

            k.comment("the last queries see most keys: they come first");
            Reg id = k.reg(Type.U32, "id", Special.CTAID_X);
            Reg last = k.reg(Type.U32, "last_tile");
            head = k.reg(Type.U32, "head");
            kvHead = k.reg(Type.U32, "kv_head");
            owned = k.reg(Type.U32, "owned");
            ownedEnd = k.reg(Type.U32, "owned_end");
            k.rem(head, id, heads);
            k.div(id, id, heads);
            k.div(kvHead, head, share);
            k.sub(last, tokens, 1);
            k.div(last, last, OWNED);
            k.sub(id, last, id);
            k.mul(owned, id, OWNED);
            k.add(ownedEnd, owned, OWNED);
            k.min(ownedEnd, ownedEnd, tokens);
        }

        void write() {
            k.comment("one thread makes the barriers");
            k.when(k.compare(Compare.EQ, tid, 0), () -> {
                tiles.init(queriesCame, 0, 1);
                for (int i = 0; i < stages; i++) {
                    tiles.init(keysCame, i, 1);
                    tiles.init(valuesCame, i, 1);
                    tiles.init(keysUsed, i, GROUPS * GROUP_WARPS);
                    tiles.init(valuesUsed, i, GROUPS * GROUP_WARPS);
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

        /// The copying warp: all lanes look for the documents, the first one copies.
        private void copy() {
            Reg isFirst = k.compare("copies", Compare.EQ, lane, 0);
            k.when(isFirst, () -> copyTile(q, qkDim, base, OWNED, head, owned, queriesCame));
            Ring ring = Ring.of(k, "copy", stages);
            Reg parity = k.reg(Type.U32, "used_parity");
            documents.each(k, owned, ownedEnd, OWNED, (begin, end) -> {
                Reg other = documents.firstKey(k, begin, tile);
                k.loopWhile(() -> k.compare(Compare.LT, other, end), () -> {
                    k.xor(parity, ring.phase(), 1);
                    Reg stage = ring.at(k, "copy_to", ringAt, stageBytes());
                    tiles.await(ring.at(k, "keys_used_at", keysUsed, Long.BYTES), parity);
                    Reg keysAt = ring.at(k, "keys_came_at", keysCame, Long.BYTES);
                    k.when(isFirst, () -> copyTile(keys, qkDim, stage, tile, kvHead, other, keysAt));
                    k.add(stage, stage, keyBytes());
                    tiles.await(ring.at(k, "values_used_at", valuesUsed, Long.BYTES), parity);
                    Reg valuesAt = ring.at(k, "values_came_at", valuesCame, Long.BYTES);
                    k.when(isFirst, () -> copyTile(v, vDim, stage, tile, kvHead, other, valuesAt));
                    ring.advance(k);
                    k.add(other, other, tile);
                });
            });
        }

        private void copyTile(Reg map, int dim, Reg to, int rows, Reg ofHead, Reg token, Reg barrier) {
            tiles.expect(barrier, bytes(rows, dim));
            tiles.copy(map, dim, to, rows, ofHead, token, barrier);
        }

        private void multiply() {
            new Group().write();
        }

        /// The multiplying warps, 64 queries for each group. While a group computes exponentials, a tile's
        /// values are added under the weights of the tile before; so values have a ring of their own.
        private final class Group {
            private final Reg worker = k.reg(Type.U32, "worker");

            /// The barriers at which this group and the other one wait for their turn to multiply.
            private final Reg turn = k.reg(Type.U32, "turn");

            private final Reg turnOfOther = k.reg(Type.U32, "turn_of_other");
            private final Reg left;
            private final Reg[] row = k.regs(Type.U32, "row", 2);
            private final AttentionRows rows;
            private final SpecialNumbers special = new SpecialNumbers(k, MULTIPLYING, GROUPS * GROUP, true);
            private final Reg[] sums;
            private final Reg[] most;
            private final Reg[] total;
            private final Reg isFirstLane;
            private final Ring ofKeys;
            private final Ring ofValues;

            /// Of the present document.
            private final Reg[] limits = new Reg[2];

            private final Reg wholeFrom = k.reg(Type.U32, "whole_from");
            private final Reg wholeEnd = k.reg(Type.U32, "whole_end");

            Group() {
                Reg warp = k.reg(Type.U32, "warp");
                Reg pair = k.reg(Type.U32, "pair");
                k.sub(worker, tid, GROUP);
                k.shr(warp, worker, 5);
                k.shr(turn, worker, 7);
                Reg groupAt = k.reg(Type.U32, "group_at");
                k.mad(groupAt, turn, GROUP_ROWS * ROW, base);
                k.add(turn, turn, FIRST_TURN);
                k.xor(turnOfOther, turn, 1);
                k.shr(row[0], lane, 2);
                k.mad(row[0], warp, 16, row[0]);
                k.add(row[0], row[0], owned);
                k.add(row[1], row[0], 8);
                k.and(pair, lane, 3);
                k.shl(pair, pair, 1);
                rows = new AttentionRows(k, documents, true, row, pair, dtype, inPairs);
                left = tiles.rows("q_tile", groupAt);
                sums = tiles.zeros("sum", numbers(vDim));
                most = tiles.zeros("most", 2);
                total = tiles.zeros("total", 2);
                for (Reg one : most) {
                    k.mov(one, PlainAttention.LOWEST);
                }
                isFirstLane = k.compare("is_first_lane", Compare.EQ, lane, 0);
                ofKeys = Ring.of(k, "keys", stages);
                ofValues = Ring.of(k, "values", stages);
            }

            void write() {
                Reg isFirst = k.compare("is_first_group", Compare.EQ, turn, FIRST_TURN);
                k.when(isFirst.not(), () -> endTurn());
                tiles.await(queriesCame, 0);
                documents.each(k, owned, ownedEnd, OWNED, this::document);
                k.comment("the first group takes the turn that it was given last");
                k.when(isFirst, () -> k.bar(turn, GROUPS * GROUP));
                k.comment("the result");
                for (int i = 0; i < 2; i++) {
                    int half = i;
                    Reg times = rows.finish(total[i]);
                    k.when(k.compare(Compare.LT, row[i], tokens), () -> {
                        rows.spoilBad(half, times);
                        rows.storeLogSum(lse, head, half, most[half], total[half], times);
                        rows.store(result, head, half, sums, half, vDim, times);
                    });
                }
            }

            private void endTurn() {
                k.op("bar.arrive", turnOfOther, GROUPS * GROUP);
            }

            private void document(Reg begin, Reg end) {
                for (int i = 0; i < limits.length; i++) {
                    limits[i] = rows.limit(i, begin, end);
                }
                Reg count = k.reg(Type.U32, "owned_here");
                Reg ends = k.reg(Type.U32, "owned_last");
                k.comment("tiles from whole_from to whole_end count for all that is owned");
                k.sub(ends, end, 1);
                k.mov(wholeFrom, documents.of(k, "last_start", ends));
                k.add(wholeEnd, owned, 1);
                k.sub(count, end, begin);
                Reg isPart = k.compare(Compare.NE, count, OWNED);
                k.onlyIf(isPart, () -> k.mov(wholeEnd, 0));

                k.comment("the first tile");
                Reg other = documents.firstKey(k, begin, tile);
                Reg[] first = k.regs(Type.F32, "first_score", tile / 2);
                multiply(first);
                tiles.finish(0);
                Reg[] rescales = weights(first, other);
                rescale(rescales);
                Reg[][] weights = tiles.rounded(first);
                k.add(other, other, tile);
                k.loopWhile(() -> k.compare(Compare.LT, other, end), () -> {
                    valuesCame(other);
                    k.comment("the groups take turns");
                    k.bar(turn, GROUPS * GROUP);
                    Reg[] scores = k.regs(Type.F32, "score", tile / 2);
                    multiply(scores);
                    add(weights);
                    endTurn();
                    tiles.finish(1);
                    Reg[] byNow = weights(scores, other);
                    tiles.finish(0);
                    free(ofValues, valuesUsed);
                    rescale(byNow);
                    tiles.round(weights, scores);
                    k.add(other, other, tile);
                });
                k.comment("the last tile's values");
                valuesCame(other);
                add(weights);
                tiles.finish(0);
                free(ofValues, valuesUsed);
            }

            private Reg isMasked(Reg other) {
                Reg tileEnd = k.reg(Type.U32, "tile_end");
                k.add(tileEnd, other, tile);
                Reg isMasked = k.compare("is_masked", Compare.LT, other, wholeFrom);
                Reg isLate = k.compare(Compare.GT, tileEnd, wholeEnd);
                k.op("or.pred", isMasked, isMasked, isLate);
                return isMasked;
            }

            private void free(Ring ring, Reg barriers) {
                Reg free = ring.at(k, "free", barriers, Long.BYTES);
                k.when(isFirstLane, () -> tiles.arrive(free));
                ring.advance(k);
            }

            /// Waits for a tile's keys and sets out to multiply them.
            private void multiply(Reg[] scores) {
                tiles.await(ofKeys.at(k, "keys_came_here", keysCame, Long.BYTES), ofKeys.phase());
                Reg keysAt = ofKeys.at(k, "keys_at", ringAt, stageBytes());
                tiles.products(scores, left, OWNED, tiles.rows("k_tile", keysAt), qkDim);
            }

            /// Turns the scores of the tile at `other` into weights.
            ///
            /// @return for each row, of [AttentionRows#exponentials]
            private Reg[] weights(Reg[] scores, Reg other) {
                free(ofKeys, keysUsed);
                k.when(
                        isMasked(other),
                        () -> rows.mask(tile, other, limits, (_, s) -> k.mov(scores[s], Float.NEGATIVE_INFINITY)));
                return new Reg[] {
                    rows.exponentials(scores, most[0], total[0], scale, 0),
                    rows.exponentials(scores, most[1], total[1], scale, 1)
                };
            }

            private void rescale(Reg[] rescales) {
                rows.rescale(sums, rescales[0], 0);
                rows.rescale(sums, rescales[1], 1);
            }

            private Reg valuesAt() {
                Reg valuesAt = ofValues.at(k, "values_at", ringAt, stageBytes());
                k.add(valuesAt, valuesAt, keyBytes());
                return valuesAt;
            }

            /// Waits for the values of the tile before `other`.
            private void valuesCame(Reg other) {
                tiles.await(ofValues.at(k, "values_came_here", valuesCame, Long.BYTES), ofValues.phase());
                Reg before = k.reg(Type.U32, "values_of");
                k.sub(before, other, tile);
                k.when(
                        isMasked(before),
                        () -> tiles.splitOff(special, rows, sums, tile, before, limits, true, worker, valuesAt()));
            }

            private void add(Reg[][] weights) {
                tiles.add(sums, weights, tiles.columns("v_tile", valuesAt(), tile));
            }
        }
    }
}
