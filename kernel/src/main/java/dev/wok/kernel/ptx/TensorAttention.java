package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Attention of bf16 by `mma.sync`, for every chip from sm_80 on (T. Dao, FlashAttention-2).
///
/// A block owns tokens of a head, queries or keys, 16 or 32 for each warp, and goes through the tokens
/// on the other side in tiles that threads copy into a ring of stages in shared memory (`cp.async`). A
/// warp's scores of a tile stay in its registers, and become there what multiplies the tile's rows.
/// Rows in shared memory are an odd number of 16 bytes long, so that the eight rows that `ldmatrix`
/// reads at once lie in different banks.
///
/// Where some of a tile's pairs do not count, their weights are zeros; and since zero times infinity is
/// none, what is not finite in the tile's rows is added by itself to those that see it, and is zero in
/// the product.
///
/// @param kind which results
/// @param dtype of the results and of `lse`
/// @param inPairs whether two numbers of a result may be stored at once
/// @param fragments of 16 owned rows that a warp has
/// @param tile tokens of a tile on the other side, a multiple of 16
/// @param stages of the ring, 2 or more
record TensorAttention(
        Kind kind, DType dtype, boolean inPairs, int qkDim, int vDim, int warps, int fragments, int tile, int stages) {
    enum Kind {
        OUT,
        D_QUERIES,
        /// Both gradients that belong to keys.
        D_KEYS;

        boolean ownsQueries() {
            return this != D_KEYS;
        }
    }

    /// Rows of a matrix fragment, and columns of the left one.
    private static final int SIDE = 16;

    /// Bytes that a copy and a row of `ldmatrix` have.
    private static final int PIECE = 16;

    private static final int PER_PIECE = PIECE / Rounding.BYTES;

    /// Sums and scores that a thread has registers for.
    private static final int MOST_NUMBERS = 176;

    /// Registers of a thread besides them.
    private static final int OTHER_REGISTERS = 60;

    private static final int REGISTERS = 65536;
    private static final int MOST_WARPS = 8;
    private static final int MOST_TILE = 64;

    /// What a barrier costs a warp, in bytes that it could have read from shared memory.
    private static final int BARRIER_BYTES = 4096;

    /// Whether there are registers for all results with rows of these lengths.
    static boolean fits(int qkDim, int vDim) {
        return qkDim > 0 && padded(qkDim) + padded(vDim) <= 2 * (MOST_NUMBERS - SIDE);
    }

    /// @return the ways to compute this, as far as registers and shared memory allow
    static List<TensorAttention> candidates(
            Kind kind, DType dtype, boolean inPairs, int qkDim, int vDim, int sharedBytes) {
        List<TensorAttention> all = new ArrayList<>();
        for (int warps = 4; warps <= MOST_WARPS; warps *= 2) {
            for (int fragments = 1; fragments <= 2; fragments++) {
                for (int tile = SIDE; tile <= MOST_TILE; tile *= 2) {
                    for (int stages = 2; stages <= 3; stages++) {
                        TensorAttention one =
                                new TensorAttention(kind, dtype, inPairs, qkDim, vDim, warps, fragments, tile, stages);
                        if (one.numbers() <= MOST_NUMBERS && one.sharedBytes() <= sharedBytes) {
                            all.add(one);
                        }
                    }
                }
            }
        }
        return all;
    }

    private int numbers() {
        int sums = kind == Kind.OUT ? padded(vDim) : padded(qkDim) + (kind == Kind.D_KEYS ? padded(vDim) : 0);
        return fragments * (sums + (hasSlopes() ? 2 : 1) * tile) / 2;
    }

    /// Bytes that a warp reads from shared memory for each pair of tokens, more where few warps hide
    /// waiting.
    ///
    /// @param sharedBytes that a multiprocessor has for one block
    double cost(int sharedBytes) {
        int rows = fragments * SIDE;
        int depth = padded(qkDim) + (hasSlopes() ? padded(vDim) : 0);
        int width = kind == Kind.OUT ? padded(vDim) : padded(qkDim) + (kind == Kind.D_KEYS ? padded(vDim) : 0);
        double bytes = Rounding.BYTES * (depth * (rows + tile) + width * tile) + BARRIER_BYTES;
        int blocks = Math.min(sharedBytes / sharedBytes(), REGISTERS / (threads() * (numbers() + OTHER_REGISTERS)));
        double busy = Math.min(1, (0.5 + Math.max(1, blocks) * warps / (2.0 * MOST_WARPS)));
        return bytes / (rows * tile * busy);
    }

    private static int padded(int dim) {
        return (dim + SIDE - 1) / SIDE * SIDE;
    }

    /// Bytes from row to row in shared memory.
    private static int pitch(int dim) {
        return (padded(dim) / PER_PIECE | 1) * PIECE;
    }

    private int owned() {
        return warps * fragments * SIDE;
    }

    private int threads() {
        return warps * Sums.LANES;
    }

    private boolean hasSlopes() {
        return kind != Kind.OUT;
    }

    private int ownedBytes() {
        return owned() * (pitch(qkDim) + (hasSlopes() ? pitch(vDim) : 0));
    }

    private int stageBytes() {
        return statisticsAt() + (kind == Kind.D_KEYS ? tile * AttentionStatistics.BYTES : 0);
    }

    /// Where in a stage the statistics of a tile of queries are.
    private int statisticsAt() {
        return tile * (pitch(qkDim) + pitch(vDim));
    }

    int sharedBytes() {
        return ownedBytes() + stages * stageBytes();
    }

    /// @param heads of the owned tokens
    Launch launch(int tokens, int heads) {
        long tiles = (tokens + owned() - 1) / owned();
        return Launch.of(Math.toIntExact(tiles * heads), threads()).withShared(sharedBytes());
    }

    void write(PtxKernel k) {
        new Writer(k).write();
    }

    private final class Writer {
        private final PtxKernel k;
        private final HeadRows q;
        private final HeadRows keys;
        private final HeadRows v;
        private final HeadRows dOut;
        private final HeadRows result;
        private final HeadRows second;
        private final HeadRows lse;
        private final Reg statistics;
        private final Reg tokens;
        private final Reg share;
        private final Reg scale;
        private final Reg factor;
        private final Documents documents;
        private final Reg tid;
        private final Reg lane;
        private final Reg owned;
        private final Reg ownedEnd;
        private final Reg ownedHead;

        private final AttentionRows rows;

        /// This thread's rows, two of each fragment.
        private final Reg[] row;

        /// Its first column of each eight.
        private final Reg pair;

        private final Reg base;
        private final Reg ring;
        private final Reg leftAt;
        private final Reg slopeLeftAt;
        private final Reg rightAt;
        private final Reg slopeRightAt;
        private final Reg rowsOfQk;
        private final Reg rowsOfV;

        /// For each fragment, four of each eight columns.
        private final Reg[][] sums;

        private final Reg[][] secondSums;
        private final Reg[] most;
        private final Reg[] total;

        Writer(PtxKernel k) {
            this.k = k;
            k.maxThreads(threads()).minBlocks(1);
            q = HeadRows.param(k, "q");
            keys = HeadRows.param(k, "k");
            v = HeadRows.param(k, "v");
            dOut = HeadRows.param(k, "dout");
            result = HeadRows.param(k, "result");
            second = HeadRows.param(k, "second");
            lse = HeadRows.param(k, "lse");
            statistics = k.param("statistics", Type.U64);
            Reg keyStart = k.param("key_start", Type.U64);
            tokens = k.param("tokens", Type.U32);
            Reg heads = k.param("heads", Type.U32);
            share = k.param("share", Type.U32);
            scale = k.param("scale_log2_e", Type.F32);
            factor = k.param("factor", Type.F32);
            Symbol memory = k.dynamicShared("tiles", 128);
            base = k.reg(Type.U32, "tiles_at");
            k.mov(base, memory);
            ring = k.reg(Type.U32, "ring");
            k.add(ring, base, ownedBytes());
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
            if (!kind.ownsQueries()) {
                k.div(headsHere, heads, share);
            }
            k.rem(ownedHead, id, headsHere);
            k.div(id, id, headsHere);
            if (kind.ownsQueries()) {
                Reg last = k.reg(Type.U32, "last_tile");
                k.sub(last, tokens, 1);
                k.div(last, last, owned());
                k.sub(id, last, id);
            }
            k.mul(owned, id, owned());
            k.add(ownedEnd, owned, owned());
            k.min(ownedEnd, ownedEnd, tokens);

            k.comment("where this thread's rows and columns of fragments are");
            Reg warpRow = k.reg(Type.U32, "warp_row");
            k.shr(warpRow, tid, 5);
            k.mul(warpRow, warpRow, fragments * SIDE);
            row = k.regs(Type.U32, "row", 2 * fragments);
            k.shr(row[0], lane, 2);
            k.add(row[0], row[0], warpRow);
            k.add(row[0], row[0], owned);
            for (int i = 1; i < row.length; i++) {
                k.add(row[i], row[0], 8 * i);
            }
            pair = k.reg(Type.U32, "pair");
            k.and(pair, lane, 3);
            k.shl(pair, pair, 1);
            rows = new AttentionRows(k, documents, kind.ownsQueries(), row, pair, dtype, inPairs);
            leftAt = rowsDown("left_at", qkDim);
            k.mad(leftAt, warpRow, pitch(qkDim), leftAt);
            k.add(leftAt, leftAt, base);
            slopeLeftAt = rowsDown("slope_left_at", vDim);
            k.mad(slopeLeftAt, warpRow, pitch(vDim), slopeLeftAt);
            k.add(slopeLeftAt, slopeLeftAt, base);
            k.add(slopeLeftAt, slopeLeftAt, owned() * pitch(qkDim));
            rightAt = rowsAcross("right_at", qkDim);
            slopeRightAt = rowsAcross("slope_right_at", vDim);
            k.add(slopeRightAt, slopeRightAt, tile * pitch(qkDim));
            rowsOfQk = rowsDown("rows_of_qk", qkDim);
            rowsOfV = rowsDown("rows_of_v", vDim);
            k.add(rowsOfV, rowsOfV, tile * pitch(qkDim));

            sums = ofFragments("sum", padded(kind == Kind.OUT ? vDim : qkDim) / 2);
            secondSums = kind == Kind.D_KEYS ? ofFragments("second_sum", padded(vDim) / 2) : new Reg[0][];
            most = kind == Kind.OUT ? zeros("most", row.length) : new Reg[0];
            total = kind == Kind.OUT ? zeros("total", row.length) : new Reg[0];
            for (Reg one : most) {
                k.mov(one, PlainAttention.LOWEST);
            }
        }

        private Reg[] zeros(String name, int count) {
            Reg[] all = k.regs(Type.F32, name, count);
            for (Reg one : all) {
                k.mov(one, 0f);
            }
            return all;
        }

        private Reg[][] ofFragments(String name, int count) {
            Reg[][] all = new Reg[fragments][];
            Arrays.setAll(all, f -> zeros(name, count));
            return all;
        }

        /// @return where this lane's row for `ldmatrix` begins, of 16 rows and two pieces, the rows
        ///     first
        private Reg rowsDown(String name, int dim) {
            Reg at = k.reg(Type.U32, name);
            Reg piece = k.reg(Type.U32, name + "_piece");
            k.and(at, lane, 15);
            k.shr(piece, lane, 4);
            k.mul(at, at, pitch(dim));
            k.mad(at, piece, PIECE, at);
            return at;
        }

        /// @return likewise, the pieces first
        private Reg rowsAcross(String name, int dim) {
            Reg at = k.reg(Type.U32, name);
            Reg piece = k.reg(Type.U32, name + "_piece");
            Reg high = k.reg(Type.U32, name + "_high");
            k.and(at, lane, 7);
            k.shr(high, lane, 4);
            k.mad(at, high, 8, at);
            k.mul(at, at, pitch(dim));
            k.shr(piece, lane, 3);
            k.and(piece, piece, 1);
            k.mad(at, piece, PIECE, at);
            return at;
        }

        void write() {
            Reg slopes = k.reg(Type.U32, "owned_slopes");
            k.add(slopes, base, owned() * pitch(qkDim));
            if (kind.ownsQueries()) {
                Reg kvHead = k.reg(Type.U32, "kv_head");
                k.div(kvHead, ownedHead, share);
                Head head = new Head(ownedHead, kvHead);
                copy(base, owned(), qkDim, q, head.qRows, owned, ownedEnd);
                if (hasSlopes()) {
                    copy(slopes, owned(), vDim, dOut, head.dOutRows, owned, ownedEnd);
                }
                k.op("cp.async.commit_group");
                eachDocument(head);
            } else {
                Reg first = k.reg(Type.U32, "first_head");
                Reg end = k.reg(Type.U32, "heads_end");
                k.mul(first, ownedHead, share);
                k.add(end, first, share);
                copy(base, owned(), qkDim, keys, keys.ofHead(k, "k_head", ownedHead), owned, ownedEnd);
                copy(slopes, owned(), vDim, v, v.ofHead(k, "v_head", ownedHead), owned, ownedEnd);
                k.op("cp.async.commit_group");
                k.loop("head", first, end, 1, head -> eachDocument(new Head(head, ownedHead)));
            }
            k.op("cp.async.wait_all");
            store();
        }

        /// Where the rows of one query head begin, and of the key head that it shares.
        private final class Head {
            final Reg qRows;
            final Reg kRows;
            final Reg vRows;
            final Reg dOutRows;
            final Reg statisticsAt;

            Head(Reg head, Reg kvHead) {
                qRows = q.ofHead(k, "q_head", head);
                kRows = keys.ofHead(k, "k_head", kvHead);
                vRows = v.ofHead(k, "v_head", kvHead);
                dOutRows = dOut.ofHead(k, "dout_head", head);
                statisticsAt = k.reg(Type.U64, "statistics_head");
                k.mulWide(statisticsAt, head, tokens);
                k.mad(statisticsAt, statisticsAt, AttentionStatistics.BYTES, statistics);
            }

            /// @return of [AttentionStatistics]; of a token outside any numbers
            Reg[] statistics(Reg token) {
                Reg[] both = k.regs(Type.F32, "statistics", 2);
                Reg inside = k.reg(Type.U32, "inside");
                Reg at = k.reg(Type.U64, "statistics_at");
                k.sub(inside, tokens, 1);
                k.min(inside, inside, token);
                k.madWide(at, inside, AttentionStatistics.BYTES, statisticsAt);
                k.ld(GLOBAL, vec(both), at);
                return both;
            }
        }

        /// Sets out to copy rows of a head; rows and columns that it does not have arrive as zeros.
        private void copy(Reg to, int height, int dim, HeadRows source, Reg ofHead, Reg first, Reg end) {
            if (dim == 0) {
                return;
            }
            int pieces = padded(dim) / PER_PIECE;
            int across = Integer.lowestOneBit(pieces);
            int down = threads() / across;
            Reg piece = k.reg(Type.U32, "piece");
            Reg start = k.reg(Type.U32, "copy_row");
            Reg place = k.reg(Type.U32, "copy_to");
            k.and(piece, tid, across - 1);
            k.shr(start, tid, Integer.numberOfTrailingZeros(across));
            k.shl(piece, piece, 4);
            k.mad(place, start, pitch(dim), to);
            k.add(place, place, piece);
            Reg[] widths = new Reg[pieces / across];
            for (int m = 0; m < widths.length; m++) {
                widths[m] = k.reg(Type.U32, "width", PIECE);
                if (dim % PER_PIECE != 0 || dim != padded(dim)) {
                    Reg left = k.reg(Type.S32, "width_left");
                    k.op("sub.s32", left, dim * Rounding.BYTES - m * across * PIECE, piece);
                    k.max(left, left, 0);
                    k.min(left, left, PIECE);
                    k.mov(widths[m], left);
                }
            }
            Reg last = k.reg(Type.U32, "copy_last");
            k.sub(last, end, 1);
            Reg token = k.reg(Type.U32, "copy_token");
            Reg bytes = k.reg(Type.U32, "copy_bytes");
            for (int i = 0; i * down < height; i++) {
                int rowsBefore = i * down;
                Runnable one = () -> {
                    k.add(token, first, start);
                    k.add(token, token, rowsBefore);
                    Reg isInside = k.compare(Compare.LE, token, last);
                    k.min(token, token, last);
                    Reg from = source.at(k, "copy_from", ofHead, token);
                    Reg wide = k.reg(Type.U64, "wide");
                    k.op("cvt.u64.u32", wide, piece);
                    k.add(from, from, wide);
                    for (int m = 0; m < widths.length; m++) {
                        k.selp(bytes, widths[m], 0, isInside);
                        k.op(
                                "cp.async.cg.shared.global",
                                place.at((long) rowsBefore * pitch(dim) + (long) m * across * PIECE),
                                from.at((long) m * across * PIECE),
                                PIECE,
                                bytes);
                    }
                };
                if (down > height) {
                    k.when(k.compare(Compare.LT, start, height), one);
                } else {
                    one.run();
                }
            }
        }

        private void eachDocument(Head head) {
            documents.each(k, owned, ownedEnd, Math.max(owned(), Sums.LANES), (begin, end) -> {
                Reg[] limits = new Reg[row.length];
                for (int i = 0; i < limits.length; i++) {
                    limits[i] = rows.limit(i, begin, end);
                }
                Reg other;
                Reg otherEnd;
                Reg wholeFrom = k.reg(Type.U32, "whole_from", 0);
                Reg wholeEnd = k.reg(Type.U32, "whole_end");
                Reg isWhole = k.reg(Type.U32, "owned_here");
                Reg ends = k.reg(Type.U32, "owned_last");
                k.sub(ends, end, 1);
                k.comment("tiles from whole_from to whole_end count for all that is owned");
                if (kind.ownsQueries()) {
                    other = documents.firstKey(k, begin, tile);
                    otherEnd = end;
                    k.mov(wholeFrom, documents.of(k, "last_start", ends));
                    k.add(wholeEnd, owned, 1);
                } else {
                    other = documents.firstQuery(k, begin, tile);
                    otherEnd = documents.endOfQueries(k, begin, end);
                    k.mov(wholeFrom, ends);
                    Reg behind = k.reg(Type.U32, "behind_first");
                    k.add(behind, owned, 1);
                    k.mov(wholeEnd, documents.endOfQueries(k, begin, behind));
                }
                k.sub(isWhole, end, begin);
                Reg isPart = k.compare(Compare.NE, isWhole, owned());
                k.onlyIf(isPart, () -> k.mov(wholeEnd, 0));
                Reg[][] ofRows = new Reg[row.length][];
                if (kind == Kind.D_QUERIES) {
                    for (int i = 0; i < ofRows.length; i++) {
                        ofRows[i] = head.statistics(row[i]);
                    }
                }

                k.comment("nobody reads the ring any more; the first stages set out");
                k.bar();
                Ring filled = Ring.of(k, "filled", stages);
                Ring used = Ring.of(k, "used", stages);
                Reg next = k.reg(Type.U32, "next", other);
                for (int i = 0; i < stages - 1; i++) {
                    fill(head, filled, next, otherEnd);
                }
                k.loopWhile(() -> k.compare(Compare.LT, other, otherEnd), () -> {
                    k.op("cp.async.wait_group", stages - 2);
                    k.bar();
                    fill(head, filled, next, otherEnd);
                    Reg stage = used.at(k, "stage", ring, stageBytes());
                    Reg tileEnd = k.reg(Type.U32, "tile_end");
                    k.add(tileEnd, other, tile);
                    Reg isMasked = k.compare("is_masked", Compare.LT, other, wholeFrom);
                    Reg isLate = k.compare(Compare.GT, tileEnd, wholeEnd);
                    k.op("or.pred", isMasked, isMasked, isLate);
                    new Tile(stage, other, limits, ofRows, isMasked).write();
                    used.advance(k);
                    k.add(other, other, tile);
                });
            });
        }

        private void fill(Head head, Ring filled, Reg next, Reg otherEnd) {
            Reg stage = filled.at(k, "fill_at", ring, stageBytes());
            k.when(k.compare(Compare.LT, next, otherEnd), () -> {
                Reg behind = k.reg(Type.U32, "fill_v_at");
                k.add(behind, stage, tile * pitch(qkDim));
                if (kind.ownsQueries()) {
                    copy(stage, tile, qkDim, keys, head.kRows, next, otherEnd);
                    copy(behind, tile, vDim, v, head.vRows, next, otherEnd);
                } else {
                    copy(stage, tile, qkDim, q, head.qRows, next, otherEnd);
                    copy(behind, tile, vDim, dOut, head.dOutRows, next, otherEnd);
                    k.add(behind, stage, statisticsAt());
                    copyStatistics(head, behind, next, otherEnd);
                }
            });
            k.op("cp.async.commit_group");
            k.add(next, next, tile);
            filled.advance(k);
        }

        private void copyStatistics(Head head, Reg to, Reg first, Reg end) {
            k.when(k.compare(Compare.LT, tid, tile), () -> {
                Reg token = k.reg(Type.U32, "statistics_token");
                Reg last = k.reg(Type.U32, "statistics_last");
                Reg bytes = k.reg(Type.U32, "statistics_bytes");
                Reg from = k.reg(Type.U64, "statistics_from");
                k.add(token, first, tid);
                k.sub(last, end, 1);
                Reg isInside = k.compare(Compare.LE, token, last);
                k.selp(bytes, AttentionStatistics.BYTES, 0, isInside);
                k.min(token, token, last);
                k.madWide(from, token, AttentionStatistics.BYTES, head.statisticsAt);
                Reg place = k.reg(Type.U32, "statistics_to");
                k.mad(place, tid, AttentionStatistics.BYTES, to);
                k.op("cp.async.ca.shared.global", place.at(0), from.at(0), AttentionStatistics.BYTES, bytes);
            });
        }

        /// What is done with one tile.
        ///
        /// A thread has of each 16 by 8 numbers of scores two neighbours in each of its rows.
        private final class Tile {
            private final Reg other;
            private final Reg[] limits;
            private final Reg isMasked;
            private final Reg[][] scores = ofFragments("score", tile / 2);
            private final Reg[][] slopes = hasSlopes() ? ofFragments("slope", tile / 2) : new Reg[0][];
            private final Reg[][] ofRows;
            private final Reg stage;

            Tile(Reg stage, Reg other, Reg[] limits, Reg[][] ofRows, Reg isMasked) {
                this.stage = stage;
                this.other = other;
                this.limits = limits;
                this.ofRows = ofRows;
                this.isMasked = isMasked;
            }

            void write() {
                products(scores, leftAt, rightAt, qkDim);
                if (kind == Kind.OUT) {
                    k.when(
                            isMasked,
                            () -> rows.mask(
                                    tile, other, limits, (f, s) -> k.mov(scores[f][s], Float.NEGATIVE_INFINITY)));
                    for (int f = 0; f < fragments; f++) {
                        rows.exponentials(scores[f], sums[f], most[2 * f + 0], total[2 * f + 0], scale, 0);
                        rows.exponentials(scores[f], sums[f], most[2 * f + 1], total[2 * f + 1], scale, 1);
                    }
                } else {
                    products(slopes, slopeLeftAt, slopeRightAt, vDim);
                    weights();
                    k.when(
                            isMasked,
                            () -> rows.mask(tile, other, limits, (f, s) -> {
                                k.mov(scores[f][s], 0f);
                                k.mov(slopes[f][s], 0f);
                            }));
                }
                k.when(isMasked, () -> {
                    if (kind != Kind.D_QUERIES) {
                        splitOff(kind == Kind.OUT ? sums : secondSums, vDim, tile * pitch(qkDim), true);
                    }
                    if (kind != Kind.OUT) {
                        splitOff(sums, qkDim, 0, false);
                    }
                });
                switch (kind) {
                    case OUT -> accumulate(sums, scores, rowsOfV, vDim);
                    case D_QUERIES -> accumulate(sums, slopes, rowsOfQk, qkDim);
                    case D_KEYS -> {
                        accumulate(secondSums, scores, rowsOfV, vDim);
                        accumulate(sums, slopes, rowsOfQk, qkDim);
                    }
                }
            }

            /// Turns scores and `dOut . v` into probabilities `p` and `p (dOut . v - delta)`.
            private void weights() {
                Reg[] ofPair = k.regs(Type.F32, "of_pair", 4);
                Reg at = k.reg(Type.U32, "of_pair_at");
                k.mad(at, pair, AttentionStatistics.BYTES, stage);
                for (int s = 0; s < tile / 2; s++) {
                    if (kind == Kind.D_KEYS && s % 4 == 0) {
                        k.ld(SHARED, vec(ofPair), at.at(statisticsAt() + s * 2L * AttentionStatistics.BYTES));
                    }
                    for (int f = 0; f < fragments; f++) {
                        boolean isOfRow = kind == Kind.D_QUERIES;
                        Reg log = isOfRow ? ofRows[2 * f + s % 4 / 2][0] : ofPair[s % 2 * 2];
                        Reg delta = isOfRow ? ofRows[2 * f + s % 4 / 2][1] : ofPair[s % 2 * 2 + 1];
                        k.fma(scores[f][s], scores[f][s], scale, log);
                        k.ex2(scores[f][s], scores[f][s]);
                        k.sub(slopes[f][s], slopes[f][s], delta);
                        k.mul(slopes[f][s], slopes[f][s], scores[f][s]);
                    }
                }
            }

            /// Adds the products of the owned rows and the tile's.
            private void products(Reg[][] into, Reg left, Reg right, int dim) {
                Reg at = k.reg(Type.U32, "products_at");
                Reg[][] a = leftFragments();
                Reg[] b = k.regs(Type.B32, "b", 4);
                k.add(at, right, stage);
                for (int step = 0; step < padded(dim) / SIDE; step++) {
                    for (int f = 0; f < fragments; f++) {
                        k.op(
                                "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                                vec(a[f]),
                                left.at((long) f * SIDE * pitch(dim) + 2L * step * PIECE));
                    }
                    for (int j = 0; j < tile / SIDE; j++) {
                        k.op(
                                "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                                vec(b),
                                at.at((long) j * SIDE * pitch(dim) + 2L * step * PIECE));
                        multiply(into, 8 * j, a, b);
                    }
                }
            }

            /// Adds the tile's rows under their weights, which round to bf16.
            private void accumulate(Reg[][] into, Reg[][] weights, Reg first, int dim) {
                Reg at = k.reg(Type.U32, "rows_at");
                Reg[][] a = leftFragments();
                Reg[] b = k.regs(Type.B32, "b", 4);
                k.add(at, first, stage);
                for (int step = 0; step < tile / SIDE; step++) {
                    for (int f = 0; f < fragments; f++) {
                        for (int i = 0; i < 4; i++) {
                            int s = 8 * step + 2 * i;
                            k.op("cvt.rn.bf16x2.f32", a[f][i], weights[f][s + 1], weights[f][s]);
                        }
                    }
                    for (int c = 0; c < padded(dim) / SIDE; c++) {
                        k.op(
                                "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16",
                                vec(b),
                                at.at((long) step * SIDE * pitch(dim) + 2L * c * PIECE));
                        multiply(into, 8 * c, a, b);
                    }
                }
            }

            private Reg[][] leftFragments() {
                Reg[][] a = new Reg[fragments][];
                Arrays.setAll(a, f -> k.regs(Type.B32, "a", 4));
                return a;
            }

            /// Sixteen columns of each fragment.
            private void multiply(Reg[][] into, int at, Reg[][] a, Reg[] b) {
                for (int f = 0; f < fragments; f++) {
                    for (int half = 0; half < 2; half++) {
                        k.op(
                                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                                vec(into[f], at + 4 * half, 4),
                                vec(a[f]),
                                vec(b, 2 * half, 2),
                                vec(into[f], at + 4 * half, 4));
                    }
                }
            }

            /// @param at where the rows begin in the stage
            private void splitOff(Reg[][] into, int dim, int at, boolean isPositive) {
                Reg begin = k.reg(Type.U32, "check_at");
                k.add(begin, stage, at);
                Reg pairAt = k.reg(Type.U32, "pair_at");
                k.mad(pairAt, pair, Rounding.BYTES, begin);
                int pieces = padded(dim) / PER_PIECE;
                SpecialNumbers special = new SpecialNumbers(k, 0, threads(), false);
                special.splitOff(
                        body -> {
                            Reg place = k.reg(Type.U32, "piece_at");
                            Reg line = k.reg(Type.U32, "piece_row");
                            Reg piece = k.reg(Type.U32, "piece");
                            k.loop("check", tid, tile * pieces, threads(), i -> {
                                k.div(line, i, pieces);
                                k.rem(piece, i, pieces);
                                k.mad(place, line, pitch(dim), begin);
                                k.mad(place, piece, PIECE, place);
                                body.accept(place);
                            });
                        },
                        () -> rows.addSpecial(into, tile, other, limits, isPositive, line -> {
                            Reg lineAt = k.reg(Type.U32, "special_at");
                            k.mad(lineAt, line, pitch(dim), pairAt);
                            return piece -> lineAt.at((long) piece * PIECE);
                        }));
            }
        }

        private void store() {
            for (int i = 0; i < row.length; i++) {
                int part = i;
                Reg times = kind == Kind.OUT ? rows.finish(total[i]) : k.reg(Type.F32, "times", factor);
                k.when(k.compare(Compare.LT, row[i], tokens), () -> {
                    if (kind.ownsQueries()) {
                        rows.spoilBad(part, times);
                    }
                    int half = part % 2;
                    if (kind == Kind.OUT) {
                        rows.storeLogSum(lse, ownedHead, part, most[part], total[part], times);
                        rows.store(result, ownedHead, part, sums[part / 2], half, vDim, times);
                    } else {
                        rows.store(result, ownedHead, part, sums[part / 2], half, qkDim, times);
                    }
                    if (kind == Kind.D_KEYS) {
                        Reg one = k.reg(Type.F32, "one", 1f);
                        rows.store(second, ownedHead, part, secondSums[part / 2], half, vDim, one);
                    }
                });
            }
        }
    }
}
