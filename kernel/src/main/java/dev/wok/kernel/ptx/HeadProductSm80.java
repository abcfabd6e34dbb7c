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
import dev.wok.kernel.ptx.HeadProduct.Matrices;
import dev.wok.kernel.ptx.HeadProduct.Part;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// A part of a [HeadProduct] in bf16 by `mma.sync`. A warp takes 16 rows of the matrix, which it reads
/// from global memory once, as the tensor cores want them; a panel of a [Packed] weight lies just so.
/// The vectors are in shared memory, and a column of the product each.
///
/// @param weight the type of the matrices
/// @param x how vectors are read
/// @param y the type of the results
/// @param tokens of a block, a multiple of 8
record HeadProductSm80(Layout layout, DType weight, Bf16Rows x, DType y, int tokens) {
    private static final int WARPS = 4;
    private static final int THREADS = WARPS * Sums.LANES;
    private static final int ROW_TILE = 16;
    private static final int COLUMN_TILE = 8;
    private static final int FEW = 8;
    private static final int MANY = 32;

    /// The longest vectors of which many fit into shared memory.
    private static final int MOST_OF_MANY = 1024;

    private static final int PIECE_BYTES = 16;
    private static final int LANES_PER_ROW = 8;

    /// Fragments of the matrix that a warp asks for at once.
    private static final int AT_ONCE = 8;

    private static final int UNIT = AT_ONCE * ROW_TILE;

    static HeadProductSm80 choose(Matrices w, Tensor x, Tensor y) {
        int tokens = x.dim(0) <= FEW || w.k() > MOST_OF_MANY ? FEW : MANY;
        return new HeadProductSm80(w.layout(), w.dtype(), Bf16Rows.of(x), y.dtype(), tokens);
    }

    int rows() {
        return WARPS * ROW_TILE;
    }

    Launch launch(int k) {
        int padded = Math.ceilDiv(k, UNIT) * UNIT;
        return Launch.of(1, THREADS).withShared(tokens * (padded * Rounding.BYTES + PIECE_BYTES));
    }

    void write(PtxKernel k) {
        k.maxThreads(THREADS);
        Part part = Part.of(k, tokens);
        Symbol vectors = k.dynamicShared("vectors", 128);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg base = k.reg(Type.U32, "vectors_at");
        Reg padded = k.reg(Type.U32, "padded");
        Reg pitch = k.reg(Type.U32, "pitch");
        k.mov(base, vectors);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.add(padded, part.k(), UNIT - 1);
        k.and(padded, padded, -UNIT);
        k.mad(pitch, padded, Rounding.BYTES, PIECE_BYTES);
        bring(k, part, tid, base, padded, pitch);

        Reg row = k.reg(Type.U32, "first_row");
        k.mad(row, part.tile(), WARPS, warp);
        k.mul(row, row, ROW_TILE);
        k.when(k.compare(Compare.LT, row, part.n()), () -> {
            Reg[] sums = multiply(k, part, lane, row, base, padded, pitch);
            store(k, part, lane, row, sums);
        });
        part.copyRest(k, new Elements(x.dtype(), 1), new Elements(y, 1), tid, THREADS);
    }

    /// The vectors to shared memory, `[tokens, k]`, zeros behind them.
    private void bring(PtxKernel k, Part part, Reg tid, Reg base, Reg padded, Reg pitch) {
        k.comment("the vectors");
        Reg token = k.reg(Type.U32, "token");
        Reg piece = k.reg(Type.U32, "first_piece");
        Reg pieces = k.reg(Type.U32, "pieces");
        Reg first = k.reg(Type.S32, "first_number");
        Reg count = k.reg(Type.S32, "numbers");
        Reg at = k.reg(Type.U64, "vector_from");
        Reg wide = k.reg(Type.U64, "token_wide");
        Reg place = k.reg(Type.U32, "place");
        k.and(piece, tid, LANES_PER_ROW - 1);
        k.shr(pieces, padded, 3);
        k.shr(token, tid, 3);
        k.loop("token", token, tokens, THREADS / LANES_PER_ROW, t -> {
            Reg isToken = k.compare(Compare.LT, t, part.count());
            k.op("cvt.u64.u32", wide, t);
            k.mad(at, wide, part.fromToken(), part.from());
            k.selp(at, at, part.from(), isToken);
            k.mov(count, part.k());
            k.selp(count, count, 0, isToken);
            k.loop("piece", piece, pieces, LANES_PER_ROW, p -> {
                k.mad(place, t, pitch, base);
                k.mad(place, p, PIECE_BYTES, place);
                k.mul(first, p, Bf16Rows.PIECE);
                x.bring(k, place, 0, at, first, count);
            });
        });
        k.op("cp.async.wait_all");
        k.bar();
    }

