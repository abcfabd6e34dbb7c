package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.device.TensorMap;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Space;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Factors;
import dev.wok.kernel.ptx.Product.Form;
import dev.wok.kernel.ptx.Product.Numbers;
import dev.wok.kernel.ptx.Product.Result;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.kernel.ptx.Product.Tiles;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Products in bf16 or E4M3 by `wgmma`, for sm_90a.
///
/// One thread lets the copy engine fill a ring of stages (`cp.async.bulk.tensor`); groups of four
/// warps multiply what has come, 64 rows each, straight from shared memory, in whichever orientation
/// it lies there. Two mbarriers for each stage hand it over: full, when its bytes have come, and
/// empty, when every multiplying warp is through with it. Blocks of a cluster have rows of tiles below
/// each other: each copies its own rows, and a part of the columns for all.
///
/// @param n columns of a block's tile
/// @param groups of four warps that multiply
/// @param depth of a stage, in 128 bytes of `k`
/// @param cluster blocks that share columns
/// @param isPersistent whether a block computes one tile after the other: the copies for the next run ahead while the
///     present one is written
record ProductSm90(Form form, int n, int groups, int depth, int stages, int cluster, boolean isPersistent)
        implements ProductKernel {
    /// A row of a tile is as long as the swizzle's span: along `k`, or along the result.
    private static final int ROW = TileDescriptor.ROW;

    /// Rows of a tile across `k`, and of the next one along the result.
    private static final int SPAN = 64;

    /// Bytes of a row along `k` that one instruction takes.
    private static final int STEP_BYTES = 32;

    private static final int GROUP_ROWS = 64;
    private static final int GROUP = 128;
    private static final int WARPS = 4;

    static List<ProductSm90> candidates(GpuFacts chip, Form form) {
        return (form.numbers().isScaled() ? scaled(form) : plain(form))
                .filter(kernel -> kernel.sharedBytes() <= chip.sharedBytes())
                .toList();
    }

    private static Stream<ProductSm90> plain(Form form) {
        Stream<ProductSm90> narrow = form.turnsB()
                ? Stream.of()
                : Stream.of(
                        new ProductSm90(form, 16, 1, 2, 10, 1, false), new ProductSm90(form, 32, 1, 2, 8, 1, false));
        Stream<ProductSm90> wide = Stream.of(
                new ProductSm90(form, 64, 1, 1, 8, 1, false),
                new ProductSm90(form, 128, 1, 1, 6, 1, true),
                new ProductSm90(form, 64, 2, 1, 6, 1, true),
                new ProductSm90(form, 128, 2, 1, 6, 1, true),
                new ProductSm90(form, 128, 2, 1, 6, 2, true),
                new ProductSm90(form, 192, 2, 1, 5, 1, true),
                new ProductSm90(form, 256, 2, 1, 4, 1, true),
                new ProductSm90(form, 256, 2, 1, 4, 2, true),
                new ProductSm90(form, 128, 3, 1, 5, 1, true));
        return Stream.concat(narrow, wide);
    }

    /// A stage is a group of `k`, and a tile no wider than one of columns.
    private static Stream<ProductSm90> scaled(Form form) {
        return Stream.of(
                new ProductSm90(form, 16, 1, 1, 16, 1, false),
                new ProductSm90(form, 32, 1, 1, 12, 1, false),
                new ProductSm90(form, 64, 1, 1, 8, 1, false),
                new ProductSm90(form, 128, 1, 1, 6, 1, true),
                new ProductSm90(form, 128, 2, 1, 6, 1, true),
                new ProductSm90(form, 128, 2, 1, 6, 2, true));
    }

    @Override
    public double cost(GpuFacts chip, int rows, int columns, int k) {
        long tiles = (long) Math.ceilDiv(rows, m() * cluster) * cluster * Math.ceilDiv(columns, n);
        long waves = Math.ceilDiv(tiles, chip.multiprocessors());
        double cached = (m() + (double) n / cluster) * form.numbers().bytes();
        // Of narrow tiles the left operand comes from shared memory more often than the tensor cores can wait for.
        double efficiency = (n >= 128 ? 0.85 : n / 150.0) * 2 / form.numbers().bytes();
        double inFlight = (double) (stages - 1) * stageBytes();
        double clocks = Rates.SM_90.clocks(waves, m(), n, k, inFlight, cached, efficiency);
        return Math.max(
                clocks,
                Rates.SM_90.clocksOfMemory(
                        chip.multiprocessors(), rows, columns, k, form.numbers().bytes()));
    }

    /// @return the numbers of `k` in a row of a tile
    private int span() {
        return ROW / form.numbers().bytes();
    }

    private int m() {
        return groups * GROUP_ROWS;
    }

    private int threads() {
        return (groups + 1) * GROUP;
    }

    private int leftBytes() {
        return depth * m() * ROW;
    }

    private int rightBytes() {
        return depth * n * ROW;
    }

    private int stageBytes() {
        return leftBytes() + rightBytes();
    }

    /// The barriers lie behind the stages: full ones, then empty ones.
    private int barriersAt() {
        return stages * stageBytes();
    }

    private int sharedBytes() {
        return barriersAt() + 2 * stages * Long.BYTES;
    }

    @Override
    public void launch(GpuStream stream, PtxFunction function, Product product, int multiprocessors) {
        long tiles = (long) Math.ceilDiv(product.m(), m() * cluster) * Math.ceilDiv(product.n(), n);
        long clusters = isPersistent ? Math.min(tiles, Math.max(1, multiprocessors / cluster)) : tiles;
        List<Object> arguments = new ArrayList<>(List.of(
                map(product.a(), form.turnsA(), m()),
                map(product.b(), form.turnsB(), n / cluster),
                product.c(),
                Elements.rowBytes(product.c()),
                product.m(),
                product.n(),
                product.k()));
        arguments.addAll(Factors.arguments(product));
        stream.launch(
                function,
                Launch.of(Math.toIntExact(clusters * cluster), threads())
                        .withCluster(cluster, 1, 1)
                        .withShared(sharedBytes()),
                arguments.toArray());
    }

    private TensorMap map(Tensor operand, boolean turns, int length) {
        return TensorMap.of(operand, turns ? SPAN : length, span())
                .withSwizzle(TensorMap.Swizzle.B128)
                .withPromotion(TensorMap.Promotion.B256);
    }

    @Override
    public String toString() {
        return "sm_90a %s %dx%dx%d, %d stages, %d groups, cluster %d%s"
                .formatted(form, m(), n, depth * span(), stages, groups, cluster, isPersistent ? ", persistent" : "");
    }

    /// The registers of the kernel's parts.
    ///
    /// @param tile where a block begins, in tiles of clusters
    /// @param step from one of its tiles to the next
    /// @param rank of the block in its cluster
    /// @param steps of each tile along `k`
    private record Parts(
            Result result,
            @Nullable Factors factors,
            Tiles tiles,
            Reg tile,
            Reg step,
            Reg rank,
            Reg base,
            Reg full,
            Reg empty,
            Reg steps) {}

    @Override
    public void write(PtxKernel k) {
        k.maxThreads(threads()).minBlocks(1);
        if (cluster > 1) {
            k.cluster(cluster, 1, 1);
        }
        Reg a = k.tensorMap("a");
        Reg b = k.tensorMap("b");
        Result result = Result.of(k, form);
        Reg all = k.param("k", Type.U32);
        Factors factors = form.numbers().isScaled() ? Factors.of(k) : null;
        Symbol memory = k.dynamicShared("stages", TileDescriptor.EIGHT_ROWS);
        Reg base = k.reg(Type.U32, "stages_at");
        Reg full = k.reg(Type.U32, "full");
        Reg empty = k.reg(Type.U32, "empty");
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg steps = k.reg(Type.U32, "steps");
        k.mov(base, memory);
        k.add(full, base, barriersAt());
        k.add(empty, full, stages * Long.BYTES);
        k.add(steps, all, depth * span() - 1);
        k.div(steps, steps, depth * span());
        Parts parts = new Parts(
                result,
                factors,
                Tiles.of(k, result, m() * cluster, n),
                k.reg(Type.U32, "first_tile", cluster > 1 ? Special.CLUSTERID_X : Special.CTAID_X),
                k.reg(Type.U32, "tile_step", cluster > 1 ? Special.NCLUSTERID_X : Special.NCTAID_X),
                cluster > 1 ? k.reg(Type.U32, "rank", Special.CLUSTER_CTARANK) : k.reg(Type.U32, "rank", 0),
                base,
                full,
                empty,
                steps);

        k.comment("one thread makes the barriers");
        Reg isFirst = k.compare(Compare.EQ, tid, 0);
        k.when(isFirst, () -> {
            for (int i = 0; i < stages; i++) {
                Barrier.init(k, full.at((long) i * Long.BYTES), 1);
                Barrier.init(k, empty.at((long) i * Long.BYTES), groups * WARPS * cluster);
            }
            Barrier.showNew(k);
            k.op("fence.proxy.async");
        });
        together(k);
        Reg copies = k.compare(Compare.LT, tid, GROUP);
        k.when(
                copies,
                () -> {
                    registers(k, "dec", groups == 2 ? 40 : 32);
                    k.when(isFirst, () -> copy(k, parts, a, b));
                },
                () -> {
                    registers(k, "inc", groups == 2 ? 232 : 160);
                    multiply(k, parts, tid);
                });
        if (cluster > 1) {
            k.comment("the others may still arrive at this block's barriers");
            together(k);
        }
    }

    /// Waits for all threads of the cluster.
    private void together(PtxKernel k) {
        if (cluster == 1) {
            k.bar();
            return;
        }
        k.op("barrier.cluster.arrive.release");
        k.op("barrier.cluster.wait.acquire");
    }

    /// Moves registers from the copying warps to the multiplying ones, where a launch gives a thread fewer than it
    /// could have.
    private void registers(PtxKernel k, String how, int count) {
        if (groups > 1) {
            k.op("setmaxnreg.%s.sync.aligned.u32".formatted(how), count);
        }
    }

    private void eachTile(PtxKernel k, Parts parts, Runnable body, Reg firstRow, Reg firstColumn) {
        k.loop("tile", parts.tile, parts.tiles.all(), parts.step, tile -> {
            parts.tiles.place(k, tile, firstRow, firstColumn);
            k.mul(firstRow, firstRow, m() * cluster);
            k.mad(firstRow, parts.rank, m(), firstRow);
            k.mul(firstColumn, firstColumn, n);
            body.run();
        });
    }

    private void copy(PtxKernel k, Parts parts, Reg a, Reg b) {
        k.comment("the copying thread");
        Ring ring = Ring.of(k, "copy", stages);
        Reg parity = k.reg(Type.U32, "empty_parity");
        Reg depthAt = k.reg(Type.U32, "k_at");
        Reg row = k.reg(Type.U32, "copy_row");
        Reg column = k.reg(Type.U32, "copy_column");
        Reg part = k.reg(Type.U32, "copy_part");
        eachTile(
                k,
                parts,
                () -> {
                    k.mov(depthAt, 0);
                    k.mad(part, parts.rank, n / cluster, column);
                    k.loop("copy_step", 0, parts.steps, 1, _ -> {
                        k.xor(parity, ring.phase(), 1);
                        Barrier.await(
                                k,
                                ring.at(k, "empty_at", parts.empty, Long.BYTES).at(0),
                                parity);
                        Reg barrier = ring.at(k, "full_at", parts.full, Long.BYTES);
                        Reg left = ring.at(k, "copy_to", parts.base, stageBytes());
                        Reg right = k.reg(Type.U32, "copy_to_b");
                        k.mad(right, parts.rank, n / cluster * ROW, left);
                        k.add(right, right, leftBytes());
                        Barrier.arriveAndExpect(k, barrier.at(0), stageBytes());
                        for (int i = 0; i < depth; i++) {
                            copyTile(k, left, a, form.turnsA(), m(), depthAt, row, barrier, 1);
                            copyTile(k, right, b, form.turnsB(), n / cluster, depthAt, part, barrier, cluster);
                            if (i + 1 < depth) {
                                k.add(left, left, m() * ROW);
                                k.add(right, right, n * ROW);
                            }
                            k.add(depthAt, depthAt, span());
                        }
                        ring.advance(k);
                    });
                },
                row,
                column);
    }

    /// @param length rows or columns of the result
    /// @param from the first of them
    /// @param blocks that get it
    private static void copyTile(
            PtxKernel k, Reg to, Reg map, boolean turns, int length, Reg depth, Reg from, Reg barrier, int blocks) {
        String copy = "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
                + (blocks > 1 ? ".multicast::cluster" : "");
        for (int i = 0; i < (turns ? length / SPAN : 1); i++) {
            Reg first = from;
            if (i > 0) {
                first = k.reg(Type.U32, "span_from");
                k.add(first, from, i * SPAN);
            }
            Operand box = turns ? tensor(map, first, depth) : tensor(map, depth, first);
            Operand place = to.at((long) i * SPAN * ROW);
            if (blocks > 1) {
                k.op(copy, place, box, barrier.at(0), (1 << blocks) - 1);
            } else {
                k.op(copy, place, box, barrier.at(0));
            }
        }
    }

    private void multiply(PtxKernel k, Parts parts, Reg tid) {
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
        Reg groupAt = k.reg(Type.U32, "group_at");
        k.mad(groupAt, group, GROUP_ROWS * ROW, parts.base);
        Reg rowInTile = k.reg(Type.U32, "row_in_tile");
        Reg columnInTile = k.reg(Type.U32, "column_in_tile");
        k.shr(rowInTile, lane, 2);
        k.mad(rowInTile, warp, 16, rowInTile);
        k.mad(rowInTile, group, GROUP_ROWS, rowInTile);
        k.and(columnInTile, lane, 3);
        k.shl(columnInTile, columnInTile, 1);
        Reg tells = k.compare("tells", Compare.LT, lane, cluster);
        Ring ring = Ring.of(k, "use", stages);
        Reg before = k.reg(Type.U32, "empty_before", 0);
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        Factors factors = parts.factors;
        Runnable tile = factors == null
                ? () -> {
                    plainTile(k, parts, ring, groupAt, before, tells, lane, sums);
                    k.add(row, row, rowInTile);
                    k.add(column, column, columnInTile);
                    parts.result.store(k, row, column, sums);
                }
                : () -> {
                    Reg[] totals = k.regs(Type.F32, "total", sums.length);
                    for (Reg total : totals) {
                        k.mov(total, 0f);
                    }
                    k.add(row, row, rowInTile);
                    scaledTile(k, parts, factors, ring, groupAt, row, column, tells, lane, sums, totals);
                    k.add(column, column, columnInTile);
                    parts.result.store(k, row, column, totals);
                };
        eachTile(k, parts, tile, row, column);
    }

    private void plainTile(
            PtxKernel k, Parts parts, Ring ring, Reg groupAt, Reg before, Reg tells, Reg lane, Reg[] sums) {
        k.loop("step", 0, parts.steps, 1, step -> {
            Reg adds = k.compare("adds", Compare.GT, step, 0);
            multiplyStage(k, parts, ring, groupAt, sums, adds);
            k.comment("the stage before this one is free");
            k.op("wgmma.wait_group.sync.aligned", 1);
            Reg isLater = k.compare(Compare.GT, step, 0);
            k.op("and.pred", isLater, isLater, tells);
            k.when(isLater, () -> release(k, before, lane));
            k.mad(before, ring.slot(), Long.BYTES, parts.empty);
            ring.advance(k);
        });
        k.op("wgmma.wait_group.sync.aligned", 0);
        k.when(tells, () -> release(k, before, lane));
    }

    /// The sums of a stage, scaled, go to the totals while the other group's are multiplied.
    private void scaledTile(
            PtxKernel k,
            Parts parts,
            Factors factors,
            Ring ring,
            Reg groupAt,
            Reg row,
            Reg column,
            Reg tells,
            Reg lane,
            Reg[] sums,
            Reg[] totals) {
        Reg eighth = k.reg(Type.U32, "eighth_row");
        k.add(eighth, row, 8);
        Reg[] rowsAt = {factors.rowAt(k, parts.result, row), factors.rowAt(k, parts.result, eighth)};
        Reg columnAt = factors.columnAt(k, column);
        Reg[] scales = k.regs(Type.F32, "row_scale", 2);
        Reg ofColumns = k.reg(Type.F32, "column_scale");
        Reg never = k.reg(Type.PRED, "adds");
        k.setp(Compare.NE, never, 0, 0);
        k.loop("step", 0, parts.steps, 1, _ -> {
            k.ld(Space.GLOBAL, ofColumns, columnAt);
            k.add(columnAt, columnAt, (long) Float.BYTES);
            for (int i = 0; i < scales.length; i++) {
                k.ld(Space.GLOBAL, scales[i], rowsAt[i]);
                k.add(rowsAt[i], rowsAt[i], (long) Float.BYTES);
            }
            multiplyStage(k, parts, ring, groupAt, sums, never);
            k.op("wgmma.wait_group.sync.aligned", 0);
            Reg free = ring.at(k, "empty_now", parts.empty, Long.BYTES);
            k.when(tells, () -> release(k, free, lane));
            for (Reg scale : scales) {
                k.mul(scale, scale, ofColumns);
            }
            Factors.add(k, totals, sums, scales);
            ring.advance(k);
        });
    }

    /// Waits for the ring's next stage and starts its multiplications.
    ///
    /// @param adds whether the first one adds to the sums
    private void multiplyStage(PtxKernel k, Parts parts, Ring ring, Reg groupAt, Reg[] sums, Reg adds) {
        Barrier.await(k, ring.at(k, "use_full_at", parts.full, Long.BYTES).at(0), ring.phase());
        Reg leftAt = ring.at(k, "a_tile_at", groupAt, stageBytes());
        Reg rightAt = ring.at(k, "b_tile_at", parts.base, stageBytes());
        k.add(rightAt, rightAt, leftBytes());
        Reg left = TileDescriptor.of(k, "a_tile", leftAt, SPAN * ROW);
        Reg right = TileDescriptor.of(k, "b_tile", rightAt, SPAN * ROW);
        Reg always = k.reg(Type.PRED, "adds_on");
        k.setp(Compare.EQ, always, 0, 0);
        k.op("wgmma.fence.sync.aligned");
        int steps = depth * ROW / STEP_BYTES;
        for (int i = 0; i < steps; i++) {
            multiply(k, sums, left, right, i == 0 ? adds : always);
            if (i + 1 < steps) {
                boolean isLastOfSpan = i % (ROW / STEP_BYTES) == ROW / STEP_BYTES - 1;
                advance(k, left, form.turnsA(), m(), isLastOfSpan);
                advance(k, right, form.turnsB(), n, isLastOfSpan);
            }
        }
        k.op("wgmma.commit_group.sync.aligned");
    }

    private void multiply(PtxKernel k, Reg[] sums, Reg left, Reg right, Reg adds) {
        Object all = vec((Object[]) sums);
        if (form.numbers() == Numbers.E4M3) {
            k.op("wgmma.mma_async.sync.aligned.m64n%dk32.f32.e4m3.e4m3".formatted(n), all, left, right, adds, 1, 1);
            return;
        }
        k.op(
                "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(n),
                all,
                left,
                right,
                adds,
                1,
                1,
                form.turnsA() ? 1 : 0,
                form.turnsB() ? 1 : 0);
    }

    /// Moves a descriptor on by what one instruction takes of `k`.
    ///
    /// @param length of the operand's tile along the result
    /// @param isLastOfSpan whether the next is of the next span
    private static void advance(PtxKernel k, Reg descriptor, boolean turns, int length, boolean isLastOfSpan) {
        int bytes = turns ? STEP_BYTES / Numbers.BF16.bytes() * ROW : STEP_BYTES;
        int back = bytes * (ROW / STEP_BYTES - 1);
        k.add(descriptor, descriptor, (long) (isLastOfSpan ? length * ROW - back : bytes) >> 4);
    }

    /// Says to the blocks of the cluster, a lane to each, that this warp is through with a stage.
    private void release(PtxKernel k, Reg barrier, Reg lane) {
        if (cluster == 1) {
            Barrier.arrive(k, barrier.at(0));
            return;
        }
        Reg there = k.reg(Type.U32, "empty_there");
        k.op("mapa.shared::cluster.u32", there, barrier, lane);
        k.op("mbarrier.arrive.release.cluster.shared::cluster.b64", Operand.NOWHERE, there.at(0));
    }
}
