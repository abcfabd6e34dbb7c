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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// A [PagedBlock] in bf16 by `mma.sync`, for every chip from sm_80 on.
///
/// Heads are the rows of the products. Tiles of keys and values come into a ring in shared memory while
/// the warps compute with one before them; where the values are the keys' first columns, one tile is
/// both. The warps share a tile's scores by heads and keys, and the values by columns: powers and their
/// bases pass through shared memory in between. The bases grow from tile to tile, and what is summed is
/// scaled to them.
///
/// A row of a tile is an odd number of 16 bytes, so that the eight rows that `ldmatrix` reads at once lie in different
/// banks.
///
/// @param isLatent whether the values are the keys' first columns
/// @param heads of a block, a multiple of 16
/// @param tile keys of a tile
/// @param stages of the ring
/// @param qkDim numbers of a key, a multiple of 16
/// @param vDim numbers of a value, a multiple of 16 for each warp
record PagedSm80(
        Bf16Rows q,
        Bf16Rows keys,
        Bf16Rows values,
        boolean isLatent,
        int heads,
        int tile,
        int stages,
        int warps,
        int qkDim,
        int vDim,
        Chunks chunks) {

    private static final int ROW_TILE = 16;
    private static final int COLUMN_TILE = 8;
    private static final int PIECE_BYTES = 16;
    private static final int LANES_PER_ROW = 8;

    /// Sums of a thread, of its 255 registers.
    private static final int MOST_SUMS = 128;

    /// Of a multiprocessor.
    private static final int SHARED_BYTES = 228 * 1024;

    /// Heads, keys and warps of a block.
    private record Shape(int heads, int tile, int warps) {
        private static final List<Shape> ALL = List.of(
                new Shape(16, 32, 2),
                new Shape(16, 64, 4),
                new Shape(32, 32, 4),
                new Shape(32, 64, 8),
                new Shape(64, 32, 8),
                new Shape(64, 64, 8));
    }

    /// @param share query heads of a key head
    /// @param sharedBytes of a block at most
    /// @return the kernels for these sizes that fit
    static List<PagedSm80> candidates(
            Bf16Rows q,
            Bf16Rows keys,
            Bf16Rows values,
            boolean isLatent,
            int share,
            int qkDim,
            int vDim,
            Chunks chunks,
            int sharedBytes) {
        List<PagedSm80> all = new ArrayList<>();
        int padded = up(qkDim, ROW_TILE);
        for (Shape s : Shape.ALL) {
            for (int stages = 2; stages <= 4; stages++) {
                PagedSm80 one = new PagedSm80(
                        q,
                        keys,
                        values,
                        isLatent,
                        s.heads,
                        s.tile,
                        stages,
                        s.warps,
                        padded,
                        up(vDim, ROW_TILE * s.warps),
                        chunks);
                boolean isWaste = s.heads >= 2 * up(share, ROW_TILE);
                if (!isWaste && one.sums() <= MOST_SUMS && one.sharedBytes() <= sharedBytes) {
                    all.add(one);
                }
            }
        }
        return all;
    }

    /// @return the cheapest of the candidates, if one fits
    static Optional<PagedSm80> choose(List<PagedSm80> candidates, int share) {
        return candidates.stream().min((a, b) -> Double.compare(a.cost(share), b.cost(share)));
    }

    /// @return about how many cycles a multiprocessor spends on a key of a key head
    double cost(int share) {
        int columns = vDim / warps;
        int rowTiles = heads / ROW_TILE;
        int steps = qkDim / ROW_TILE;
        double loads = steps * (1 + keysPerWarp() / 16.0) + tile / 16.0 * (rowTiles + columns / 16.0);
        double products = steps * keysPerWarp() / 8.0 + tile / 16.0 * rowTiles * columns / 8.0;
        double warp = 12 * loads + 8 * products;
        double compute = Math.max(warp, Math.max(512.0 * warps * loads / 128, 2.0 * warps * products)) + 600;
        double memory = tile * (2.0 * qkDim + (isLatent ? 0 : 2.0 * vDim)) / 16;
        int blocks = Math.clamp(SHARED_BYTES / sharedBytes(), 1, 3);
        double perTile = Math.max(memory, compute / blocks) + 300.0 / (stages - 1);
        return Math.ceilDiv(share, heads) * perTile / tile;
    }

    private static int up(int n, int unit) {
        return Math.max(1, Math.ceilDiv(n, unit)) * unit;
    }

    /// @return a thread's sums of values
    private int sums() {
        return heads / ROW_TILE * (vDim / warps / COLUMN_TILE) * 4;
    }

    int threads() {
        return warps * Sums.LANES;
    }

    private int warpsAlongKeys() {
        return warps / (heads / ROW_TILE);
    }

    private int keysPerWarp() {
        return tile / warpsAlongKeys();
    }

    private static int pitch(int numbers) {
        return (numbers / Bf16Rows.PIECE + 1) * PIECE_BYTES;
    }

    private int keyNumbers() {
        return isLatent ? Math.max(qkDim, vDim) : qkDim;
    }

    private int keyPitch() {
        return pitch(keyNumbers());
    }

    private int valuePitch() {
        return isLatent ? keyPitch() : pitch(vDim);
    }

    private int stageBytes() {
        return tile * (keyPitch() + (isLatent ? 0 : valuePitch()));
    }

    private int powersAt() {
        return stages * stageBytes() + heads * pitch(qkDim);
    }

    private int greatestAt() {
        return powersAt() + heads * pitch(tile);
    }

    private int factorsAt() {
        return greatestAt() + warpsAlongKeys() * heads * Float.BYTES;
    }

    int sharedBytes() {
        return factorsAt() + heads * Float.BYTES;
    }

    /// What the parts of the kernel share.
    ///
    /// @param base of the shared memory
    /// @param next first key of the tile that is filled next
    private record Context(PagedBlock block, Reg tid, Reg lane, Reg warp, Reg base, Reg next, Ring filled) {}

    void write(PtxKernel k) {
        k.maxThreads(threads()).minBlocks(1);
        Symbol memory = k.dynamicShared("tiles", 128);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg base = k.reg(Type.U32, "tiles_at");
        k.mov(base, memory);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        PagedBlock block = PagedBlock.of(k, chunks, heads, lane);
        Context c =
                new Context(block, tid, lane, warp, base, k.reg(Type.U32, "next_key", 0), Ring.of(k, "filled", stages));
        Filler filler = new Filler(k, c);
        filler.bringQueries();
        for (int i = 0; i < stages - 1; i++) {
            filler.fill();
        }

        Scorer scorer = new Scorer(k, c);
        Weigher weigher = new Weigher(k, c);
        Ring used = Ring.of(k, "used", stages);
        k.loop("first_key", 0, block.count(), tile, first -> {
            k.comment("this tile has come, and everybody is through with the one that is filled now");
            if (isCopied()) {
                k.op("cp.async.wait_group", stages - 2);
            }
            k.bar();
            filler.fill();
            Reg stage = used.at(k, "stage", base, stageBytes());
            scorer.score(stage);
            scorer.powers(first);
            k.bar();
            weigher.weigh(stage);
            used.advance(k);
        });

        k.comment("what is left for the join");
        if (isCopied()) {
            k.op("cp.async.wait_all");
        }
        scorer.store(filler.isBroken());
        weigher.store();
    }

    /// @return whether anything is copied while the threads compute
    private boolean isCopied() {
        return q.isCopied() || keys.isCopied() || values.isCopied();
    }

    /// Brings queries, keys and values: eight lanes take a row.
    private final class Filler {
        private final PtxKernel k;
        private final Context c;
        private final Reg row;
        private final Reg piece;
        private final Reg keyCount;
        private final Reg valueCount;
        private final PagedRows.Place[] places;
        private final Reg broken;

        Filler(PtxKernel k, Context c) {
            this.k = k;
            this.c = c;
            row = k.reg(Type.U32, "tile_row");
            piece = k.reg(Type.U32, "first_piece");
            keyCount = k.reg(Type.S32, "key_count");
            valueCount = k.reg(Type.S32, "value_count");
            broken = k.reg(Type.U32, "broken", 0);
            places = new PagedRows.Place[tile / rowsAtOnce()];
            Arrays.setAll(places, _ -> c.block.rows().place(k));
            k.shr(row, c.tid, 3);
            k.and(piece, c.tid, LANES_PER_ROW - 1);
            find();
        }

        private int rowsAtOnce() {
            return threads() / LANES_PER_ROW;
        }

        /// Looks up where the rows of the tile lie that is filled next.
        private void find() {
            Reg key = k.reg(Type.U32, "found_key");
            Reg last = k.reg(Type.U32, "last_key");
            k.sub(last, c.block.count(), 1);
            for (int i = 0; i < places.length; i++) {
                k.add(key, c.next, row);
                k.add(key, key, i * rowsAtOnce());
                k.min(key, key, last);
                k.add(key, key, c.block.begin());
                c.block.rows().find(k, c.block.seen(), key, places[i]);
            }
        }

        void bringQueries() {
            k.comment("queries, [heads, qkDim]");
            Reg place = place(c.base, pitch(qkDim));
            Reg head = k.reg(Type.U32, "q_row");
            Reg count = k.reg(Type.S32, "q_count");
            Reg at = k.reg(Type.U64, "q_at");
            Reg wide = k.reg(Type.U64, "q_wide");
            for (int i = 0; i < heads; i += rowsAtOnce()) {
                k.add(head, row, i);
                Reg isHead = k.compare(Compare.LT, head, c.block.heads());
                k.op("cvt.u64.u32", wide, head);
                k.mad(at, wide, c.block.qHead(), c.block.q());
                k.selp(at, at, c.block.q(), isHead);
                k.mov(count, c.block.qkDim());
                k.selp(count, count, 0, isHead);
                bring(q, place, (long) stages * stageBytes() + (long) i * pitch(qkDim), qkDim, at, count);
            }
        }

        private Reg place(Reg base, int pitch) {
            Reg place = k.reg(Type.U32, "fill_row_at");
            k.mad(place, row, pitch, base);
            k.mad(place, piece, PIECE_BYTES, place);
            return place;
        }

        private void bring(Bf16Rows rows, Reg place, long offset, int numbers, Reg row, Reg count) {
            int pieces = numbers / Bf16Rows.PIECE;
            Reg first = k.reg(Type.U32, "first_number");
            Reg firstSigned = k.reg(Type.S32, "first_number_s");
            if (!rows.isCopied()) {
                Reg at = k.reg(Type.U32, "piece_at");
                k.loop("piece", piece, pieces, LANES_PER_ROW, p -> {
                    k.mul(firstSigned, p, Bf16Rows.PIECE);
                    k.sub(at, p, piece);
                    k.mad(at, at, PIECE_BYTES, place);
                    rows.bring(k, at, offset, row, firstSigned, count);
                });
                return;
            }
            for (int p = 0; p < pieces; p += LANES_PER_ROW) {
                k.mad(first, piece, Bf16Rows.PIECE, p * Bf16Rows.PIECE);
                k.mov(firstSigned, first);
                long to = offset + (long) p * PIECE_BYTES;
                if (p + LANES_PER_ROW <= pieces) {
                    rows.bring(k, place, to, row, firstSigned, count);
                } else {
                    Reg isPiece = k.compare(Compare.LT, piece, pieces - p);
                    k.when(isPiece, () -> rows.bring(k, place, to, row, firstSigned, count));
                }
            }
        }

        /// Sets a tile's copies out, zeros for keys that are not seen.
        void fill() {
            Reg stage = c.filled.at(k, "fill_at", c.base, stageBytes());
            Reg keyPlace = place(stage, keyPitch());
            Reg valuePlace = isLatent ? keyPlace : place(stage, valuePitch());
            Reg key = k.reg(Type.U32, "filled_key");
            for (int i = 0; i < places.length; i++) {
                int from = i * rowsAtOnce();
                Reg isThere = places[i].isThere(k);
                k.onlyIf(isThere.not(), () -> k.mov(broken, 1));
                k.add(key, c.next, row);
                k.add(key, key, from);
                Reg isSeen = k.compare(Compare.LT, key, c.block.count());
                k.op("and.pred", isSeen, isSeen, isThere);
                PagedBlock b = c.block;
                Reg keyAt = places[i].address(k, "key_at", b.keys(), b.keyPage(), b.keyRow(), isSeen);
                k.mov(keyCount, b.qkDim());
                k.selp(keyCount, keyCount, 0, isSeen);
                bring(keys, keyPlace, (long) from * keyPitch(), keyNumbers(), keyAt, keyCount);
                if (!isLatent) {
                    Reg valueAt = places[i].address(k, "value_at", b.values(), b.valuePage(), b.valueRow(), isSeen);
                    k.mov(valueCount, b.vDim());
                    k.selp(valueCount, valueCount, 0, isSeen);
                    long to = (long) tile * keyPitch() + (long) from * valuePitch();
                    bring(values, valuePlace, to, vDim, valueAt, valueCount);
                }
            }
            if (isCopied()) {
                k.op("cp.async.commit_group");
            }
            k.add(c.next, c.next, tile);
            c.filled.advance(k);
            find();
        }

        /// @return whether a page is not there, for every thread
        Reg isBroken() {
            Reg isBroken = k.compare("is_broken", Compare.NE, broken, 0);
            k.op("bar.red.or.pred", isBroken, 0, isBroken);
            return isBroken;
        }
    }

    /// @return where a lane's row begins that `ldmatrix` reads: of 16 rows and 2 pieces, rows first
    private static Reg rowsFirst(PtxKernel k, String name, Reg lane, int pitch) {
        Reg at = k.reg(Type.U32, name);
        Reg high = k.reg(Type.U32, name + "_piece");
        k.and(at, lane, 15);
        k.shr(high, lane, 4);
        k.mul(at, at, pitch);
        k.mad(at, high, PIECE_BYTES, at);
        return at;
    }

    /// @return the same, pieces first
    private static Reg piecesFirst(PtxKernel k, String name, Reg lane, int pitch) {
        Reg at = k.reg(Type.U32, name);
        Reg high = k.reg(Type.U32, name + "_high");
        k.and(at, lane, 7);
        k.shr(high, lane, 4);
        k.mad(at, high, 8, at);
        k.mul(at, at, pitch);
        k.shr(high, lane, 3);
        k.and(high, high, 1);
        k.mad(at, high, PIECE_BYTES, at);
        return at;
    }

    private static void multiply(PtxKernel k, Reg[] sums, int at, Reg[] left, Reg low, Reg high) {
        k.op(
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                vec(sums, at, 4),
                vec((Object[]) left),
                vec(low, high),
                vec(sums, at, 4));
    }

    /// Scores and their powers: a warp takes 16 heads and some keys of a tile.
    private final class Scorer {
        private final PtxKernel k;
        private final Context c;
        private final Reg queryAt;
        private final Reg keyAt;
        private final Reg[] scores;

        /// Of the rows of a lane's fragment, the greatest score so far and this lane's sum of powers.
        private final Reg[] greatest;

        private final Reg[] sums;
        private final Reg[] bases;
        private final Reg along;
        private final Reg row;
        private final Reg column;

        Scorer(PtxKernel k, Context c) {
            this.k = k;
            this.c = c;
            Reg down = k.reg(Type.U32, "warp_down");
            along = k.reg(Type.U32, "warp_along");
            row = k.reg(Type.U32, "score_row");
            column = k.reg(Type.U32, "score_column");
            k.op("rem.u32", down, c.warp, heads / ROW_TILE);
            k.op("div.u32", along, c.warp, heads / ROW_TILE);
            queryAt = rowsFirst(k, "query_at", c.lane, pitch(qkDim));
            k.mad(queryAt, down, ROW_TILE * pitch(qkDim), queryAt);
            k.add(queryAt, queryAt, c.base);
            keyAt = piecesFirst(k, "key_fragment", c.lane, keyPitch());
            k.mad(keyAt, along, keysPerWarp() * keyPitch(), keyAt);
            k.shr(row, c.lane, 2);
            k.mad(row, down, ROW_TILE, row);
            k.and(column, c.lane, 3);
            k.shl(column, column, 1);
            k.mad(column, along, keysPerWarp(), column);
            scores = k.regs(Type.F32, "score", keysPerWarp() / COLUMN_TILE * 4);
            greatest = k.regs(Type.F32, "greatest", 2);
            sums = k.regs(Type.F32, "power_sum", 2);
            bases = k.regs(Type.F32, "power_base", 2);
            for (int i = 0; i < 2; i++) {
                k.mov(greatest[i], Float.NEGATIVE_INFINITY);
                k.mov(sums[i], 0f);
            }
        }

        void score(Reg stage) {
            k.comment("scores");
            Reg at = k.reg(Type.U32, "keys_at");
            Reg[] left = k.regs(Type.B32, "query", 4);
            Reg[] right = k.regs(Type.B32, "key", 4);
            k.add(at, keyAt, stage);
            for (Reg score : scores) {
                k.mov(score, 0f);
            }
            for (int i = 0; i < qkDim / ROW_TILE; i++) {
                long across = 2L * i * PIECE_BYTES;
                k.op(
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                        vec((Object[]) left),
                        queryAt.at((long) stages * stageBytes() + across));
                for (int j = 0; j < keysPerWarp(); j += 2 * COLUMN_TILE) {
                    k.op(
                            "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                            vec((Object[]) right),
                            at.at((long) j * keyPitch() + across));
                    multiply(k, scores, j / COLUMN_TILE * 4, left, right[0], right[1]);
                    multiply(k, scores, j / COLUMN_TILE * 4 + 4, left, right[2], right[3]);
                }
            }
        }

        private int half(int i) {
            return i % 4 / 2;
        }

        /// Scores become powers in shared memory; the factors for what was summed before go there too.
        ///
        /// @param first key of the tile
        void powers(Reg first) {
            k.comment("each row's greatest score");
            Reg seen = k.reg(Type.S32, "keys_seen");
            Reg offset = k.reg(Type.U32, "first_column");
            Reg other = k.reg(Type.F32, "other");
            k.add(offset, first, column);
            k.op("sub.s32", seen, c.block.count(), offset);
            Reg[] here = k.regs(Type.F32, "greatest_here", 2);
            for (Reg one : here) {
                k.mov(one, Float.NEGATIVE_INFINITY);
            }
            for (int i = 0; i < scores.length; i++) {
                Reg score = scores[i];
                k.mul(score, score, c.block.scale());
                int key = i / 4 * COLUMN_TILE + i % 2;
                k.onlyIf(k.compare(Compare.LE, seen, key), () -> k.mov(score, Float.NEGATIVE_INFINITY));
                k.op("max.NaN.f32", here[half(i)], here[half(i)], score);
            }
            Reg at = k.reg(Type.U32, "row_greatest_at");
            k.mad(at, row, Float.BYTES, c.base);
            Reg to = k.reg(Type.U32, "warp_greatest_at");
            k.mad(to, along, heads * Float.BYTES, at);
            Reg lane = k.reg(Type.U32, "lane_of_row");
            k.and(lane, c.lane, 3);
            Reg isFirst = k.compare("is_first_of_row", Compare.EQ, lane, 0);
            for (int h = 0; h < 2; h++) {
                Reg one = here[h];
                Sums.greatestOfLanes(k, one, 4);
                long place = greatestAt() + (long) h * 8 * Float.BYTES;
                k.onlyIf(isFirst, () -> k.st(SHARED, to.at(place), one));
            }
            k.bar();

            k.comment("powers, and what the sums so far are scaled by");
            Reg[] factors = k.regs(Type.F32, "factor", 2);
            for (int h = 0; h < 2; h++) {
                k.mov(factors[h], greatest[h]);
                for (int w = 0; w < warpsAlongKeys(); w++) {
                    k.ld(SHARED, other, at.at(greatestAt() + (w * heads + h * 8L) * Float.BYTES));
                    k.op("max.NaN.f32", greatest[h], greatest[h], other);
                }
                Softmax.base(k, bases[h], greatest[h]);
                k.sub(factors[h], factors[h], bases[h]);
                k.ex2(factors[h], factors[h]);
                k.mul(sums[h], sums[h], factors[h]);
            }
            for (int i = 0; i < scores.length; i++) {
                k.sub(scores[i], scores[i], bases[half(i)]);
                k.ex2(scores[i], scores[i]);
                k.add(sums[half(i)], sums[half(i)], scores[i]);
            }
            Reg powerAt = k.reg(Type.U32, "power_at");
            Reg pair = k.reg(Type.BF16X2, "powers");
            k.mad(powerAt, row, pitch(tile), c.base);
            k.mad(powerAt, column, Rounding.BYTES, powerAt);
            for (int i = 0; i < scores.length; i += 2) {
                k.cvt(pair, scores[i + 1], scores[i]);
                long place = powersAt() + half(i) * 8L * pitch(tile) + i / 4 * (long) COLUMN_TILE * Rounding.BYTES;
                k.op("st.shared.b32", powerAt.at(place), pair);
            }
            Reg isAlone = k.compare(Compare.EQ, along, 0);
            k.op("and.pred", isFirst, isFirst, isAlone);
            for (int h = 0; h < 2; h++) {
                Reg factor = factors[h];
                long place = factorsAt() + h * 8L * Float.BYTES;
                k.onlyIf(isFirst, () -> k.st(SHARED, at.at(place), factor));
            }
        }

        /// Leaves the rows' greatest scores and sums of powers.
        ///
        /// @param isBroken whether they are to be NaN
        void store(Reg isBroken) {
            Reg at = k.reg(Type.U32, "row_sums_at");
            Reg to = k.reg(Type.U32, "warp_sums_at");
            Reg lane = k.reg(Type.U32, "lane_of_row");
            Reg one = k.reg(Type.F32, "one_sum");
            Reg statAt = k.reg(Type.U64, "stat_at");
            k.mad(at, row, Float.BYTES, c.base);
            k.mad(to, along, heads * Float.BYTES, at);
            k.and(lane, c.lane, 3);
            Reg isFirst = k.compare("is_first_of_row", Compare.EQ, lane, 0);
            for (int h = 0; h < 2; h++) {
                Reg sum = sums[h];
                Sums.overLanes(k, sum, 4);
                long place = greatestAt() + (long) h * 8 * Float.BYTES;
                k.onlyIf(isFirst, () -> k.st(SHARED, to.at(place), sum));
            }
            k.bar();
            Reg isAlone = k.compare(Compare.EQ, along, 0);
            k.op("and.pred", isFirst, isFirst, isAlone);
            Reg head = k.reg(Type.U32, "stat_head");
            for (int h = 0; h < 2; h++) {
                Reg sum = sums[h];
                int half = h;
                k.add(head, row, 8 * h);
                Reg isHead = k.compare(Compare.LT, head, c.block.heads());
                k.op("and.pred", isHead, isHead, isFirst);
                k.when(isHead, () -> {
                    k.mov(sum, 0f);
                    for (int w = 0; w < warpsAlongKeys(); w++) {
                        k.ld(SHARED, one, at.at(greatestAt() + (w * heads + half * 8L) * Float.BYTES));
                        k.add(sum, sum, one);
                    }
                    k.selp(greatest[half], Float.NaN, greatest[half], isBroken);
                    k.madWide(statAt, head, PagedBlock.STAT_BYTES, c.block.stats());
                    k.st(GLOBAL, statAt, vec(greatest[half], sum));
                });
            }
        }
    }

    /// Values times powers: a warp takes some columns of the values.
    private final class Weigher {
        private final PtxKernel k;
        private final Context c;
        private final Reg[] sums;
        private final Reg powerAt;
        private final Reg valueAt;
        private final Reg factorAt;
        private final int columns = vDim / warps;
        private final int rowTiles = heads / ROW_TILE;

        Weigher(PtxKernel k, Context c) {
            this.k = k;
            this.c = c;
            sums = k.regs(Type.F32, "weighted", sums());
            for (Reg sum : sums) {
                k.mov(sum, 0f);
            }
            powerAt = rowsFirst(k, "powers_at", c.lane, pitch(tile));
            k.add(powerAt, powerAt, c.base);
            valueAt = rowsFirst(k, "value_fragment", c.lane, valuePitch());
            k.mad(valueAt, c.warp, columns * Rounding.BYTES, valueAt);
            factorAt = k.reg(Type.U32, "factors_at");
            k.shr(factorAt, c.lane, 2);
            k.mad(factorAt, factorAt, Float.BYTES, c.base);
        }

        void weigh(Reg stage) {
            k.comment("values times powers");
            Reg factor = k.reg(Type.F32, "row_factor");
            for (int i = 0; i < 2 * rowTiles; i++) {
                k.ld(SHARED, factor, factorAt.at(factorsAt() + i * 8L * Float.BYTES));
                for (int j = 0; j < columns / COLUMN_TILE; j++) {
                    int at = (i / 2 * (columns / COLUMN_TILE) + j) * 4 + i % 2 * 2;
                    k.mul(sums[at], sums[at], factor);
                    k.mul(sums[at + 1], sums[at + 1], factor);
                }
            }
            Reg at = k.reg(Type.U32, "values_at");
            Reg[][] left = new Reg[rowTiles][];
            for (int i = 0; i < rowTiles; i++) {
                left[i] = k.regs(Type.B32, "power" + i, 4);
            }
            Reg[] right = k.regs(Type.B32, "value", 4);
            k.add(at, valueAt, stage);
            for (int key = 0; key < tile; key += ROW_TILE) {
                for (int i = 0; i < rowTiles; i++) {
                    long place = powersAt() + (long) i * ROW_TILE * pitch(tile) + (long) key * Rounding.BYTES;
                    k.op("ldmatrix.sync.aligned.m8n8.x4.shared.b16", vec((Object[]) left[i]), powerAt.at(place));
                }
                for (int j = 0; j < columns / COLUMN_TILE; j += 2) {
                    long place = (isLatent ? 0 : (long) tile * keyPitch())
                            + (long) key * valuePitch()
                            + (long) j * COLUMN_TILE * Rounding.BYTES;
                    k.op("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", vec((Object[]) right), at.at(place));
                    for (int i = 0; i < rowTiles; i++) {
                        int sum = (i * (columns / COLUMN_TILE) + j) * 4;
                        multiply(k, sums, sum, left[i], right[0], right[1]);
                        multiply(k, sums, sum + 4, left[i], right[2], right[3]);
                    }
                }
            }
        }

        void store() {
            Reg head = k.reg(Type.U32, "sum_head");
            Reg column = k.reg(Type.U32, "sum_column");
            Reg wide = k.reg(Type.U64, "sum_wide");
            Reg at = k.reg(Type.U64, "sum_at");
            k.and(column, c.lane, 3);
            k.shl(column, column, 1);
            k.mad(column, c.warp, columns, column);
            for (int i = 0; i < 2 * rowTiles; i++) {
                int from = i;
                k.shr(head, c.lane, 2);
                k.add(head, head, 8 * i);
                k.when(k.compare(Compare.LT, head, c.block.heads()), () -> {
                    k.op("cvt.u64.u32", wide, head);
                    k.mad(at, wide, c.block.sumsRow(), c.block.sums());
                    k.madWide(at, column, Float.BYTES, at);
                    for (int j = 0; j < columns / COLUMN_TILE; j++) {
                        int sum = (from / 2 * (columns / COLUMN_TILE) + j) * 4 + from % 2 * 2;
                        Reg place = k.reg(Type.U32, "sum_place");
                        k.add(place, column, j * COLUMN_TILE);
                        long offset = (long) j * COLUMN_TILE * Float.BYTES;
                        k.onlyIf(
                                k.compare(Compare.LT, place, c.block.vDim()),
                                () -> k.st(GLOBAL, at.at(offset), vec(sums[sum], sums[sum + 1])));
                    }
                });
            }
        }
    }
}