    /// @return of each 8 tokens a fragment of the product
    private Reg[] multiply(PtxKernel k, Part part, Reg lane, Reg row, Reg base, Reg padded, Reg pitch) {
        Reg[] sums = k.regs(Type.F32, "sum", tokens / COLUMN_TILE * 4);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        Reg group = k.reg(Type.U32, "fragment_row");
        Reg pair = k.reg(Type.U32, "fragment_pair");
        Reg place = k.reg(Type.U32, "vector_at");
        Reg across = k.reg(Type.U32, "token_tile_bytes");
        k.shr(group, lane, 2);
        k.and(pair, lane, 3);
        k.mad(place, group, pitch, base);
        k.mad(place, pair, 2 * Rounding.BYTES, place);
        k.mul(across, pitch, COLUMN_TILE);
        Fragments fragments = fragments(k, part, row, group, pair);
        Reg[][] left = new Reg[AT_ONCE][];
        for (int i = 0; i < AT_ONCE; i++) {
            left[i] = k.regs(Type.B32, "a" + i, 4);
        }
        Reg[] right = k.regs(Type.B32, "b", 2);
        Reg at = k.reg(Type.U32, "token_tile_at");
        k.loop("first_k", 0, padded, UNIT, first -> {
            for (int i = 0; i < AT_ONCE; i++) {
                fragments.load(first, i * ROW_TILE, left[i]);
            }
            for (int i = 0; i < AT_ONCE; i++) {
                k.mov(at, place);
                for (int j = 0; j < tokens / COLUMN_TILE; j++) {
                    for (int b = 0; b < 2; b++) {
                        k.ld(SHARED, right[b], at.at((long) (i * ROW_TILE + b * 8) * Rounding.BYTES));
                    }
                    k.op(
                            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                            vec(sums, j * 4, 4),
                            vec((Object[]) left[i]),
                            vec((Object[]) right),
                            vec(sums, j * 4, 4));
                    k.add(at, at, across);
                }
            }
            k.add(place, place, UNIT * Rounding.BYTES);
        });
        return sums;
    }

    /// Loads the matrix: of a lane's two rows, eight apart, two pairs of numbers, eight apart.
    @FunctionalInterface
    private interface Fragments {
        /// @param first number of the common dimension
        /// @param offset behind it
        /// @param to four pairs, zeros outside of the matrix
        void load(Reg first, int offset, Reg... to);
    }

    /// @param row the warp's first one
    private Fragments fragments(PtxKernel k, Part part, Reg row, Reg group, Reg pair) {
        Reg number = k.reg(Type.U32, "number");
        Reg wide = k.reg(Type.U64, "wide");
        if (layout == Layout.PANELS) {
            Reg panel = k.reg(Type.U32, "panel");
            Reg at = k.reg(Type.U64, "panel_at");
            Reg step = k.reg(Type.U64, "step_at");
            k.op("div.u32", panel, row, Packed.ROWS);
            k.op("cvt.u64.u32", wide, panel);
            k.mad(at, wide, part.stride(), part.w());
            k.madWide(at, group, Integer.BYTES, at);
            k.madWide(at, pair, Packed.STEP_BYTES, at);
            return (first, offset, to) -> {
                k.madWide(step, first, Packed.STEP_BYTES / 2, at);
                for (int i = 0; i < to.length; i++) {
                    Reg one = to[i];
                    int column = offset + i / 2 * 8;
                    k.mov(one, 0);
                    k.mad(number, pair, 2, first);
                    k.add(number, number, column);
                    long place = (long) column * Packed.STEP_BYTES / 2 + i % 2 * 8L * Integer.BYTES;
                    k.onlyIf(
                            k.compare(Compare.LT, number, part.k()),
                            () -> k.op("ld.global.nc.b32", one, step.at(place)));
                }
            };
        }
        Elements elements = new Elements(weight, 1);
        Reg at = k.reg(Type.U64, "number_at");
        Reg j = k.reg(Type.U32, "j");
        Reg[] numbers = k.regs(Type.F32, "of_pair", 2);
        return (first, offset, to) -> {
            for (int i = 0; i < to.length; i++) {
                k.add(j, row, group);
                k.add(j, j, i % 2 * 8);
                for (int half = 0; half < 2; half++) {
                    Reg value = numbers[half];
                    k.mov(value, 0f);
                    k.mad(number, pair, 2, first);
                    k.add(number, number, offset + i / 2 * 8 + half);
                    Reg isInside = k.compare(Compare.LT, number, part.k());
                    Reg isRow = k.compare(Compare.LT, j, part.n());
                    k.op("and.pred", isInside, isInside, isRow);
                    k.when(isInside, () -> {
                        Reg along = layout == Layout.ROWS ? number : j;
                        Reg across = layout == Layout.ROWS ? j : number;
                        k.op("cvt.u64.u32", wide, across);
                        k.mad(at, wide, part.stride(), part.w());
                        k.madWide(at, along, elements.bytes(), at);
                        k.mov(value, elements.load(k, "w", at)[0]);
                    });
                }
                Reg rounded = k.reg(Type.BF16X2, "w_pair");
                k.cvt(rounded, numbers[1], numbers[0]);
                k.op("mov.b32", to[i], rounded);
            }
        };
    }

    private void store(PtxKernel k, Part part, Reg lane, Reg row, Reg... sums) {
        Elements target = new Elements(y, 1);
        Reg j = k.reg(Type.U32, "result_row");
        Reg token = k.reg(Type.U32, "result_token");
        Reg wide = k.reg(Type.U64, "result_wide");
        Reg at = k.reg(Type.U64, "result_at");
        for (int i = 0; i < sums.length; i++) {
            Reg sum = sums[i];
            k.shr(j, lane, 2);
            k.add(j, j, row);
            k.add(j, j, i % 4 / 2 * 8);
            k.and(token, lane, 3);
            k.shl(token, token, 1);
            k.add(token, token, i / 4 * COLUMN_TILE + i % 2);
            Reg isInside = k.compare(Compare.LT, j, part.n());
            Reg isToken = k.compare(Compare.LT, token, part.count());
            k.op("and.pred", isInside, isInside, isToken);
            k.when(isInside, () -> {
                k.op("cvt.u64.u32", wide, token);
                k.mad(at, wide, part.toToken(), part.to());
                k.madWide(at, j, target.bytes(), at);
                target.store(k, at, sum);
            });
        }
    }
}
