package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.Launch;
import dev.wok.device.TensorMap;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Result;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.tensor.Tensor;

/// `c (+)= a * b^T` of bf16 by `wgmma`, for sm_90a.
///
/// One thread lets the copy engine fill a ring of stages (`cp.async.bulk.tensor`); groups of four warps multiply what
/// has
/// come, 64 rows each, straight from shared memory. Two mbarriers for each stage hand it over: full, when its bytes
/// have come, and empty, when every multiplying warp is through with it.
///
/// @param n columns of a block's tile
/// @param groups of four warps that multiply
record ProductSm90(int n, int groups, int stages, boolean accumulates) {
    static final int K = 64;
    private static final int GROUP_ROWS = 64;
    private static final int GROUP = 128;
    private static final int WARPS = 4;

    /// A row of a tile is as long as the swizzle's span.
    private static final int ROW = K * Product.BYTES;

    /// Eight rows, after which the swizzle repeats.
    private static final int EIGHT_ROWS = 8 * ROW;

    private static final int FEW_REGISTERS = 40;
    private static final int MANY_REGISTERS = 232;

    static ProductSm90 choose(int rows, int columns, boolean accumulates) {
        return rows <= GROUP_ROWS || columns <= 64
                ? new ProductSm90(64, 1, 4, accumulates)
                : new ProductSm90(128, 2, 4, accumulates);
    }

    private int m() {
        return groups * GROUP_ROWS;
    }

    private int threads() {
        return (groups + 1) * GROUP;
    }

    private int stageBytes() {
        return (m() + n) * ROW;
    }

    /// The barriers lie behind the stages: full ones, then empty ones.
    private int barriersAt() {
        return stages * stageBytes();
    }

    Launch launch(int rows, int columns) {
        return Launch.of(1, threads())
                .withGrid((rows + m() - 1) / m(), (columns + n - 1) / n, 1)
                .withShared(barriersAt() + 2 * stages * Long.BYTES);
    }

    /// @param operand `[rows, k]`, BF16, rows of adjacent numbers
    /// @return how the left operand is copied
    TensorMap left(Tensor operand) {
        return map(operand, m());
    }

    TensorMap right(Tensor operand) {
        return map(operand, n);
    }

    private static TensorMap map(Tensor operand, int rows) {
        return TensorMap.of(operand, rows, K).withSwizzle(TensorMap.Swizzle.B128);
    }

    void write(PtxKernel k) {
        k.maxThreads(threads()).minBlocks(1);
        Reg a = k.tensorMap("a");
        Reg b = k.tensorMap("b");
        Result result = Result.of(k, accumulates);
        Reg depth = k.param("k", Type.U32);
        Symbol tiles = k.dynamicShared("tiles", EIGHT_ROWS);
        Reg base = k.reg(Type.U32, "tiles_at");
        Reg full = k.reg(Type.U32, "full");
        Reg empty = k.reg(Type.U32, "empty");
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg firstRow = k.reg(Type.U32, "first_row", Special.CTAID_X);
        Reg firstColumn = k.reg(Type.U32, "first_column", Special.CTAID_Y);
        Reg steps = k.reg(Type.U32, "steps");
        k.mov(base, tiles);
        k.add(full, base, barriersAt());
        k.add(empty, full, stages * Long.BYTES);
        k.mul(firstRow, firstRow, m());
        k.mul(firstColumn, firstColumn, n);
        k.add(steps, depth, K - 1);
        k.shr(steps, steps, 6);

        k.comment("one thread makes the barriers");
        Reg isFirst = k.compare(Compare.EQ, tid, 0);
        k.when(isFirst, () -> {
            for (int i = 0; i < stages; i++) {
                k.op("mbarrier.init.shared::cta.b64", full.at((long) i * Long.BYTES), 1);
                k.op("mbarrier.init.shared::cta.b64", empty.at((long) i * Long.BYTES), groups * WARPS);
            }
            k.op("fence.mbarrier_init.release.cluster");
            k.op("fence.proxy.async");
        });
        k.bar();
        Reg copies = k.compare(Compare.LT, tid, GROUP);
        k.when(
                copies,
                () -> {
                    k.op("setmaxnreg.dec.sync.aligned.u32", FEW_REGISTERS);
                    k.when(isFirst, () -> copy(k, a, b, base, full, empty, firstRow, firstColumn, steps));
                },
                () -> {
                    k.op("setmaxnreg.inc.sync.aligned.u32", MANY_REGISTERS);
                    multiply(k, result, base, full, empty, tid, firstRow, firstColumn, steps);
                });
    }

    private static void await(PtxKernel k, Reg barrier, Reg parity) {
        k.repeatWhile(() -> {
            Reg isOver = k.reg(Type.PRED, "is_over");
            k.op("mbarrier.try_wait.parity.shared::cta.b64", isOver, barrier.at(0), parity);
            return isOver.not();
        });
    }

