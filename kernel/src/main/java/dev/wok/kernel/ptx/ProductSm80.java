package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Result;
import dev.wok.kernel.ptx.Product.Ring;
import java.util.Arrays;

/// `c (+)= a * b^T` of bf16 by `mma.sync`, for every chip from sm_80 on.
///
/// Threads copy the next stages' tiles into shared memory (`cp.async`) while the warps multiply the present one. A row
/// of
/// a tile is 64 bytes in four pieces of 16; piece `p` of row `r` lies where `p ^ (r / 2 % 4)` would, so that the eight
/// rows that `ldmatrix` reads at once lie in different banks.
///
/// @param m rows of a block's tile
/// @param n columns of it
/// @param stages of the ring in shared memory
/// @param warpsM warps along the rows
/// @param warpsN warps along the columns
record ProductSm80(int m, int n, int stages, int warpsM, int warpsN, boolean accumulates) {
    static final int K = 32;
    private static final int ROW = K * Product.BYTES;
    private static final int PIECE = 16;
    private static final int PIECES = ROW / PIECE;

    /// @return the kernel for a product of this size: large tiles where they fill the chip
    static ProductSm80 choose(int rows, int columns, boolean accumulates) {
        return rows <= 64 || columns <= 64
                ? new ProductSm80(64, 64, 3, 2, 2, accumulates)
                : new ProductSm80(128, 128, 4, 2, 4, accumulates);
    }

    Launch launch(int rows, int columns) {
        return Launch.of(1, threads())
                .withGrid((rows + m - 1) / m, (columns + n - 1) / n, 1)
                .withShared(stages * stageBytes());
    }

    private int threads() {
        return Sums.LANES * warpsM * warpsN;
    }

    private int stageBytes() {
        return (m + n) * ROW;
    }

    /// An operand: which rows of it this block copies.
    ///
    /// @param base its address
    /// @param rows how many it has
    /// @param first the block's first row
    private record Side(Reg base, Reg rowBytes, Reg rows, Reg first) {}

    void write(PtxKernel k) {
        k.maxThreads(threads());
        Reg a = k.param("a", Type.U64);
        Reg aRow = k.param("a_row_bytes", Type.U64);
        Reg b = k.param("b", Type.U64);
        Reg bRow = k.param("b_row_bytes", Type.U64);
        Result result = Result.of(k, accumulates);
        Reg depth = k.param("k", Type.U32);
        Symbol tiles = k.dynamicShared("tiles", 128);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg base = k.reg(Type.U32, "tiles_at");
        Reg firstRow = k.reg(Type.U32, "first_row", Special.CTAID_X);
        Reg firstColumn = k.reg(Type.U32, "first_column", Special.CTAID_Y);
        k.mov(base, tiles);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.mul(firstRow, firstRow, m);
        k.mul(firstColumn, firstColumn, n);
        Side left = new Side(a, aRow, result.m(), firstRow);
        Side right = new Side(b, bRow, result.n(), firstColumn);
        Reg steps = k.reg(Type.U32, "steps");
        k.add(steps, depth, K - 1);
        k.shr(steps, steps, 5);

        k.comment("the first stages set out");
        Ring filled = Ring.of(k, "filled", stages);
        Reg next = k.reg(Type.U32, "next_k", 0);
        for (int i = 0; i < stages - 1; i++) {
            fill(k, filled, base, tid, left, right, next, depth);
        }

        k.comment("where this warp's fragments lie in a stage");
        Reg warpRow = k.reg(Type.U32, "warp_row");
        Reg warpColumn = k.reg(Type.U32, "warp_column");
        k.op("rem.u32", warpRow, warp, warpsM);
        k.mul(warpRow, warpRow, m / warpsM);
        k.op("div.u32", warpColumn, warp, warpsM);
        k.mul(warpColumn, warpColumn, n / warpsN);
        Reg aAt = fragment(k, "a_at", warpRow, lane, 15, 4, false);
        Reg bAt = fragment(k, "b_at", warpColumn, lane, 7, 3, true);
        k.add(bAt, bAt, m * ROW);
        int rowTiles = m / warpsM / 16;
        int columnTiles = n / warpsN / 8;
        Reg[] sums = k.regs(Type.F32, "sum", rowTiles * columnTiles * 4);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }

        Ring used = Ring.of(k, "used", stages);
        k.loop("step", 0, steps, 1, _ -> {
            k.comment("this stage has come, and everybody is through with the one that is filled now");
            k.op("cp.async.wait_group", stages - 2);
            k.bar();
            fill(k, filled, base, tid, left, right, next, depth);
            Reg stage = used.at(k, "stage", base, stageBytes());
            multiply(k, stage, aAt, bAt, sums, rowTiles, columnTiles);
            used.advance(k);
        });

