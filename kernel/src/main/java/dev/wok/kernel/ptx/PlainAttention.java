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

/// A result of attention by products of float32: `sum_i weight_i row_i`, the rows those of `v`, `k`,
/// `q` or `dOut`, the weights from scores that nobody keeps.
///
/// A block owns 64 tokens of a head, queries or keys, and as many columns of the result as its
/// registers hold. It goes through the tokens on the other side in tiles of 32: scores in registers,
/// from 32 columns of both operands at a time in shared memory; weights through shared memory; then
/// their product with the tile's rows. A weight that does not count stands there as a NaN with a mark,
/// and its row is not touched, whatever it holds.
///
/// @param kind which result
/// @param elements of all tensors
/// @param rounds whether operands are rounded to bf16
record PlainAttention(Kind kind, Elements elements, boolean rounds, int qkDim, int vDim) {
    enum Kind {
        OUT,
        D_QUERIES,
        D_KEYS,
        D_VALUES;

        /// Whether a block owns queries.
        boolean ownsQueries() {
            return this == OUT || this == D_QUERIES;
        }

        /// Whether the result is as wide as queries and keys.
        private boolean hasSlopes() {
            return this == D_QUERIES || this == D_KEYS;
        }
    }

    /// Tokens that a block owns.
    static final int OWNED = 64;

    /// Tokens of a tile on the other side.
    private static final int TILE = 32;

    private static final int THREADS = 128;

    /// Threads side by side, which share rows.
    private static final int ACROSS = 8;

    private static final int DOWN = THREADS / ACROSS;
    private static final int ROWS = OWNED / DOWN;
    private static final int COLUMNS = TILE / ACROSS;

    /// Columns of operands that are in shared memory at once.
    private static final int DEPTH = 32;

    /// Columns of the result that a block computes at most.
    private static final int MOST_COLUMNS = 192;

    /// Bytes of a row of an operand in shared memory: four banks on from row to row.
    private static final int ROW = (DEPTH + Elements.WIDE) * Float.BYTES;

    private static final int UNSEEN = 0xFFFF_DEAD;

    /// The running maximum begins here instead of at minus infinity, so that differences from it are
    /// numbers.
    static final float LOWEST = -Float.MAX_VALUE;

    private int dim() {
        return kind.hasSlopes() ? qkDim : vDim;
    }

    /// Columns of the result that a block computes.
    private int columns() {
        int unit = ACROSS * Elements.WIDE;
        return Math.min(MOST_COLUMNS, (dim() + unit - 1) / unit * unit);
    }

    private int chunks() {
        return (dim() + columns() - 1) / columns();
    }

