package dev.wok.bench;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.Gpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Space;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Target;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;

/// What a GPU's tensor cores reach in bf16 where nothing has to be fetched: every warp multiplies the
/// same tiles of zeros again and again. Real numbers take more power, so that a chip may run slower
/// with them.
final class GpuLoops {
    private static final int SUMS = 4;
    private static final int HOPPER_COLUMNS = 256;
    private static final int WARPS = 8;
    private static final int GROUP = 128;
    private static final int LANES = 32;

    /// A tile of a wgmma: 64 or 256 rows of 16 numbers in a swizzle of 32 bytes.
    private static final int TILE_BYTES = (64 + HOPPER_COLUMNS) * 32;

    private final Gpu gpu;
    private final boolean isHopper;
    private final PtxFunction function;
    private final Tensor sink;

    /// @param sink one float that nothing is written to
    GpuLoops(Gpu gpu, Tensor sink) {
        this.gpu = gpu;
        this.sink = sink;
        isHopper = gpu.target().equals(Target.SM_90A.toString());
        Ptx module = Ptx.module(isHopper ? Target.SM_90A : Target.SM_80);
        PtxKernel k = module.kernel("loop");
        if (isHopper) {
            wgmma(k);
        } else {
            mma(k);
        }
        function = gpu.load(module.text()).function("loop");
        if (sink.dtype() != DType.F32) {
            throw new IllegalArgumentException(sink + ", expected F32");
        }
    }

    String text() {
        return isHopper ? "tensor cores, wgmma on zeros" : "tensor cores, mma on zeros";
    }

    /// @return FLOP of a launch
    double flops(int rounds) {
        double each =
                isHopper ? 2.0 * 64 * HOPPER_COLUMNS * 16 * (WARPS * LANES / GROUP) : 2.0 * 16 * 8 * 16 * SUMS * WARPS;
        return each * rounds * gpu.facts().multiprocessors();
    }

    void run(int rounds) {
        gpu.stream().launch(function, Launch.of(gpu.facts().multiprocessors(), WARPS * LANES), sink, rounds);
    }

    /// Keeps the sums from being thrown away: they are written where they are one, which zeros are not.
    private static void keep(PtxKernel k, Reg sink, Reg... sums) {
        Reg all = k.reg(Type.F32, "all", 0f);
        for (Reg sum : sums) {
            k.add(all, all, sum);
        }
        k.when(k.compare(Compare.EQ, all, 1f), () -> k.st(Space.GLOBAL, sink, all));
    }

    private static void mma(PtxKernel k) {
        Reg sink = k.param("sink", Type.U64);
        Reg rounds = k.param("rounds", Type.U32);
        Reg[] sums = k.regs(Type.F32, "sum", SUMS * 4);
        Reg[] a = k.regs(Type.B32, "a", 4);
        Reg[] b = k.regs(Type.B32, "b", 2);
        Arrays.stream(sums).forEach(sum -> k.mov(sum, 0f));
        Arrays.stream(a).forEach(part -> k.mov(part, 0));
        Arrays.stream(b).forEach(part -> k.mov(part, 0));
        k.loop("round", 0, rounds, 1, _ -> {
            for (int i = 0; i < SUMS; i++) {
                k.op(
                        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                        vec(sums, 4 * i, 4),
                        vec((Object[]) a),
                        vec((Object[]) b),
                        vec(sums, 4 * i, 4));
            }
        });
        keep(k, sink, sums);
    }

    private static void wgmma(PtxKernel k) {
        Reg sink = k.param("sink", Type.U64);
        Reg rounds = k.param("rounds", Type.U32);
        Symbol tile = k.shared("tile", Type.B8, TILE_BYTES, 1024);
        Reg at = k.reg(Type.U32, "tile_at");
        Reg tid = k.reg(Type.U32, "tid", dev.wok.emit.ptx.Special.TID_X);
        Reg first = k.reg(Type.U32, "first");
        k.mov(at, tile);
        k.mad(first, tid, Integer.BYTES, at);
        Reg end = k.reg(Type.U32, "end");
        k.add(end, at, TILE_BYTES);
        Reg zero = k.reg(Type.B32, "zero", 0);
        k.loop("word", first, end, WARPS * LANES * Integer.BYTES, word -> k.st(Space.SHARED, word, zero));
        k.op("fence.proxy.async");
        k.bar();
        k.comment("rows of 32 bytes, eight after the other");
        Reg left = descriptor(k, "a", at, 0);
        Reg right = descriptor(k, "b", at, 64 * 32);
        Reg adds = k.reg(Type.PRED, "adds");
        k.setp(Compare.EQ, adds, 0, 0);
        Reg[] sums = k.regs(Type.F32, "sum", HOPPER_COLUMNS / 2);
        Arrays.stream(sums).forEach(sum -> k.mov(sum, 0f));
        k.loop("round", 0, rounds, 1, _ -> {
            k.op("wgmma.fence.sync.aligned");
            k.op(
                    "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(HOPPER_COLUMNS),
                    vec((Object[]) sums),
                    left,
                    right,
                    adds,
                    1,
                    1,
                    0,
                    0);
            k.op("wgmma.commit_group.sync.aligned");
            k.op("wgmma.wait_group.sync.aligned", 0);
        });
        keep(k, sink, sums);
    }

    private static Reg descriptor(PtxKernel k, String name, Reg tile, int offset) {
        Reg descriptor = k.reg(Type.U64, name);
        Reg low = k.reg(Type.U32, name + "_low");
        k.add(low, tile, offset);
        k.shr(low, low, 4);
        k.and(low, low, 0x3FFF);
        k.op("cvt.u64.u32", descriptor, low);
        k.or(descriptor, descriptor, 3L << 62 | (long) (8 * 32 >> 4) << 32 | 1L << 16);
        return descriptor;
    }
}
