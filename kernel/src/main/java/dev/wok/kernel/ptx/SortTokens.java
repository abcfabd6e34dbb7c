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
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// Sorts tokens by id, those of one id by their place in the batch: bitonic (K. Batcher, 1968). What is
/// sorted are words of 64 bits, the id above the token's number, so no two are equal.
///
/// A block sorts what its shared memory holds, and later the steps within that; a launch of its own for
/// each step that goes further.
///
/// @param part of the work
/// @param tile words of a block
record SortTokens(Part part, int tile) {
    /// The id of a token that has none, or one beyond the table; behind all others.
    static final int NONE = -1;

    /// Words of a block, where there are few tokens and where there are many.
    private static final int[] TILES = {256, 4096};

    private static final int MOST_THREADS = 1024;

    private enum Part {
        /// Makes the words and sorts each tile, every other one downwards.
        TILES,
        /// One step between words that are further apart than a tile.
        STEP,
        /// The steps of a run that lie within tiles.
        REST
    }

    /// @return what writes each kernel
    static List<Consumer<PtxKernel>> kernels() {
        return Arrays.stream(TILES)
                .boxed()
                .<Consumer<PtxKernel>>mapMulti((tile, all) -> {
                    for (Part part : Part.values()) {
                        all.accept(new SortTokens(part, tile)::write);
                    }
                })
                .toList();
    }

    /// @param ids `[tokens]`
    /// @param vocab ids from here on count as none
    /// @return a word for each token, and some of none behind them: the lower half the token, the upper
    ///     half its id
    static Tensor launch(Programs programs, Tensor ids, int vocab) {
        int tokens = ids.size(0);
        int tile = TILES[tokens <= TILES[0] ? 0 : 1];
        long size = Math.max(tile, Long.highestOneBit(2L * tokens - 1));
        int tiles = Math.toIntExact(size / tile);
        Tensor words = programs.scratch("SortTokens.words", DType.I64, size);
        new SortTokens(Part.TILES, tile).launch(programs, tiles, words, ids, tokens, vocab);
        for (long run = 2L * tile; run <= size; run *= 2) {
            for (long apart = run / 2; apart >= tile; apart /= 2) {
                new SortTokens(Part.STEP, tile).launch(programs, tiles, words, (int) run, (int) apart);
            }
            new SortTokens(Part.REST, tile).launch(programs, tiles, words, (int) run);
        }
        return words;
    }

    private void launch(Programs programs, int tiles, Object... arguments) {
        programs.gpu().stream()
                .launch(programs.get(this, "sort_tokens", this::write), Launch.of(tiles, threads()), arguments);
    }

    private int threads() {
        return Math.min(tile / 2, MOST_THREADS);
    }

    private void write(PtxKernel k) {
        k.maxThreads(threads());
        Reg words = k.param("words", Type.U64);
        switch (part) {
            case TILES -> tiles(k, words);
            case STEP -> step(k, words);
            case REST -> rest(k, words);
        }
    }

    private void step(PtxKernel k, Reg words) {
        Reg run = k.param("run", Type.U32);
        Reg apart = k.param("apart", Type.U32);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg pair = k.reg(Type.U32, "pair");
        Reg at = k.reg(Type.U64, "at");
        Reg otherAt = k.reg(Type.U64, "other_at");
        Reg a = k.reg(Type.U64, "a");
        Reg b = k.reg(Type.U64, "b");
        k.loop("i", tid, tile / 2, threads(), i -> {
            k.mad(pair, block, tile / 2, i);
            Reg first = firstOf(k, pair, apart);
            Reg isDown = isDown(k, first, run);
            k.madWide(at, first, Long.BYTES, words);
            k.madWide(otherAt, apart, Long.BYTES, at);
            k.ld(GLOBAL, a, at);
            k.ld(GLOBAL, b, otherAt);
            order(k, a, b, isDown);
            k.st(GLOBAL, at, a);
            k.st(GLOBAL, otherAt, b);
        });
    }

    /// @param apart how far the two of a pair are apart, a power of two
    /// @return the first of a pair: its number with a zero put in where `apart` has its bit
    private static Reg firstOf(PtxKernel k, Reg pair, Reg apart) {
        Reg first = k.reg(Type.U32, "first_of_pair");
        Reg low = k.reg(Type.U32, "low");
        k.sub(low, apart, 1);
        k.and(low, low, pair);
        k.sub(first, pair, low);
        k.mad(first, first, 2, low);
        return first;
    }