        k.comment("the result");
        k.op("cp.async.wait_all");
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        k.shr(row, lane, 2);
        k.add(row, row, warpRow);
        k.add(row, row, firstRow);
        k.and(column, lane, 3);
        k.shl(column, column, 1);
        k.add(column, column, warpColumn);
        k.add(column, column, firstColumn);
        for (int i = 0; i < rowTiles; i++) {
            Reg[] values = Arrays.copyOfRange(sums, i * columnTiles * 4, (i + 1) * columnTiles * 4);
            result.store(k, row, column, values);
            k.add(row, row, 16);
        }
    }

    /// Sets a stage's copies out; what lies outside of a matrix arrives as zeros.
    private void fill(PtxKernel k, Ring ring, Reg base, Reg tid, Side left, Side right, Reg next, Reg depth) {
        Reg stage = ring.at(k, "fill_at", base, stageBytes());
        fill(k, stage, tid, left, m, next, depth);
        k.add(stage, stage, m * ROW);
        fill(k, stage, tid, right, n, next, depth);
        k.op("cp.async.commit_group");
        k.add(next, next, K);
        ring.advance(k);
    }

    private void fill(PtxKernel k, Reg stage, Reg tid, Side operand, int rows, Reg next, Reg depth) {
        Reg piece = k.reg(Type.U32, "piece");
        Reg row = k.reg(Type.U32, "row_in_tile");
        Reg place = k.reg(Type.U32, "place");
        Reg turn = k.reg(Type.U32, "turn");
        Reg source = k.reg(Type.U32, "source_row");
        Reg last = k.reg(Type.U32, "last_row");
        Reg from = k.reg(Type.U64, "from");
        Reg wide = k.reg(Type.U64, "wide");
        Reg bytes = k.reg(Type.S32, "bytes");
        Reg first = k.reg(Type.U32, "first_k");
        k.sub(last, operand.rows, 1);
        for (int i = 0; i < rows * PIECES / threads(); i++) {
            k.add(row, tid, i * threads());
            k.and(piece, row, PIECES - 1);
            k.shr(row, row, 2);
            k.shr(turn, row, 1);
            k.and(turn, turn, PIECES - 1);
            k.xor(turn, turn, piece);
            k.shl(turn, turn, 4);
            k.mad(place, row, ROW, turn);
            k.add(place, place, stage);
            k.add(source, operand.first, row);
            k.mad(first, piece, PIECE / Product.BYTES, next);
            k.op("sub.s32", bytes, depth, first);
            k.shl(bytes, bytes, 1);
            k.min(bytes, bytes, PIECE);
            k.max(bytes, bytes, 0);
            Reg isOutside = k.compare(Compare.GT, source, last);
            k.onlyIf(isOutside, () -> k.mov(bytes, 0));
            k.min(source, source, last);
            k.op("cvt.u64.u32", wide, source);
            k.mad(from, wide, operand.rowBytes, operand.base);
            k.madWide(from, first, Product.BYTES, from);
            k.op("cp.async.cg.shared.global", place.at(0), from.at(0), PIECE, bytes);
        }
    }

    /// @param tile the first row of the warp's part
    /// @param rowMask which bits of the lane are the row within a matrix, or within two
    /// @param pieceBit the bit of the lane that says which piece
    /// @param isDouble whether the lane's highest bit means eight rows further on
    /// @return where a lane's row begins that `ldmatrix` reads, for the first 16 of `k`
    private static Reg fragment(
            PtxKernel k, String name, Reg tile, Reg lane, int rowMask, int pieceBit, boolean isDouble) {
        Reg at = k.reg(Type.U32, name);
        Reg row = k.reg(Type.U32, name + "_row");
        Reg piece = k.reg(Type.U32, name + "_piece");
        k.and(row, lane, rowMask);
        if (isDouble) {
            Reg high = k.reg(Type.U32, name + "_high");
            k.shr(high, lane, 4);
            k.shl(high, high, 3);
            k.add(row, row, high);
        }
        k.shr(piece, lane, pieceBit);
        k.and(piece, piece, 1);
        Reg turn = k.reg(Type.U32, name + "_turn");
        k.shr(turn, row, 1);
        k.and(turn, turn, PIECES - 1);
        k.xor(piece, piece, turn);
        k.shl(piece, piece, 4);
        k.add(row, row, tile);
        k.mad(at, row, ROW, piece);
        return at;
    }

    private void multiply(PtxKernel k, Reg stage, Reg aAt, Reg bAt, Reg[] sums, int rowTiles, int columnTiles) {
        Reg at = k.reg(Type.U32, "fragment_at");
        Reg[][] left = new Reg[rowTiles][];
        Reg[] right = k.regs(Type.B32, "b", columnTiles * 2);
        for (int i = 0; i < rowTiles; i++) {
            left[i] = k.regs(Type.B32, "a" + i, 4);
        }
        for (int half = 0; half < K / 16; half++) {
            int turned = half * 2 * PIECE;
            for (int i = 0; i < rowTiles; i++) {
                k.xor(at, aAt, turned);
                k.add(at, at, stage);
                k.op("ldmatrix.sync.aligned.m8n8.x4.shared.b16", vec((Object[]) left[i]), at.at(16L * i * ROW));
            }
            for (int j = 0; j < columnTiles; j += 2) {
                k.xor(at, bAt, turned);
                k.add(at, at, stage);
                k.op(
                        "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                        vec(right[2 * j], right[2 * j + 1], right[2 * j + 2], right[2 * j + 3]),
                        at.at(8L * j * ROW));
            }
            for (int i = 0; i < rowTiles; i++) {
                for (int j = 0; j < columnTiles; j++) {
                    int s = (i * columnTiles + j) * 4;
                    k.op(
                            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                            vec(sums[s], sums[s + 1], sums[s + 2], sums[s + 3]),
                            vec((Object[]) left[i]),
                            vec(right[2 * j], right[2 * j + 1]),
                            vec(sums[s], sums[s + 1], sums[s + 2], sums[s + 3]));
                }
            }
        }
    }
}