    private void copy(
            PtxKernel k, Reg a, Reg b, Reg base, Reg full, Reg empty, Reg firstRow, Reg firstColumn, Reg steps) {
        k.comment("the copying thread");
        Ring ring = Ring.of(k, "copy", stages);
        Reg parity = k.reg(Type.U32, "empty_parity");
        Reg at = k.reg(Type.U32, "k_at", 0);
        k.loop("copy_step", 0, steps, 1, _ -> {
            k.xor(parity, ring.phase(), 1);
            await(k, ring.at(k, "empty_at", empty, Long.BYTES), parity);
            Reg fullAt = ring.at(k, "full_at", full, Long.BYTES);
            Reg stage = ring.at(k, "copy_to", base, stageBytes());
            k.op("mbarrier.arrive.expect_tx.shared::cta.b64", Operand.NOWHERE, fullAt.at(0), stageBytes());
            copyTile(k, stage, a, at, firstRow, fullAt);
            k.add(stage, stage, m() * ROW);
            copyTile(k, stage, b, at, firstColumn, fullAt);
            k.add(at, at, K);
            ring.advance(k);
        });
    }

    private static void copyTile(PtxKernel k, Reg to, Reg map, Reg depth, Reg row, Reg barrier) {
        k.op(
                "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes",
                to.at(0),
                tensor(map, depth, row),
                barrier.at(0));
    }

    private void multiply(
            PtxKernel k,
            Result result,
            Reg base,
            Reg full,
            Reg empty,
            Reg tid,
            Reg firstRow,
            Reg firstColumn,
            Reg steps) {
        k.comment("the multiplying warps: 64 rows for each group");
        Reg group = k.reg(Type.U32, "group");
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        k.sub(group, tid, GROUP);
        k.shr(warp, group, 5);
        k.and(warp, warp, WARPS - 1);
        k.shr(group, group, 7);
        k.and(lane, tid, Sums.LANES - 1);
        Reg[] sums = k.regs(Type.F32, "sum", n / 2);
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        Reg groupRows = k.reg(Type.U32, "group_at");
        k.mad(groupRows, group, GROUP_ROWS * ROW, base);
        Reg isFirstLane = k.compare(Compare.EQ, lane, 0);
        Reg one = k.reg(Type.PRED, "adds");
        k.setp(Compare.EQ, one, 0, 0);
        Ring ring = Ring.of(k, "use", stages);
        Reg before = k.reg(Type.U32, "empty_before", 0);
        k.loop("step", 0, steps, 1, step -> {
            await(k, ring.at(k, "use_full_at", full, Long.BYTES), ring.phase());
            Reg left = descriptor(k, "a_tile", ring.at(k, "a_tile_at", groupRows, stageBytes()));
            Reg right = ring.at(k, "b_tile_at", base, stageBytes());
            k.add(right, right, m() * ROW);
            Reg rightTile = descriptor(k, "b_tile", right);
            k.op("wgmma.fence.sync.aligned");
            for (int i = 0; i < K / 16; i++) {
                k.op(
                        "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(n),
                        vec((Object[]) sums),
                        left,
                        rightTile,
                        one,
                        1,
                        1,
                        0,
                        0);
                k.add(left, left, 2);
                k.add(rightTile, rightTile, 2);
            }
            k.op("wgmma.commit_group.sync.aligned");
            k.comment("the stage before this one is free");
            k.op("wgmma.wait_group.sync.aligned", 1);
            Reg isLater = k.compare(Compare.GT, step, 0);
            k.op("and.pred", isLater, isLater, isFirstLane);
            k.when(isLater, () -> release(k, before));
            k.mad(before, ring.slot(), Long.BYTES, empty);
            ring.advance(k);
        });
        k.op("wgmma.wait_group.sync.aligned", 0);
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        k.comment("the result");
        k.shr(row, lane, 2);
        k.mad(row, warp, 16, row);
        k.mad(row, group, GROUP_ROWS, row);
        k.add(row, row, firstRow);
        k.and(column, lane, 3);
        k.shl(column, column, 1);
        k.add(column, column, firstColumn);
        result.store(k, row, column, sums);
    }

    private static void release(PtxKernel k, Reg barrier) {
        k.op("mbarrier.arrive.shared::cta.b64", Operand.NOWHERE, barrier.at(0));
    }

    /// @return the descriptor of a tile whose rows are 128 bytes, swizzled, eight rows after the other (PTX ISA, matrix
    ///     descriptor format)
    private static Reg descriptor(PtxKernel k, String name, Reg address) {
        Reg descriptor = k.reg(Type.U64, name);
        Reg low = k.reg(Type.U32, name + "_low");
        k.shr(low, address, 4);
        k.and(low, low, 0x3FFF);
        k.op("cvt.u64.u32", descriptor, low);
        k.or(descriptor, descriptor, 1L << 62 | (long) (EIGHT_ROWS >> 4) << 32 | 1L << 16);
        return descriptor;
    }
}
