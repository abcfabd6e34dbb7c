package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import java.util.function.BiConsumer;

/// Where packed documents begin, read from `keyStart` by every warp for itself: a document begins at a
/// token whose keys begin with the token itself.
///
/// Attention takes a tile of tokens one document after the other, and tiles of the other side counted
/// from the document's first token: so a document has the same bits wherever it lies. A `keyStart`
/// behind its own token, or a negative one, which is a large number without sign, stands for no keys at
/// all.
///
/// @param keyStart the address of `[tokens]`
/// @param lane this thread's number in its warp
record Documents(Reg keyStart, Reg tokens, Reg lane) {
    /// No token.
    static final int NONE = -1;

    /// @return what a token's keys begin with
    Reg of(PtxKernel k, String name, Reg token) {
        Reg at = k.reg(Type.U64, name + "_at");
        Reg start = k.reg(Type.U32, name);
        k.madWide(at, token, Integer.BYTES, keyStart);
        k.ld(GLOBAL, start, at);
        return start;
    }

    /// @return what a token's keys begin with, or [#NONE] where the token is not within `[begin, end)`
    Reg within(PtxKernel k, String name, Reg token, Reg begin, Reg end) {
        Reg start = k.reg(Type.U32, name, NONE);
        Reg at = k.reg(Type.U64, name + "_at");
        Reg isInside = k.compare(Compare.GE, token, begin);
        Reg isBefore = k.compare(Compare.LT, token, end);
        k.op("and.pred", isInside, isInside, isBefore);
        k.when(isInside, () -> {
            k.madWide(at, token, Integer.BYTES, keyStart);
            k.ld(GLOBAL, start, at);
        });
        return start;
    }

    /// Runs code for each document's tokens of a tile, `[begin, end)`.
    ///
    /// @param most tokens that a tile has, a multiple of 32
    /// @param body may not change its arguments
    void each(PtxKernel k, Reg first, Reg last, int most, BiConsumer<Reg, Reg> body) {
        Reg begin = k.reg(Type.U32, "document", first);
        Reg end = k.reg(Type.U32, "document_end");
        k.repeatWhile(() -> {
            findEnd(k, begin, last, most, end);
            body.accept(begin, end);
            k.mov(begin, end);
            return k.compare(Compare.LT, begin, last);
        });
    }

    private void findEnd(PtxKernel k, Reg begin, Reg last, int most, Reg end) {
        k.comment("the first token behind this one that begins a document");
        Reg token = k.reg(Type.U32, "behind");
        Reg start = k.reg(Type.U32, "behind_start");
        Reg at = k.reg(Type.U64, "behind_at");
        Reg begins = k.reg(Type.PRED, "begins");
        Reg found = k.reg(Type.B32, "found");
        Reg place = k.reg(Type.U32, "place");
        k.mov(end, last);
        for (int from = most - Sums.LANES; from >= 0; from -= Sums.LANES) {
            k.add(token, begin, lane);
            k.add(token, token, from + 1);
            k.mov(start, NONE);
            k.when(k.compare(Compare.LT, token, last), () -> {
                k.madWide(at, token, Integer.BYTES, keyStart);
                k.ld(GLOBAL, start, at);
            });
            k.setp(Compare.EQ, begins, start, token);
            k.op("vote.sync.ballot.b32", found, begins, -1);
            k.op("brev.b32", found, found);
            k.op("clz.b32", place, found);
            Reg isSome = k.compare(Compare.LT, place, Sums.LANES);
            k.add(place, place, begin);
            k.add(place, place, from + 1);
            k.onlyIf(isSome, () -> k.mov(end, place));
        }
    }

    /// @param step a power of two
    /// @return the first key of the tiles that these tokens see, so many tokens each
    Reg firstKey(PtxKernel k, Reg begin, int step) {
        Reg start = of(k, "start", begin);
        k.min(start, start, begin);
        return tile(k, "key", start, origin(k, start), step);
    }

    /// @param step a power of two
    /// @return the first query of the tiles that see these keys, so many tokens each
    Reg firstQuery(PtxKernel k, Reg begin, int step) {
        Reg start = of(k, "start", begin);
        k.min(start, start, begin);
        return tile(k, "query", begin, origin(k, start), step);
    }

    private static Reg tile(PtxKernel k, String name, Reg token, Reg origin, int step) {
        Reg first = k.reg(Type.U32, name);
        k.sub(first, token, origin);
        k.and(first, first, -step);
        k.add(first, first, origin);
        return first;
    }

    /// @return the first token of the document of this one: that which it leads to from `keyStart` to
    ///     `keyStart`
    private Reg origin(PtxKernel k, Reg start) {
        Reg origin = k.reg(Type.U32, "origin", start);
        Reg at = k.reg(Type.U64, "origin_at");
        Reg before = k.reg(Type.U32, "before");
        k.repeatWhile(() -> {
            k.madWide(at, origin, Integer.BYTES, keyStart);
            k.ld(GLOBAL, before, at);
            Reg goesOn = k.compare(Compare.LT, before, origin);
            k.min(origin, origin, before);
            return goesOn;
        });
        return origin;
    }

    /// Looks for it with all lanes: each looks into one of 32 parts.
    ///
    /// @param from a token before it
    /// @return the first token from which on no query sees a key before `end`
    Reg endOfQueries(PtxKernel k, Reg from, Reg end) {
        Reg low = k.reg(Type.U32, "part_low", from);
        Reg high = k.reg(Type.U32, "part_high", tokens);
        Reg step = k.reg(Type.U32, "part");
        Reg probe = k.reg(Type.U32, "probe");
        Reg last = k.reg(Type.U32, "probe_last");
        Reg start = k.reg(Type.U32, "probe_start");
        Reg at = k.reg(Type.U64, "probe_at");
        Reg found = k.reg(Type.B32, "found");
        Reg place = k.reg(Type.U32, "place");
        k.comment("the end of the queries that see a key");
        k.repeatWhile(() -> {
            k.sub(step, high, low);
            k.add(step, step, Sums.LANES - 1);
            k.shr(step, step, 5);
            k.sub(last, high, 1);
            k.mad(probe, lane, step, step);
            k.add(probe, probe, low);
            k.sub(probe, probe, 1);
            k.min(probe, probe, last);
            k.madWide(at, probe, Integer.BYTES, keyStart);
            k.ld(GLOBAL, start, at);
            k.op("vote.sync.ballot.b32", found, k.compare(Compare.GE, start, end), -1);
            k.op("brev.b32", found, found);
            k.op("clz.b32", place, found);
            Reg isSome = k.compare(Compare.LT, place, Sums.LANES);
            k.min(place, place, Sums.LANES - 1);
            k.shflIdx(probe, probe, place);
            k.mad(place, place, step, low);
            k.onlyIf(isSome, () -> {
                k.mov(high, probe);
                k.mov(low, place);
            });
            Reg goesOn = k.compare(Compare.LT, low, high);
            k.op("and.pred", goesOn, goesOn, isSome);
            return goesOn;
        });
        return high;
    }
}
