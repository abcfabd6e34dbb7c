package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.kernel.ptx.HeadProduct.Layout;
import dev.wok.kernel.ptx.HeadProduct.Part;
import dev.wok.tensor.DType;

/// A part of a [HeadProduct] with float32 sums: a thread takes a row of the matrix and some tokens, which share its
/// reading.
///
/// @param weight the type of the matrices
/// @param x the type of the vectors
/// @param y the type of the results
record HeadProductPlain(Layout layout, DType weight, DType x, DType y) {
    static final int THREADS = 128;
    static final int TOKENS = 8;

    Launch launch(int k) {
        int padded = Math.ceilDiv(k, step()) * step();
        return Launch.of(1, THREADS).withShared(padded * TOKENS * Float.BYTES);
    }

    /// @return how many numbers of the common dimension a thread takes at once
    private int step() {
        return layout == Layout.PANELS && weight == DType.BF16 ? 2 : 1;
    }

    void write(PtxKernel k) {
        k.maxThreads(THREADS);
        Part part = Part.of(k, TOKENS);
        Symbol vectors = k.dynamicShared("vectors", 16);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg base = k.reg(Type.U32, "vectors_at");
        k.mov(base, vectors);

        k.comment("the vectors, [k, tokens], zeros behind them");
        Elements source = new Elements(x, 1);
        Elements target = new Elements(y, 1);
        Reg padded = k.reg(Type.U32, "padded");
        Reg row = k.reg(Type.U64, "row");
        Reg place = k.reg(Type.U32, "place");
        k.add(padded, part.k(), step() - 1);
        k.and(padded, padded, -step());
        for (int t = 0; t < TOKENS; t++) {
            int token = t;
            k.loop("i", tid, padded, THREADS, i -> {
                Reg value = k.reg(Type.F32, "value", 0f);
                Reg isInside = k.compare(Compare.LT, i, part.k());
                Reg isToken = k.compare(Compare.GT, part.count(), token);
                k.op("and.pred", isInside, isInside, isToken);
                k.when(isInside, () -> {
                    k.mul(row, part.fromToken(), (long) token);
                    k.add(row, row, part.from());
                    k.madWide(row, i, source.bytes(), row);
                    k.mov(value, source.load(k, "x", row)[0]);
                });
                k.mad(place, i, TOKENS * Float.BYTES, base);
                k.st(SHARED, place.at((long) token * Float.BYTES), value);
            });
        }
        k.bar();

        Reg j = k.reg(Type.U32, "j");
        k.mad(j, part.tile(), THREADS, tid);
        Reg at = k.reg(Type.U64, "to");
        k.when(k.compare(Compare.LT, j, part.n()), () -> {
            Reg[] sums = sums(k, part, j, padded, base);
            k.madWide(at, j, target.bytes(), part.to());
            for (int t = 0; t < TOKENS; t++) {
                Reg sum = sums[t];
                k.when(k.compare(Compare.GT, part.count(), t), () -> target.store(k, at, sum));
                k.add(at, at, part.toToken());
            }
        });
        part.copyRest(k, source, target, tid, THREADS);
    }

    /// @return the row's products with each token's vector
    private Reg[] sums(PtxKernel k, Part part, Reg j, Reg padded, Reg base) {
        Elements elements = new Elements(weight, step());
        Reg at = k.reg(Type.U64, "w_at");
        Reg wide = k.reg(Type.U64, "w_wide");
        Reg step = k.reg(Type.U64, "w_step");
        switch (layout) {
            case ROWS -> {
                k.op("cvt.u64.u32", wide, j);
                k.mad(at, wide, part.stride(), part.w());
                k.mov(step, elements.bytes());
            }
            case COLUMNS -> {
                k.madWide(at, j, elements.bytes(), part.w());
                k.mov(step, part.stride());
            }
            case PANELS -> {
                Reg panel = k.reg(Type.U32, "panel");
                Reg lane = k.reg(Type.U32, "panel_row");
                k.op("div.u32", panel, j, Packed.ROWS);
                k.and(lane, j, Packed.ROWS - 1);
                k.op("cvt.u64.u32", wide, panel);
                k.mad(at, wide, part.stride(), part.w());
                k.madWide(at, lane, Integer.BYTES, at);
                k.mov(step, Packed.STEP_BYTES);
            }
        }
        Reg[] sums = k.regs(Type.F32, "sum", TOKENS);
        Reg[] vector = k.regs(Type.F32, "vector", TOKENS);
        Reg place = k.reg(Type.U32, "vector_at");
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        k.mov(place, base);
        k.loop("step", 0, padded, step(), _ -> {
            Reg[] numbers = elements.load(k, "w", at);
            for (int i = 0; i < numbers.length; i++) {
                for (int t = 0; t < TOKENS; t += 4) {
                    k.ld(SHARED, vec(vector, t, 4), place.at((long) (i * TOKENS + t) * Float.BYTES));
                }
                for (int t = 0; t < TOKENS; t++) {
                    k.fma(sums[t], numbers[i], vector[t], sums[t]);
                }
            }
            k.add(place, place, step() * TOKENS * Float.BYTES);
            k.add(at, at, step);
        });
        return sums;
    }
}