    /// @param heads of the owned tokens
    Launch launch(int tokens, int heads) {
        long tiles = (tokens + OWNED - 1) / OWNED;
        return Launch.of(Math.toIntExact(tiles * heads * chunks()), THREADS);
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
        private final HeadRows lse;
        private final Reg statistics;
        private final Reg tokens;
        private final Reg heads;
        private final Reg share;
        private final Reg scale;
        private final Reg factor;
        private final Documents documents;
        private final Reg tid;
        private final Reg across;
        private final Reg down;
        private final Reg owned;
        private final Reg ownedEnd;
        private final Reg ownedHead;
        private final Reg column;
        private final Reg left;
        private final Reg right;
        private final Reg weights;
        private final Reg rows;
        private final Reg[] sums;
        private final Reg[] most;
        private final Reg[] total;

        Writer(PtxKernel k) {
            this.k = k;
            k.maxThreads(THREADS);
            q = HeadRows.param(k, "q");
            keys = HeadRows.param(k, "k");
            v = HeadRows.param(k, "v");
            dOut = HeadRows.param(k, "dout");
            result = HeadRows.param(k, "result");
            lse = HeadRows.param(k, "lse");
            statistics = k.param("statistics", Type.U64);
            Reg keyStart = k.param("key_start", Type.U64);
            tokens = k.param("tokens", Type.U32);
            heads = k.param("heads", Type.U32);
            share = k.param("share", Type.U32);
            scale = k.param("scale_log2_e", Type.F32);
            factor = k.param("factor", Type.F32);
            left = place("left", OWNED * ROW);
            right = place("right", TILE * ROW);
            weights = place("weights", OWNED * ROW);
            rows = place("rows", TILE * columns() * Float.BYTES);
            tid = k.reg(Type.U32, "tid", Special.TID_X);
            across = k.reg(Type.U32, "across");
            down = k.reg(Type.U32, "down");
            k.and(across, tid, ACROSS - 1);
            k.shr(down, tid, 3);
            Reg lane = k.reg(Type.U32, "lane");
            k.and(lane, tid, Sums.LANES - 1);
            documents = new Documents(keyStart, tokens, lane);

            k.comment("the last tiles see most keys: they come first");
            Reg id = k.reg(Type.U32, "id", Special.CTAID_X);
            Reg tiles = k.reg(Type.U32, "tiles");
            owned = k.reg(Type.U32, "owned");
            ownedEnd = k.reg(Type.U32, "owned_end");
            ownedHead = k.reg(Type.U32, "owned_head");
            column = k.reg(Type.U32, "column");
            Reg headsHere = heads;
            if (!kind.ownsQueries()) {
                headsHere = k.reg(Type.U32, "kv_heads");
                k.div(headsHere, heads, share);
            }
            k.rem(column, id, chunks());
            k.mul(column, column, columns());
            k.div(id, id, chunks());
            k.rem(ownedHead, id, headsHere);
            k.div(id, id, headsHere);
            if (kind.ownsQueries()) {
                k.add(tiles, tokens, OWNED - 1);
                k.shr(tiles, tiles, 6);
                k.sub(tiles, tiles, 1);
                k.sub(id, tiles, id);
            }
            k.mul(owned, id, OWNED);
            k.add(ownedEnd, owned, OWNED);
            k.min(ownedEnd, ownedEnd, tokens);
            sums = zeros("sum", ROWS * columns() / ACROSS);
            most = kind == Kind.OUT ? zeros("most", ROWS) : new Reg[0];
            total = kind == Kind.OUT ? zeros("total", ROWS) : new Reg[0];
            for (Reg one : most) {
                k.mov(one, LOWEST);
            }
        }

        private Reg place(String name, int bytes) {
            Symbol symbol = k.shared(name, Type.F32, bytes / Float.BYTES, 16);
            Reg at = k.reg(Type.U32, name + "_at");
            k.mov(at, symbol);
            return at;
        }

        private Reg[] zeros(String name, int count) {
            Reg[] all = k.regs(Type.F32, name, count);
            for (Reg one : all) {
                k.mov(one, 0f);
            }
            return all;
        }

        void write() {
            if (kind.ownsQueries()) {
                Reg kvHead = k.reg(Type.U32, "kv_head");
                k.div(kvHead, ownedHead, share);
                eachDocument(new Head(ownedHead, kvHead));
            } else {
                Reg first = k.reg(Type.U32, "first_head");
                Reg end = k.reg(Type.U32, "heads_end");
                k.mul(first, ownedHead, share);
                k.add(end, first, share);
                k.loop("head", first, end, 1, head -> eachDocument(new Head(head, ownedHead)));
            }
            store();
        }

        /// The rows of one query head, and of the key head that it shares.
        private final class Head {
            final Reg head;
            final Reg qRows;
            final Reg kRows;
            final Reg vRows;
            final Reg dOutRows;

            Head(Reg head, Reg kvHead) {
                this.head = head;
                qRows = q.ofHead(k, "q_head", head);
                kRows = keys.ofHead(k, "k_head", kvHead);
                vRows = v.ofHead(k, "v_head", kvHead);
                dOutRows = dOut.ofHead(k, "dout_head", head);
            }

            /// @return of [AttentionStatistics]
            Reg[] statistics(Reg token) {
                Reg[] both = zeros("statistics", 2);
                k.when(k.compare(Compare.LT, token, tokens), () -> {
                    Reg at = k.reg(Type.U64, "statistics_at");
                    k.mulWide(at, head, tokens);
                    Reg wide = k.reg(Type.U64, "wide");
                    k.op("cvt.u64.u32", wide, token);
                    k.add(at, at, wide);
                    k.mad(at, at, AttentionStatistics.BYTES, statistics);
                    k.ld(GLOBAL, vec(both), at);
                });
                return both;
            }
        }

        private void eachDocument(Head head) {
            documents.each(k, owned, ownedEnd, OWNED, (begin, end) -> {
                Reg[] tokensHere = new Reg[ROWS];
                Reg[] limits = new Reg[ROWS];
                Reg[][] statistics = new Reg[ROWS][];
                for (int i = 0; i < ROWS; i++) {
                    tokensHere[i] = k.reg(Type.U32, "token");
                    k.add(tokensHere[i], owned, down);
                    k.add(tokensHere[i], tokensHere[i], i * DOWN);
                    if (kind.ownsQueries()) {
                        limits[i] = documents.within(k, "start", tokensHere[i], begin, end);
                        statistics[i] = kind == Kind.OUT ? new Reg[0] : head.statistics(tokensHere[i]);
                    } else {
                        limits[i] = k.reg(Type.U32, "key", Documents.NONE);
                        Reg isInside = k.compare(Compare.GE, tokensHere[i], begin);
                        Reg isBefore = k.compare(Compare.LT, tokensHere[i], end);
                        k.op("and.pred", isInside, isInside, isBefore);
                        Reg limit = limits[i];
                        Reg token = tokensHere[i];
                        k.onlyIf(isInside, () -> k.mov(limit, token));
                    }
                }
                Reg other =
                        kind.ownsQueries() ? documents.firstKey(k, begin, TILE) : documents.firstQuery(k, begin, TILE);
                Reg otherEnd = kind.ownsQueries() ? end : documents.endOfQueries(k, begin, end);
                k.loopWhile(() -> k.compare(Compare.LT, other, otherEnd), () -> {
                    tile(head, other, otherEnd, tokensHere, limits, statistics);
                    k.add(other, other, TILE);
                });
            });
        }

        private void tile(Head head, Reg other, Reg otherEnd, Reg[] tokensHere, Reg[] limits, Reg[][] statistics) {
            boolean owns = kind.ownsQueries();
            Reg[] scores = zeros("score", ROWS * COLUMNS);
            products(
                    scores,
                    qkDim,
                    owns ? q : keys,
                    owns ? head.qRows : head.kRows,
                    owns ? keys : q,
                    owns ? head.kRows : head.qRows,
                    other,
                    otherEnd);
            Reg[] slopes = kind.hasSlopes() ? zeros("slope", ROWS * COLUMNS) : new Reg[0];
            if (kind.hasSlopes()) {
                products(
                        slopes,
                        vDim,
                        owns ? dOut : v,
                        owns ? head.dOutRows : head.vRows,
                        owns ? v : dOut,
                        owns ? head.vRows : head.dOutRows,
                        other,
                        otherEnd);
            }

            Reg[] seen = new Reg[ROWS * COLUMNS];
            Reg[][] otherStatistics = new Reg[COLUMNS][];
            for (int j = 0; j < COLUMNS; j++) {
                Reg token = k.reg(Type.U32, "other");
                k.add(token, other, across);
                k.add(token, token, j * ACROSS);
                Reg start = token;
                if (!owns) {
                    Reg zero = k.reg(Type.U32, "zero", 0);
                    start = documents.within(k, "other_start", token, zero, tokens);
                    otherStatistics[j] = head.statistics(token);
                }
                for (int i = 0; i < ROWS; i++) {
                    k.comment("keyStart[t] <= j <= t");
                    seen[i * COLUMNS + j] =
                            k.compare("seen", Compare.LE, owns ? limits[i] : start, owns ? token : tokensHere[i]);
                    Reg isBefore = k.compare(Compare.LE, owns ? token : limits[i], owns ? tokensHere[i] : token);
                    k.op("and.pred", seen[i * COLUMNS + j], seen[i * COLUMNS + j], isBefore);
                }
            }
            for (int i = 0; i < ROWS; i++) {
                if (kind == Kind.OUT) {
                    exponentials(i, scores, seen);
                } else {
                    for (int j = 0; j < COLUMNS; j++) {
                        int at = i * COLUMNS + j;
                        Reg[] ofQuery = owns ? statistics[i] : otherStatistics[j];
                        k.fma(scores[at], scores[at], scale, ofQuery[0]);
                        k.ex2(scores[at], scores[at]);
                        if (kind.hasSlopes()) {
                            k.sub(slopes[at], slopes[at], ofQuery[1]);
                            k.mul(scores[at], scores[at], slopes[at]);
                        }
                    }
                }
                storeWeights(i, scores, seen);
            }
            loadRows(head, other, otherEnd);
            k.bar();
            addRows();
        }

        /// Adds `left . right` over all columns, for each owned token of this thread and each of the
        /// tile.
        private void products(
                Reg[] into, int dim, HeadRows a, Reg aRows, HeadRows b, Reg bRows, Reg other, Reg otherEnd) {
            if (dim == 0) {
                return;
            }
            k.loop("depth", 0, dim, DEPTH, depth -> {
                k.bar();
                load(left, ROW, OWNED, DEPTH, a, aRows, owned, ownedEnd, depth, dim);
                load(right, ROW, TILE, DEPTH, b, bRows, other, otherEnd, depth, dim);
                k.bar();
                Reg leftAt = k.reg(Type.U32, "left_row");
                Reg rightAt = k.reg(Type.U32, "right_row");
                k.mad(leftAt, down, ROW, left);
                k.mad(rightAt, across, ROW, right);
                Reg[][] x = new Reg[ROWS][];
                Reg[][] y = new Reg[COLUMNS][];
                for (int i = 0; i < ROWS; i++) {
                    x[i] = k.regs(Type.F32, "x", Elements.WIDE);
                }
                for (int j = 0; j < COLUMNS; j++) {
                    y[j] = k.regs(Type.F32, "y", Elements.WIDE);
                }
                k.loop("part", 0, DEPTH, Elements.WIDE, _ -> {
                    for (int i = 0; i < ROWS; i++) {
                        k.ld(SHARED, vec(x[i]), leftAt.at((long) i * DOWN * ROW));
                    }
                    for (int j = 0; j < COLUMNS; j++) {
                        k.ld(SHARED, vec(y[j]), rightAt.at((long) j * ACROSS * ROW));
                    }
                    for (int d = 0; d < Elements.WIDE; d++) {
                        for (int i = 0; i < ROWS; i++) {
                            for (int j = 0; j < COLUMNS; j++) {
                                k.fma(into[i * COLUMNS + j], x[i][d], y[j][d], into[i * COLUMNS + j]);
                            }
                        }
                    }
                    k.add(leftAt, leftAt, Elements.WIDE * Float.BYTES);
                    k.add(rightAt, rightAt, Elements.WIDE * Float.BYTES);
                });
            });
        }

        /// Brings a rectangle of a head into shared memory, as the operand that it becomes; zeros where
        /// it has nothing.
        private void load(
                Reg to,
                int rowBytes,
                int height,
                int width,
                HeadRows source,
                Reg ofHead,
                Reg first,
                Reg end,
                Reg firstColumn,
                int dim) {
            int pieces = width / elements.count();
            Reg row = k.reg(Type.U32, "load_row");
            Reg piece = k.reg(Type.U32, "load_piece");
            Reg place = k.reg(Type.U32, "load_to");
            Reg at = k.reg(Type.U64, "load_from");
            k.loop("load", tid, height * pieces, THREADS, i -> {
                k.div(row, i, pieces);
                k.rem(piece, i, pieces);
                k.mul(piece, piece, elements.count());
                k.mad(place, row, rowBytes, to);
                k.mad(place, piece, Float.BYTES, place);
                k.add(row, row, first);
                k.add(piece, piece, firstColumn);
                Reg[] values = zeros("loaded", elements.count());
                Reg isInside = k.compare(Compare.LT, row, end);
                Reg isColumn = k.compare(Compare.LT, piece, dim);
                k.op("and.pred", isInside, isInside, isColumn);
                k.when(isInside, () -> {
                    k.mov(at, source.at(k, "load_row_at", ofHead, row));
                    k.madWide(at, piece, elements.bytes(), at);
                    elements.load(k, values, at);
                });
                for (Reg value : values) {
                    round(value);
                }
                k.st(SHARED, place, values.length == 1 ? values[0] : vec(values));
            });
        }

        private void round(Reg value) {
            if (rounds) {
                Reg rounded = k.reg(Type.BF16, "rounded");
                Reg bits = k.reg(Type.U16, "rounded_bits");
                Reg wide = k.reg(Type.U32, "rounded_wide");
                k.cvt(rounded, value);
                k.op("mov.b16", bits, rounded);
                k.op("cvt.u32.u16", wide, bits);
                k.shl(wide, wide, 16);
                k.op("mov.b32", value, wide);
            }
        }

        /// Turns a row of scores into exponentials relative to its largest so far, and what was summed
        /// before likewise.
        private void exponentials(int i, Reg[] scores, Reg[] seen) {
            Reg largest = k.reg(Type.F32, "largest", most[i]);
            for (int j = 0; j < COLUMNS; j++) {
                Reg score = scores[i * COLUMNS + j];
                k.mul(score, score, scale);
                k.selp(score, score, Float.NEGATIVE_INFINITY, seen[i * COLUMNS + j]);
                k.max(largest, largest, score);
            }
            Reg far = k.reg(Type.F32, "far");
            for (int bits = ACROSS / 2; bits > 0; bits /= 2) {
                k.shflBfly(far, largest, bits);
                k.max(largest, largest, far);
            }
            Reg rescale = k.reg(Type.F32, "rescale");
            k.sub(rescale, most[i], largest);
            k.ex2(rescale, rescale);
            k.mov(most[i], largest);
            k.mul(total[i], total[i], rescale);
            for (int j = 0; j < COLUMNS; j++) {
                Reg score = scores[i * COLUMNS + j];
                k.sub(score, score, largest);
                k.ex2(score, score);
                k.add(total[i], total[i], score);
            }
            for (int c = 0; c < sums.length / ROWS; c++) {
                k.mul(sums[i * (sums.length / ROWS) + c], sums[i * (sums.length / ROWS) + c], rescale);
            }
        }

        private void storeWeights(int i, Reg[] scores, Reg[] seen) {
            Reg place = k.reg(Type.U32, "weight_to");
            Reg bits = k.reg(Type.U32, "weight_bits");
            k.mad(place, down, ROW, weights);
            k.mad(place, across, Float.BYTES, place);
            for (int j = 0; j < COLUMNS; j++) {
                int at = i * COLUMNS + j;
                round(scores[at]);
                k.op("mov.b32", bits, scores[at]);
                k.selp(bits, bits, UNSEEN, seen[at]);
                k.st(SHARED, place.at((long) i * DOWN * ROW + (long) j * ACROSS * Float.BYTES), bits);
            }
        }

        private void loadRows(Head head, Reg other, Reg otherEnd) {
            HeadRows source = switch (kind) {
                case OUT -> v;
                case D_QUERIES -> keys;
                case D_KEYS -> q;
                case D_VALUES -> dOut;
            };
            Reg ofHead = switch (kind) {
                case OUT -> head.vRows;
                case D_QUERIES -> head.kRows;
                case D_KEYS -> head.qRows;
                case D_VALUES -> head.dOutRows;
            };
            load(rows, columns() * Float.BYTES, TILE, columns(), source, ofHead, other, otherEnd, column, dim());
        }

        /// Adds the tile's rows under their weights.
        private void addRows() {
            int perRow = sums.length / ROWS;
            Reg weightAt = k.reg(Type.U32, "weight_row");
            Reg rowAt = k.reg(Type.U32, "row_at");
            k.mad(weightAt, down, ROW, weights);
            k.mad(rowAt, across, Elements.WIDE * Float.BYTES, rows);
            Reg[][] marked = new Reg[ROWS][];
            for (int i = 0; i < ROWS; i++) {
                marked[i] = k.regs(Type.U32, "marked", Elements.WIDE);
            }
            Reg[] row = k.regs(Type.F32, "row", perRow);
            Reg weight = k.reg(Type.F32, "weight");
            Reg counts = k.reg(Type.PRED, "counts");
            k.loop("row_part", 0, TILE, Elements.WIDE, _ -> {
                for (int i = 0; i < ROWS; i++) {
                    k.ld(SHARED, vec(marked[i]), weightAt.at((long) i * DOWN * ROW));
                }
                for (int n = 0; n < Elements.WIDE; n++) {
                    for (int c = 0; c < perRow; c += Elements.WIDE) {
                        k.ld(
                                SHARED,
                                vec(row, c, Elements.WIDE),
                                rowAt.at(((long) n * columns() + c * ACROSS) * Float.BYTES));
                    }
                    for (int i = 0; i < ROWS; i++) {
                        int first = i * perRow;
                        k.setp(Compare.NE, counts, marked[i][n], UNSEEN);
                        k.op("mov.b32", weight, marked[i][n]);
                        k.onlyIf(counts, () -> {
                            for (int c = 0; c < perRow; c++) {
                                k.fma(sums[first + c], weight, row[c], sums[first + c]);
                            }
                        });
                    }
                }
                k.add(weightAt, weightAt, Elements.WIDE * Float.BYTES);
                k.add(rowAt, rowAt, Elements.WIDE * columns() * Float.BYTES);
            });
        }

        private void store() {
            int perRow = sums.length / ROWS;
            Reg ofHead = result.ofHead(k, "result_head", ownedHead);
            Reg token = k.reg(Type.U32, "result_token");
            Reg at = k.reg(Type.U64, "result_at");
            Reg first = k.reg(Type.U32, "result_column");
            Reg times = k.reg(Type.F32, "times");
            for (int i = 0; i < ROWS; i++) {
                int from = i * perRow;
                k.add(token, owned, down);
                k.add(token, token, i * DOWN);
                k.mov(times, factor);
                if (kind == Kind.OUT) {
                    for (int bits = ACROSS / 2; bits > 0; bits /= 2) {
                        k.shflBfly(times, total[i], bits);
                        k.add(total[i], total[i], times);
                    }
                    k.op("rcp.rn.f32", times, total[i]);
                }
                int row = i;
                k.when(k.compare(Compare.LT, token, tokens), () -> {
                    if (kind.ownsQueries()) {
                        k.comment("no keys, no numbers");
                        Reg isBad = k.compare(Compare.GT, documents.of(k, "last_start", token), token);
                        k.onlyIf(isBad, () -> k.mov(times, Float.NaN));
                    }
                    if (kind == Kind.OUT) {
                        storeLogSum(token, row, times);
                    }
                    Reg begin = result.at(k, "result_row", ofHead, token);
                    for (int c = 0; c < perRow; c += Elements.WIDE) {
                        for (int e = 0; e < Elements.WIDE; e++) {
                            k.mul(sums[from + c + e], sums[from + c + e], times);
                        }
                        k.mad(first, across, Elements.WIDE, column);
                        k.add(first, first, c * ACROSS);
                        for (int e = 0; e < Elements.WIDE; e += elements.count()) {
                            Reg[] values = new Reg[elements.count()];
                            System.arraycopy(sums, from + c + e, values, 0, values.length);
                            k.when(k.compare(Compare.LT, first, dim()), () -> {
                                k.madWide(at, first, elements.bytes(), begin);
                                elements.store(k, at, values);
                            });
                            k.add(first, first, elements.count());
                        }
                    }
                });
            }
        }

        /// `lse = ln 2 * (most + log2(total))`, by the first thread of a row in the first columns.
        private void storeLogSum(Reg token, int i, Reg times) {
            Reg log = k.reg(Type.F32, "log");
            Reg either = k.reg(Type.U32, "column_or_across");
            k.or(either, column, across);
            Reg isFirst = k.compare(Compare.EQ, either, 0);
            k.lg2(log, total[i]);
            k.add(log, log, most[i]);
            k.mul(log, log, LN_2);
            Reg isNumber = k.reg(Type.PRED, "is_number");
            k.op("testp.notanumber.f32", isNumber, times);
            k.onlyIf(isNumber, () -> k.mov(log, Float.NaN));
            k.when(
                    isFirst,
                    () -> new Elements(elements.dtype(), 1)
                            .store(k, lse.at(k, "lse_at", lse.ofHead(k, "lse_head", ownedHead), token), log));
        }
    }

    static final float LN_2 = 0.6931471805599453f;
}
