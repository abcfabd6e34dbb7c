package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import java.util.function.Function;
import java.util.function.IntFunction;

/// The rows of attention that a block owns, as `mma` and `wgmma` leave numbers of them: a thread has of
/// each fragment of 16 rows two, and of each eight columns two neighbours. So of eight columns four
/// numbers, the first row's first.
///
/// @param row this thread's rows, as tokens, two for each fragment
/// @param pair the first of its two columns
/// @param dtype of the results
/// @param inPairs whether two numbers of a result may be stored at once
record AttentionRows(
        PtxKernel k, Documents documents, boolean areQueries, Reg[] row, Reg pair, DType dtype, boolean inPairs) {
    /// Takes a score.
    interface Score {
        /// @param f its fragment
        /// @param s its number there
        void at(int f, int s);
    }

    /// @return what decides whether a row counts for a tile: what a query's keys begin with, or the key
    ///     itself; no token where the row is not within `[begin, end)`
    Reg limit(int i, Reg begin, Reg end) {
        if (areQueries) {
            return documents.within(k, "limit", row[i], begin, end);
        }
        Reg limit = k.reg(Type.U32, "limit", Documents.NONE);
        Reg isInside = k.compare(Compare.GE, row[i], begin);
        Reg isBefore = k.compare(Compare.LT, row[i], end);
        k.op("and.pred", isInside, isInside, isBefore);
        k.onlyIf(isInside, () -> k.mov(limit, row[i]));
        return limit;
    }

    /// Does something with each score that does not count: all but `keyStart[t] <= j <= t`.
    ///
    /// @param tile how many tokens the other side has, from `other` on
    /// @param limits of [#limit]
    /// @param whatDoesNot writes instructions alone
    void mask(int tile, Reg other, Reg[] limits, Score whatDoesNot) {
        Reg token = k.reg(Type.U32, "mask_token");
        Reg isUnseen = k.reg(Type.PRED, "is_unseen");
        Reg isBehind = k.reg(Type.PRED, "is_behind");
        for (int c = 0; c < tile / 4; c++) {
            k.add(token, other, pair);
            k.add(token, token, c / 2 * 8 + c % 2);
            Reg start = areQueries ? token : start(token);
            for (int i = 0; i < row.length; i++) {
                setUnseen(i, token, start, limits, isUnseen, isBehind);
                int f = i / 2;
                int s = c / 2 * 4 + i % 2 * 2 + c % 2;
                k.onlyIf(isUnseen, () -> whatDoesNot.at(f, s));
            }
        }
    }

    private Reg start(Reg token) {
        return documents.within(k, "column_start", token, k.reg(Type.U32, "zero", 0), documents.tokens());
    }

    private void setUnseen(int i, Reg token, Reg start, Reg[] limits, Reg isUnseen, Reg isBehind) {
        if (areQueries) {
            k.setp(Compare.GT, isUnseen, limits[i], token);
            k.setp(Compare.GT, isBehind, token, row[i]);
        } else {
            k.setp(Compare.GT, isUnseen, start, row[i]);
            k.setp(Compare.GT, isBehind, limits[i], token);
        }
        k.op("or.pred", isUnseen, isUnseen, isBehind);
    }

    /// Turns a row's scores into exponentials relative to its largest so far, and what was summed
    /// before likewise.
    ///
    /// @param scale on the scores, positive, for powers of 2
    /// @param half which row of the fragment
    void exponentials(Reg[] scores, Reg[] sums, Reg most, Reg total, Reg scale, int half) {
        rescale(sums, exponentials(scores, most, total, scale, half), half);
    }

    /// Turns a row's scores into exponentials relative to its largest so far.
    ///
    /// @return what then makes sums from before relative to it, see [#rescale]
    Reg exponentials(Reg[] scores, Reg most, Reg total, Reg scale, int half) {
        Reg largest = k.reg(Type.F32, "largest", scores[2 * half]);
        for (int s = 2 * half; s < scores.length; s += 4) {
            k.max(largest, largest, scores[s]);
            k.max(largest, largest, scores[s + 1]);
        }
        Reg far = k.reg(Type.F32, "far");
        for (int bits = 2; bits > 0; bits /= 2) {
            k.shflBfly(far, largest, bits);
            k.max(largest, largest, far);
        }
        k.mul(largest, largest, scale);
        k.max(largest, largest, most);
        Reg rescale = k.reg(Type.F32, "rescale");
        k.sub(rescale, most, largest);
        k.ex2(rescale, rescale);
        k.mov(most, largest);
        k.mul(total, total, rescale);
        k.neg(largest, largest);
        for (int s = 2 * half; s < scores.length; s += 4) {
            for (int e = 0; e < 2; e++) {
                k.fma(scores[s + e], scores[s + e], scale, largest);
                k.ex2(scores[s + e], scores[s + e]);
                k.add(total, total, scores[s + e]);
            }
        }
        return rescale;
    }

    void rescale(Reg[] sums, Reg rescale, int half) {
        for (int s = 2 * half; s < sums.length; s += 4) {
            k.mul(sums[s], sums[s], rescale);
            k.mul(sums[s + 1], sums[s + 1], rescale);
        }
    }

    /// Adds the numbers of a tile that are not finite to the sums of the rows that see them.
    ///
    /// @param into for each fragment
    /// @param isPositive whether weights are positive; otherwise any sign could come out, so it is no
    ///     number
    /// @param words gives for a row of the tile, and for eight columns of it, where this thread's two
    ///     are
    void addSpecial(
            Reg[][] into,
            int tile,
            Reg other,
            Reg[] limits,
            boolean isPositive,
            Function<Reg, IntFunction<Operand>> words) {
        Reg token = k.reg(Type.U32, "special_token", other);
        Reg word = k.reg(Type.B32, "special_pair");
        Reg[] values = k.regs(Type.F32, "special", 2);
        Reg[] isSeen = k.regs(Type.PRED, "is_seen", row.length);
        Reg isBehind = k.reg(Type.PRED, "is_behind");
        Reg isFinite = k.reg(Type.PRED, "is_finite");
        Reg adds = k.reg(Type.PRED, "adds");
        k.loop("special_row", 0, tile, 1, line -> {
            Reg start = areQueries ? token : start(token);
            for (int i = 0; i < row.length; i++) {
                setUnseen(i, token, start, limits, isSeen[i], isBehind);
                k.op("not.pred", isSeen[i], isSeen[i]);
            }
            IntFunction<Operand> ofLine = words.apply(line);
            for (int s = 0; s < into[0].length; s += 4) {
                k.ld(SHARED, word, ofLine.apply(s / 4));
                k.op("and.b32", values[1], word, 0xFFFF_0000);
                k.op("shl.b32", values[0], word, 16);
                for (int e = 0; e < 2; e++) {
                    Reg value = values[e];
                    k.op("testp.finite.f32", isFinite, value);
                    if (!isPositive) {
                        k.mul(value, value, 0f);
                    }
                    for (int i = 0; i < row.length; i++) {
                        Reg sum = into[i / 2][s + i % 2 * 2 + e];
                        k.op("not.pred", adds, isFinite);
                        k.op("and.pred", adds, adds, isSeen[i]);
                        k.onlyIf(adds, () -> k.add(sum, sum, value));
                    }
                }
            }
            k.add(token, token, 1);
        });
    }

    /// Adds up a row's sum of exponentials over the four threads that share it.
    ///
    /// @return what makes means of its sums
    Reg finish(Reg total) {
        Reg times = k.reg(Type.F32, "times");
        for (int bits = 2; bits > 0; bits /= 2) {
            k.shflBfly(times, total, bits);
            k.add(total, total, times);
        }
        k.op("rcp.rn.f32", times, total);
        return times;
    }

    /// Makes `times` no number where the row's keys begin nowhere.
    void spoilBad(int i, Reg times) {
        Reg isBad = k.compare(Compare.GT, documents.of(k, "own_start", row[i]), row[i]);
        k.onlyIf(isBad, () -> k.mov(times, Float.NaN));
    }

    /// Stores a row of a result.
    ///
    /// @param values of its fragment
    /// @param half which row of the fragment
    void store(HeadRows into, Reg head, int i, Reg[] values, int half, int dim, Reg times) {
        int bytes = dtype.bytes();
        Reg at = into.at(k, "result_row", into.ofHead(k, "result_head", head), row[i]);
        k.madWide(at, pair, bytes, at);
        Reg column = k.reg(Type.U32, "result_column");
        Elements single = new Elements(dtype, 1);
        for (int s = 2 * half; s < values.length && s / 4 * 8 < dim; s += 4) {
            int before = s / 4 * 8;
            Reg[] both = {values[s], values[s + 1]};
            k.mul(both[0], both[0], times);
            k.mul(both[1], both[1], times);
            Reg place = k.reg(Type.U64, "result_at");
            k.add(place, at, (long) before * bytes);
            k.add(column, pair, before);
            if (inPairs) {
                Runnable store = () -> storePair(place, both[0], both[1]);
                if (before + 8 > dim) {
                    k.when(k.compare(Compare.LT, column, dim), store);
                } else {
                    store.run();
                }
                continue;
            }
            for (Reg value : both) {
                k.when(k.compare(Compare.LT, column, dim), () -> single.store(k, place, value));
                k.add(place, place, bytes);
                k.add(column, column, 1);
            }
        }
    }

    private void storePair(Reg place, Reg low, Reg high) {
        if (dtype == DType.F32) {
            k.st(GLOBAL, place, vec(low, high));
            return;
        }
        Reg rounded = k.reg(Type.B32, "rounded");
        k.op("cvt.rn.bf16x2.f32", rounded, high, low);
        k.st(GLOBAL, place, rounded);
    }

    /// `lse = ln 2 * (most + log2(total))`, by the first thread of a row.
    void storeLogSum(HeadRows lse, Reg head, int i, Reg most, Reg total, Reg times) {
        Reg log = k.reg(Type.F32, "log");
        k.lg2(log, total);
        k.add(log, log, most);
        k.mul(log, log, PlainAttention.LN_2);
        Reg isNone = k.reg(Type.PRED, "is_none");
        k.op("testp.notanumber.f32", isNone, times);
        k.onlyIf(isNone, () -> k.mov(log, Float.NaN));
        k.when(
                k.compare(Compare.EQ, pair, 0),
                () -> new Elements(dtype, 1)
                        .store(k, lse.at(k, "lse_at", lse.ofHead(k, "lse_head", head), row[i]), log));
    }
}
