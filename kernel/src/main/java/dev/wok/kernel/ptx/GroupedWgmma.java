package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.GpuFacts;
import dev.wok.device.Launch;
import dev.wok.device.TensorMap;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// An [ExpertProduct] of bf16 by `wgmma`, for sm_90a.
///
/// Four warps fill a ring of stages: weights come by the copy engine, rows by [GroupedCopies], since they may be
/// gathered and an expert's may end anywhere. Groups of four warps multiply what has come, 64 rows each, straight from
/// shared memory; operands that lie across the depth are turned over by `wgmma` itself. Two mbarriers for each stage
/// hand it over. A block takes one tile after the other: the copies for the next run ahead while the present one is
/// written. Each sum is over 16 of the depth after the other, whatever the tile is.
///
/// @param n columns of a block's tile
/// @param groups of four warps that multiply
/// @param blocks that a multiprocessor has at a time
/// @param topK slots of a token
/// @param out how results are written
record GroupedWgmma(ExpertProduct what, int n, int groups, int stages, int blocks, int topK, Elements out)
        implements GroupedKernel {
    private static final int K = GroupedCopies.K;
    private static final int ROW = TileDescriptor.ROW;
    private static final int GROUP_ROWS = 64;
    private static final int GROUP = 128;
    private static final int WARPS = 4;

    /// 64 rows along the depth, or 64 columns across it.
    private static final int PART_BYTES = 64 * ROW;

    /// Copied stages that are on their way before one is awaited.
    private static final int LAG = 2;

    private static final int MULTIPROCESSOR_REGISTERS = 1 << 16;
    private static final int MOST_REGISTERS = 232;

    static List<GroupedWgmma> candidates(GpuFacts chip, ExpertProduct what, int topK, Elements out) {
        return Stream.of(
                        new GroupedWgmma(what, 64, 1, 6, 2, topK, out),
                        new GroupedWgmma(what, 128, 1, 4, 2, topK, out),
                        new GroupedWgmma(what, 128, 2, 6, 1, topK, out),
                        new GroupedWgmma(what, 256, 2, 4, 1, topK, out))
                .filter(kernel -> kernel.sharedBytes() <= chip.sharedBytes())
                .toList();
    }

    @Override
    public double cost(GpuFacts chip, GroupedArguments.Problem problem) {
        // Of narrow tiles the left operand comes from shared memory more often than the tensor cores can wait for.
        double efficiency = n >= 128 ? 0.85 : n / 150.0;
        int inFlight = (stages - 1) * stageBytes();
        return new Load(Rates.SM_90, m(), n, columns(), blocks, inFlight, efficiency).clocks(chip, problem);
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

    /// @return how many columns of the result a tile has
    private int columns() {
        return what == ExpertProduct.GATE_UP ? n / 2 : n;
    }

    /// Registers of a thread that copies.
    private int fewRegisters() {
        return what.isGradient() ? 104 : 64;
    }

    /// Registers of a thread that multiplies: what the others leave.
    private int manyRegisters() {
        int each = MULTIPROCESSOR_REGISTERS / blocks / threads() / 8 * 8;
        return Math.min(MOST_REGISTERS, (each * threads() - fewRegisters() * GROUP) / (groups * GROUP) / 8 * 8);
    }

    private int sharedBytes() {
        return barriersAt() + 2 * stages * Long.BYTES;
    }

    @Override
    public void launch(Programs programs, GroupedArguments.Problem problem) {
        launch(programs, problem, programs.gpu().facts().multiprocessors() * blocks);
    }

    /// @param most blocks at a time
    void launch(Programs programs, GroupedArguments.Problem problem, int most) {
        int tiles = GroupedBlock.blocks(problem, m(), columns());
        Launch launch = Launch.of(Math.min(tiles, most), threads()).withShared(sharedBytes());
        Object[] more = what.isGradient() ? new Object[] {tiles} : new Object[] {tiles, map(problem.right())};
        problem.launch(programs.gpu().stream(), programs.get(this, "grouped_wgmma", this::write), launch, more);
    }

    /// @param weight `[experts, width, depth]`, or `[experts, depth, width]` where it lies across
    /// @return how the copy engine brings it
    private TensorMap map(Tensor weight) {
        int rows = what.isRightAcross() ? K : Math.min(n, columns());
        return TensorMap.of(weight, 1, rows, K).withSwizzle(TensorMap.Swizzle.B128);
    }

    /// What both kinds of warps share.
    ///
    /// @param base of the stages
    /// @param full the first of the barriers that say that a stage has come
    /// @param empty the first of those that say that it was read
    private record Stages(Reg base, Reg full, Reg empty) {}

    @Override
    public void write(PtxKernel k) {
        k.maxThreads(threads()).minBlocks(blocks);
        GroupedArguments a = GroupedArguments.of(k);
        Reg tilesEnd = k.param("tiles_end", Type.U32);
        Reg weight = what.isGradient() ? null : k.tensorMap("weight");
        Symbol tiles = k.dynamicShared("tiles", TileDescriptor.EIGHT_ROWS);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        k.and(lane, tid, Sums.LANES - 1);
        Stages ring = new Stages(k.reg(Type.U32, "tiles_at", tiles), k.reg(Type.U32, "full"), k.reg(Type.U32, "empty"));
        k.add(ring.full, ring.base, barriersAt());
        k.add(ring.empty, ring.full, stages * Long.BYTES);
        k.comment("one thread makes the barriers");
        Reg isFirst = k.compare(Compare.EQ, tid, 0);
        k.when(isFirst, () -> {
            for (int i = 0; i < stages; i++) {
                int arrivals = what.isGradient() ? GROUP : GROUP + 1;
                Barrier.init(k, ring.full.at((long) i * Long.BYTES), arrivals);
                Barrier.init(k, ring.empty.at((long) i * Long.BYTES), groups * WARPS);
            }
            if (!what.isGradient()) {
                k.comment("the copy engine sees them too");
                Barrier.showNew(k);
                k.op("fence.proxy.async");
            }
        });
        k.bar();
        k.when(
                k.compare(Compare.LT, tid, GROUP),
                () -> {
                    k.op("setmaxnreg.dec.sync.aligned.u32", fewRegisters());
                    copy(k, a, weight, tilesEnd, ring, tid, lane, isFirst);
                },
                () -> {
                    k.op("setmaxnreg.inc.sync.aligned.u32", manyRegisters());
                    multiply(k, a, tilesEnd, ring, tid, lane);
                });
    }

    /// Takes a tile of the result.
    private interface TileBody {
        /// @param depth that its sums go over
        /// @param steps stages of it
        void at(GroupedBlock block, Reg depth, Reg steps);
    }

    /// Goes through the block's tiles.
    private void eachTile(PtxKernel k, GroupedArguments a, Reg tilesEnd, Reg lane, TileBody body) {
        Reg first = k.reg(Type.U32, "first_tile", Special.CTAID_X);
        Reg stride = k.reg(Type.U32, "tile_stride", Special.NCTAID_X);
        k.loop("tile_id", first, tilesEnd, stride, id -> {
            GroupedBlock block = GroupedBlock.next(k, what, a, m(), columns(), lane, id);
            Reg depth = block.depth(k, what, a);
            Reg steps = k.reg(Type.U32, "steps");
            k.add(steps, depth, K - 1);
            k.shr(steps, steps, 6);
            body.at(block, depth, steps);
        });
    }

    private void copy(
            PtxKernel k,
            GroupedArguments a,
            @Nullable Reg weight,
            Reg tilesEnd,
            Stages shared,
            Reg tid,
            Reg lane,
            Reg isFirst) {
        k.comment("the copying warps");
        GroupedCopies.Tile tile = new GroupedCopies.Tile(what, m(), what.isGradient() ? n : 0, GROUP, topK);
        Ring ring = Ring.of(k, "copy", stages);
        Ring landed = Ring.of(k, "landed", stages);
        Reg parity = k.reg(Type.U32, "empty_parity");
        Reg onTheirWay = k.reg(Type.U32, "on_their_way", 0);
        eachTile(k, a, tilesEnd, lane, (block, depth, steps) -> {
            GroupedCopies copies = new GroupedCopies(k, tile, a, block, depth, tid);
            Reg at = k.reg(Type.U32, "k_at", 0);
            k.loop("copy_step", 0, steps, 1, _ -> {
                k.xor(parity, ring.phase(), 1);
                Barrier.await(
                        k, ring.at(k, "empty_at", shared.empty, Long.BYTES).at(0), parity);
                k.comment("lanes that waited go on together");
                k.barWarp();
                Reg full = ring.at(k, "full_at", shared.full, Long.BYTES);
                Reg stage = ring.at(k, "copy_to", shared.base, stageBytes());
                copies.left(stage);
                k.add(stage, stage, m() * ROW);
                copies.right(stage);
                k.op("cp.async.commit_group");
                copies.advance();
                if (weight != null) {
                    k.when(isFirst, () -> copyWeight(k, a, weight, block, stage, at, full));
                }
                k.add(at, at, K);
                Reg isOldest = k.compare(Compare.EQ, onTheirWay, LAG);
                k.when(isOldest, () -> {
                    k.op("cp.async.wait_group", LAG);
                    handOver(k, shared, landed);
                });
                k.onlyIf(isOldest.not(), () -> k.add(onTheirWay, onTheirWay, 1));
                ring.advance(k);
            });
        });
        k.comment("the last stages");
        k.op("cp.async.wait_group", 0);
        k.loop("last", 0, onTheirWay, 1, _ -> handOver(k, shared, landed));
    }

    /// Says that a stage's rows have come, and lets `wgmma` see them.
    private static void handOver(PtxKernel k, Stages shared, Ring landed) {
        k.op("fence.proxy.async");
        Barrier.arrive(k, landed.at(k, "landed_at", shared.full, Long.BYTES).at(0));
        landed.advance(k);
    }

    private void copyWeight(
            PtxKernel k, GroupedArguments a, Reg weight, GroupedBlock block, Reg stage, Reg depth, Reg full) {
        Barrier.arriveAndExpect(k, full.at(0), n * ROW);
        Reg to = k.reg(Type.U32, "weight_to", stage);
        Reg column = k.reg(Type.U32, "weight_column", block.firstColumn());
        if (what.isRightAcross()) {
            for (int i = 0; i < n / K; i++) {
                copyBox(k, to, weight, column, depth, block.expert(), full);
                k.add(to, to, PART_BYTES);
                k.add(column, column, K);
            }
            return;
        }
        copyBox(k, to, weight, depth, column, block.expert(), full);
        if (what == ExpertProduct.GATE_UP) {
            k.add(to, to, columns() * ROW);
            k.add(column, column, a.width());
            copyBox(k, to, weight, depth, column, block.expert(), full);
        }
    }

    private static void copyBox(PtxKernel k, Reg to, Reg map, Reg inner, Reg row, Reg expert, Reg barrier) {
        k.op(
                "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes",
                to.at(0),
                tensor(map, inner, row, expert),
                barrier.at(0));
    }

    private void multiply(PtxKernel k, GroupedArguments a, Reg tilesEnd, Stages shared, Reg tid, Reg lane) {
        k.comment("the multiplying warps: 64 rows for each group");
        Reg group = k.reg(Type.U32, "group");
        Reg warp = k.reg(Type.U32, "warp");
        k.sub(group, tid, GROUP);
        k.shr(warp, group, 5);
        k.and(warp, warp, WARPS - 1);
        k.shr(group, group, 7);
        Reg[] sums = k.regs(Type.F32, "sum", n / 2);
        Reg groupRows = k.reg(Type.U32, "group_at");
        k.mad(groupRows, group, PART_BYTES, shared.base);
        Reg isFirstLane = k.compare(Compare.EQ, lane, 0);
        Ring ring = Ring.of(k, "use", stages);
        eachTile(k, a, tilesEnd, lane, (block, _, steps) -> {
            multiply(k, ring, shared, steps, groupRows, isFirstLane, sums);
            store(k, a, block, group, warp, lane, sums);
        });
    }

    private void multiply(
            PtxKernel k, Ring ring, Stages shared, Reg steps, Reg groupRows, Reg isFirstLane, Reg[] sums) {
        for (Reg sum : sums) {
            k.mov(sum, 0f);
        }
        Reg one = k.reg(Type.PRED, "adds");
        k.setp(Compare.EQ, one, 0, 0);
        Reg before = k.reg(Type.U32, "empty_before", 0);
        boolean isLeftAcross = what.isGradient();
        boolean isRightAcross = what.isRightAcross();
        k.loop("step", 0, steps, 1, step -> {
            Barrier.await(k, ring.at(k, "use_full_at", shared.full, Long.BYTES).at(0), ring.phase());
            Reg left = TileDescriptor.of(k, "a_tile", ring.at(k, "a_tile_at", groupRows, stageBytes()), PART_BYTES);
            Reg rightAt = ring.at(k, "b_tile_at", shared.base, stageBytes());
            k.add(rightAt, rightAt, m() * ROW);
            Reg right = TileDescriptor.of(k, "b_tile", rightAt, PART_BYTES);
            k.op("wgmma.fence.sync.aligned");
            for (int i = 0; i < K / 16; i++) {
                k.op(
                        "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(n),
                        vec((Object[]) sums),
                        left,
                        right,
                        one,
                        1,
                        1,
                        isLeftAcross ? 1 : 0,
                        isRightAcross ? 1 : 0);
                k.add(left, left, sixteen(isLeftAcross));
                k.add(right, right, sixteen(isRightAcross));
            }
            k.op("wgmma.commit_group.sync.aligned");
            k.comment("the stage before this one is free");
            k.op("wgmma.wait_group.sync.aligned", 1);
            Reg isLater = k.compare(Compare.GT, step, 0);
            k.op("and.pred", isLater, isLater, isFirstLane);
            k.when(isLater, () -> Barrier.arrive(k, before.at(0)));
            k.mad(before, ring.slot(), Long.BYTES, shared.empty);
            ring.advance(k);
        });
        k.op("wgmma.wait_group.sync.aligned", 0);
        k.when(isFirstLane, () -> Barrier.arrive(k, before.at(0)));
    }

    /// @return how far 16 of the depth are from the next 16, as descriptors count
    private static long sixteen(boolean isAcross) {
        return (isAcross ? 16 * ROW : 16 * Rounding.BYTES) >> 4;
    }

    private void store(PtxKernel k, GroupedArguments a, GroupedBlock block, Reg group, Reg warp, Reg lane, Reg[] sums) {
        k.comment("the result");
        GroupedResult result = new GroupedResult(k, what, a, block, out, GroupedMma.WARP_COLUMNS);
        Reg row = k.reg(Type.U32, "row");
        Reg first = k.reg(Type.U32, "part_column");
        Reg column = k.reg(Type.U32, "column");
        Reg c = k.reg(Type.U32, "column_of_pair");
        k.shr(row, lane, 2);
        k.mad(row, warp, 16, row);
        k.mad(row, group, GROUP_ROWS, row);
        k.add(row, row, block.firstRow());
        k.and(column, lane, 3);
        k.shl(column, column, 1);
        int up = sums.length / 2;
        for (int half = 0; half < 2; half++) {
            for (int part = 0; part < columns(); part += GroupedMma.WARP_COLUMNS) {
                int from = part;
                int pair = 2 * half;
                k.add(first, block.firstColumn(), part);
                result.row(row, first, 4, lane, () -> {
                    for (int i = from; i < from + GroupedMma.WARP_COLUMNS; i += 8) {
                        int s = i / 2 + pair;
                        k.add(c, column, block.firstColumn());
                        k.add(c, c, i);
                        if (what == ExpertProduct.GATE_UP) {
                            result.put(c, pair(sums, s), pair(sums, s + up));
                        } else {
                            result.put(c, pair(sums, s));
                        }
                    }
                });
            }
            k.add(row, row, 8);
        }
    }

    private static Reg[] pair(Reg[] sums, int at) {
        return Arrays.copyOfRange(sums, at, at + 2);
    }
}
