package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.GpuFacts;
import dev.wok.device.Launch;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Ring;
import java.util.List;
import java.util.stream.Stream;

/// An [ExpertProduct] of bf16 by `mma.sync`, for every chip from sm_80 on. Operands' rows begin at multiples of 16
/// bytes.
///
/// Threads copy the next stages' tiles into shared memory ([GroupedCopies]) while the warps multiply the present one.
/// Each sum is over 16 of the depth after the other, whatever the tile is.
///
/// @param m rows of a block's tile
/// @param warpsM warps along the rows
/// @param stages of the ring in shared memory
/// @param topK slots of a token
/// @param out how results are written
record GroupedMma(ExpertProduct what, int m, int warpsM, int stages, int topK, Elements out) implements GroupedKernel {
    private static final int N = 128;
    private static final int K = GroupedCopies.K;
    private static final int ROW = GroupedCopies.ROW;
    private static final int PIECE = GroupedCopies.PIECE;
    private static final int SWIZZLE = GroupedCopies.SWIZZLE;

    /// Columns of a warp: a dot's parts are of so many.
    static final int WARP_COLUMNS = 32;

    private static final int WARPS_N = N / WARP_COLUMNS;

    /// Threads of a multiprocessor that find registers.
    private static final int MOST_THREADS = 512;

    /// The part of all multiplications that warps get.
    private static final double EFFICIENCY = 0.7;

    static List<GroupedMma> candidates(GpuFacts chip, ExpertProduct what, int topK, Elements out) {
        Stream<GroupedMma> small = what.isGradient()
                ? Stream.of()
                : Stream.of(
                        new GroupedMma(what, 16, 1, 4, topK, out),
                        new GroupedMma(what, 16, 1, 5, topK, out),
                        new GroupedMma(what, 32, 1, 4, topK, out));
        Stream<GroupedMma> large = Stream.of(
                new GroupedMma(what, 64, 1, 3, topK, out),
                new GroupedMma(what, 64, 1, 4, topK, out),
                new GroupedMma(what, 128, 2, 3, topK, out),
                new GroupedMma(what, 128, 2, 4, topK, out));
        return Stream.concat(small, large)
                .filter(kernel -> kernel.sharedBytes() <= chip.sharedBytes())
                .toList();
    }

    private int sharedBytes() {
        return stages * stageBytes();
    }

    @Override
    public double cost(GpuFacts chip, GroupedArguments.Problem problem) {
        int blocks = Math.max(1, Math.min(chip.sharedBytes() / sharedBytes(), MOST_THREADS / threads()));
        int inFlight = (stages - 2) * stageBytes();
        return new Load(Rates.SM_80, m, N, columns(), blocks, inFlight, EFFICIENCY).clocks(chip, problem);
    }

    private int threads() {
        return Sums.LANES * warpsM * WARPS_N;
    }

    private int stageBytes() {
        return (m + N) * ROW;
    }

    /// @return how many columns of the result a tile has
    private int columns() {
        return what == ExpertProduct.GATE_UP ? N / 2 : N;
    }

    @Override
    public void launch(Programs programs, GroupedArguments.Problem problem) {
        Launch launch =
                Launch.of(GroupedBlock.blocks(problem, m, columns()), threads()).withShared(sharedBytes());
        problem.launch(programs.gpu().stream(), programs.get(this, "grouped_mma", this::write), launch);
    }