    private static Reg isDown(PtxKernel k, Reg word, Reg run) {
        Reg bit = k.reg(Type.U32, "run_bit");
        k.and(bit, word, run);
        return k.compare("is_down", Compare.NE, bit, 0);
    }

    /// Puts the smaller of two into `a`, or the greater where it goes down.
    private static void order(PtxKernel k, Reg a, Reg b, Reg isDown) {
        Reg least = k.reg(Type.U64, "least");
        Reg most = k.reg(Type.U64, "most");
        k.min(least, a, b);
        k.max(most, a, b);
        k.selp(a, most, least, isDown);
        k.selp(b, least, most, isDown);
    }

    private Symbol shared(PtxKernel k) {
        return k.shared("tile", Type.B64, tile, Long.BYTES);
    }

    /// Takes the places of a tile that a thread moves between global and shared memory.
    private interface Move {
        /// @param word its number of all
        void at(Reg word, Reg global, Reg inTile);
    }

    private void eachOfTile(PtxKernel k, Reg words, Symbol shared, Move body) {
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg base = k.reg(Type.U32, "tile_at");
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg word = k.reg(Type.U32, "word");
        Reg global = k.reg(Type.U64, "global");
        Reg inTile = k.reg(Type.U32, "in_tile");
        k.mov(base, shared);
        k.loop("i", tid, tile, threads(), i -> {
            k.mad(word, block, tile, i);
            k.madWide(global, word, Long.BYTES, words);
            k.mad(inTile, i, Long.BYTES, base);
            body.at(word, global, inTile);
        });
    }

    private void tiles(PtxKernel k, Reg words) {
        Reg ids = k.param("ids", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg vocab = k.param("vocab", Type.U32);
        Symbol shared = shared(k);
        eachOfTile(k, words, shared, (word, _, inTile) -> {
            Reg id = k.reg(Type.U32, "id", NONE);
            Reg at = k.reg(Type.U64, "id_at");
            k.madWide(at, word, Integer.BYTES, ids);
            k.onlyIf(k.compare(Compare.LT, word, tokens), () -> k.ld(GLOBAL, id, at));
            k.onlyIf(k.compare(Compare.GE, id, vocab), () -> k.mov(id, NONE));
            k.op("st.shared.v2.u32", inTile.at(0), vec(word, id));
        });
        Reg run = k.reg(Type.U32, "run", 2);
        k.repeatWhile(() -> {
            Reg apart = k.reg(Type.U32, "apart");
            k.shr(apart, run, 1);
            steps(k, shared, run, apart);
            k.add(run, run, run);
            return k.compare(Compare.LE, run, tile);
        });
        store(k, words, shared);
    }

    private void rest(PtxKernel k, Reg words) {
        Reg run = k.param("run", Type.U32);
        Symbol shared = shared(k);
        Reg value = k.reg(Type.U64, "value");
        eachOfTile(k, words, shared, (_, global, inTile) -> {
            k.ld(GLOBAL, value, global);
            k.st(SHARED, inTile, value);
        });
        steps(k, shared, run, k.reg(Type.U32, "apart", tile / 2));
        store(k, words, shared);
    }

    private void store(PtxKernel k, Reg words, Symbol shared) {
        k.bar();
        Reg value = k.reg(Type.U64, "value");
        eachOfTile(k, words, shared, (_, global, inTile) -> {
            k.ld(SHARED, value, inTile);
            k.st(GLOBAL, global, value);
        });
    }

    /// The steps from words so far apart down to neighbours.
    ///
    /// @param apart used up
    private void steps(PtxKernel k, Symbol shared, Reg run, Reg apart) {
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg base = k.reg(Type.U32, "tile_at");
        Reg word = k.reg(Type.U32, "word");
        Reg at = k.reg(Type.U32, "at");
        Reg otherAt = k.reg(Type.U32, "other_at");
        Reg a = k.reg(Type.U64, "a");
        Reg b = k.reg(Type.U64, "b");
        k.mov(base, shared);
        k.repeatWhile(() -> {
            k.bar();
            k.loop("pair", tid, tile / 2, threads(), pair -> {
                Reg first = firstOf(k, pair, apart);
                k.mad(word, block, tile, first);
                Reg isDown = isDown(k, word, run);
                k.mad(at, first, Long.BYTES, base);
                k.mad(otherAt, apart, Long.BYTES, at);
                k.ld(SHARED, a, at);
                k.ld(SHARED, b, otherAt);
                order(k, a, b, isDown);
                k.st(SHARED, at, a);
                k.st(SHARED, otherAt, b);
            });
            k.shr(apart, apart, 1);
            return k.compare(Compare.GE, apart, 1);
        });
    }
}