    @Override
    public void write(PtxKernel k) {
        k.maxThreads(threads());
        GroupedArguments a = GroupedArguments.of(k);
        Symbol tiles = k.dynamicShared("tiles", ROW);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg base = k.reg(Type.U32, "tiles_at");
        k.mov(base, tiles);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        GroupedBlock block = GroupedBlock.find(k, what, a, m, columns(), lane);
        Reg depth = block.depth(k, what, a);
        Reg steps = k.reg(Type.U32, "steps");
        k.add(steps, depth, K - 1);
        k.shr(steps, steps, 6);
        GroupedCopies copies =
                new GroupedCopies(k, new GroupedCopies.Tile(what, m, N, threads(), topK), a, block, depth, tid);

        k.comment("the first stages set out");
        Ring filled = Ring.of(k, "filled", stages);
        for (int i = 0; i < stages - 1; i++) {
            fill(k, copies, filled, base);
        }

        k.comment("where this warp's fragments lie in a stage");
        Reg warpRow = k.reg(Type.U32, "warp_row");
        Reg warpColumn = k.reg(Type.U32, "warp_column");
        k.div(warpRow, warp, WARPS_N);
        k.mul(warpRow, warpRow, m / warpsM);
        k.and(warpColumn, warp, WARPS_N - 1);
        k.mul(warpColumn, warpColumn, WARP_COLUMNS);
        Fragments left = what.isGradient() ? across(k, "a", warpRow, lane, 16, 8) : along(k, "a", warpRow, lane, 8, 16);
        Fragments right =
                what.isRightAcross() ? across(k, "b", warpColumn, lane, 8, 16) : along(k, "b", warpColumn, lane, 16, 8);
        k.add(right.base, right.base, m * ROW);
        int rowTiles = m / warpsM / 16;
        int columnTiles = WARP_COLUMNS / 8;
        Reg[] sums = k.regs(Type.F32, "sum", rowTiles * columnTiles * 4);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }

        Ring used = Ring.of(k, "used", stages);
        k.loop("step", 0, steps, 1, _ -> {
            k.comment("this stage has come, and everybody is through with the one that is filled now");
            k.op("cp.async.wait_group", stages - 2);
            k.bar();
            fill(k, copies, filled, base);
            Reg stage = used.at(k, "stage", base, stageBytes());
            multiply(k, stage, left, right, sums, rowTiles, columnTiles);
            used.advance(k);
        });
        k.op("cp.async.wait_all");
        store(k, new GroupedResult(k, what, a, block, out, WARP_COLUMNS), block, warpRow, warpColumn, lane, sums);
    }

    private void fill(PtxKernel k, GroupedCopies copies, Ring ring, Reg base) {
        Reg stage = ring.at(k, "fill_at", base, stageBytes());
        copies.left(stage);
        k.add(stage, stage, m * ROW);
        copies.right(stage);
        k.op("cp.async.commit_group");
        copies.advance();
        ring.advance(k);
    }

    private void store(
            PtxKernel k, GroupedResult result, GroupedBlock block, Reg warpRow, Reg warpColumn, Reg lane, Reg[] sums) {
        k.comment("the result");
        int perRow = WARP_COLUMNS / 8 * 4;
        Reg first = k.reg(Type.U32, "warp_first_column");
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        Reg c = k.reg(Type.U32, "column_of_pair");
        if (what == ExpertProduct.GATE_UP) {
            k.shr(warpColumn, warpColumn, 1);
        }
        k.add(first, block.firstColumn(), warpColumn);
        k.shr(row, lane, 2);
        k.add(row, row, warpRow);
        k.add(row, row, block.firstRow());
        k.and(column, lane, 3);
        k.shl(column, column, 1);
        k.add(column, column, first);
        for (int half = 0; half < sums.length / perRow * 2; half++) {
            int from = half / 2 * perRow + half % 2 * 2;
            result.row(row, first, 4, lane, () -> {
                for (int i = 0; i < perRow; i += what == ExpertProduct.GATE_UP ? 8 : 4) {
                    Reg[] pair = {sums[from + i], sums[from + i + 1]};
                    if (what == ExpertProduct.GATE_UP) {
                        k.add(c, column, i);
                        result.put(c, pair, new Reg[] {sums[from + i + 4], sums[from + i + 5]});
                    } else {
                        k.add(c, column, 2 * i);
                        result.put(c, pair);
                    }
                }
            });
            k.add(row, row, 8);
        }
    }

    /// Where a lane's rows begin that `ldmatrix` reads.
    ///
    /// @param base of the first 16 of the depth
    /// @param isAcross whether they are to be turned over
    private record Fragments(Reg base, boolean isAcross) {
        /// @param half which 16 of the depth
        /// @param tile which 16 rows or columns of the warp
        void load(PtxKernel k, Reg stage, int half, int tile, Object to) {
            Reg at = k.reg(Type.U32, "fragment_at");
            int turned = isAcross ? tile : half;
            int straight = isAcross ? half : tile;
            k.xor(at, base, turned * 2 * PIECE);
            k.add(at, at, stage);
            k.op(
                    "ldmatrix.sync.aligned.m8n8.x4%s.shared.b16".formatted(isAcross ? ".trans" : ""),
                    to,
                    at.at((long) straight * 16 * ROW));
        }
    }

    /// @param rowBit the bit of the lane that says which eight rows
    /// @param pieceBit the bit that says which piece
    private static Fragments along(PtxKernel k, String name, Reg first, Reg lane, int rowBit, int pieceBit) {
        Reg row = k.reg(Type.U32, name + "_row");
        Reg piece = bit(k, name + "_piece", lane, pieceBit);
        Reg high = bit(k, name + "_high", lane, rowBit);
        k.and(row, lane, SWIZZLE - 1);
        Reg at = k.reg(Type.U32, name + "_at");
        k.xor(piece, piece, row);
        k.shl(piece, piece, 4);
        k.mad(row, high, SWIZZLE, row);
        k.add(row, row, first);
        k.mad(at, row, ROW, piece);
        return new Fragments(at, false);
    }

    /// @param stepBit the bit of the lane that says which eight steps of the depth
    /// @param pieceBit the bit that says which piece
    private static Fragments across(PtxKernel k, String name, Reg first, Reg lane, int stepBit, int pieceBit) {
        Reg step = k.reg(Type.U32, name + "_step");
        Reg high = bit(k, name + "_high", lane, stepBit);
        Reg piece = bit(k, name + "_piece", lane, pieceBit);
        Reg at = k.reg(Type.U32, name + "_at");
        Reg begin = k.reg(Type.U32, name + "_begin");
        k.shr(begin, first, 3);
        k.and(begin, begin, SWIZZLE - 1);
        k.add(piece, piece, begin);
        k.and(step, lane, SWIZZLE - 1);
        k.xor(piece, piece, step);
        k.shl(piece, piece, 4);
        k.mad(step, high, SWIZZLE, step);
        k.mad(at, step, ROW, piece);
        k.shr(begin, first, 6);
        k.mad(at, begin, K * ROW, at);
        return new Fragments(at, true);
    }

    /// @param bit 8 or 16
    /// @return that bit of the lane, as 0 or 1
    private static Reg bit(PtxKernel k, String name, Reg lane, int bit) {
        Reg value = k.reg(Type.U32, name);
        k.shr(value, lane, Integer.numberOfTrailingZeros(bit));
        k.and(value, value, 1);
        return value;
    }

    private static void multiply(
            PtxKernel k, Reg stage, Fragments left, Fragments right, Reg[] sums, int rowTiles, int columnTiles) {
        Reg[][] a = new Reg[rowTiles][];
        Reg[] b = k.regs(Type.B32, "b", columnTiles * 2);
        for (int i = 0; i < rowTiles; i++) {
            a[i] = k.regs(Type.B32, "a" + i, 4);
        }
        for (int half = 0; half < K / 16; half++) {
            for (int i = 0; i < rowTiles; i++) {
                left.load(k, stage, half, i, vec((Object[]) a[i]));
            }
            for (int j = 0; j < columnTiles; j += 2) {
                right.load(k, stage, half, j / 2, vec(b[2 * j], b[2 * j + 1], b[2 * j + 2], b[2 * j + 3]));
            }
            for (int i = 0; i < rowTiles; i++) {
                for (int j = 0; j < columnTiles; j++) {
                    int s = (i * columnTiles + j) * 4;
                    k.op(
                            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                            vec(sums[s], sums[s + 1], sums[s + 2], sums[s + 3]),
                            vec((Object[]) a[i]),
                            vec(b[2 * j], b[2 * j + 1]),
                            vec(sums[s], sums[s + 1], sums[s + 2], sums[s + 3]));
                }
            }
        }
    }
}
