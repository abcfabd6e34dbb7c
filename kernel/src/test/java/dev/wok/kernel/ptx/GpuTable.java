package dev.wok.kernel.ptx;

import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuStream;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.RmsNorm;
import dev.wok.kernel.Swiglu;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// Measures the kernels on this machine's GPU, each beside a limit of the same run: a plain copy for those that move
/// memory, the chip's published peak in bf16 for products. Run by `bench/gpu.sh`; prints a table in Markdown.
public final class GpuTable {
    private static final int WARMUPS = 3;
    private static final int ROUNDS = 15;

    /// Dense bf16 operations of a multiprocessor in a clock: 4 tensor cores of 512 multiply-adds on Hopper, half of
    /// that
    /// on Ampere.
    private static final int HOPPER_FLOP = 4 * 512 * 2;

    private static final int AMPERE_FLOP = 4 * 256 * 2;

    private final Gpu gpu;
    private final GpuStream stream;

    private GpuTable(Gpu gpu) {
        this.gpu = gpu;
        stream = gpu.stream();
    }

    /// Prints the table.
    public static void main(String[] arguments) {
        Gpu gpu = Gpus.chip(Target.SM_80)
                .orElseThrow(() -> new IllegalStateException("no GPU from sm_80 on is on this machine"));
        System.out.printf("%n%s%n%n", gpu.describe());
        System.out.println("| kernel | shape | microseconds, median | best | rate | of the limit |");
        System.out.println("|---|---|---|---|---|---|");
        new GpuTable(gpu).run();
        gpu.close();
    }

    private record Times(double median, double best) {}

    /// @return nanoseconds of one run
    private Times time(Runnable work, int perRound) {
        for (int i = 0; i < WARMUPS; i++) {
            work.run();
        }
        double[] nanos = new double[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            try (GpuEvent start = stream.record()) {
                for (int j = 0; j < perRound; j++) {
                    work.run();
                }
                try (GpuEvent end = stream.record()) {
                    nanos[i] = (double) end.nanosSince(start) / perRound;
                }
            }
        }
        Arrays.sort(nanos);
        return new Times(nanos[ROUNDS / 2], nanos[0]);
    }

    private void row(String kernel, String shape, Times times, double rate, String unit, double limit) {
        System.out.printf(
                Locale.ROOT,
                "| %s | %s | %.1f | %.1f | %.0f %s | %.2f |%n",
                kernel,
                shape,
                times.median / 1e3,
                times.best / 1e3,
                rate,
                unit,
                rate / limit);
    }

    private void run() {
        double copied = copies();
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            rowKernels(dtype, copied);
        }
        optimizer(copied);
        for (int size : new int[] {1024, 4096, 8192}) {
            product(Target.SM_80, size);
            if (Gpus.chip(Target.SM_90A).isPresent()) {
                product(Target.SM_90A, size);
            }
        }
    }

    /// @return bytes a nanosecond, read and written
    private double copies() {
        try (Memory memory = gpu.memory()) {
            Tensor from = memory.tensor(DType.F32, 1L << 28);
            Tensor to = memory.tensor(DType.F32, 1L << 28);
            Times times = time(() -> stream.copy(from, to), 1);
            double rate = 2 * from.bytes() / times.median;
            row("copy (driver)", "1 GiB", times, rate, "GB/s", rate);
            return rate;
        }
    }

    private void rowKernels(DType dtype, double copied) {
        int tokens = 16384;
        int n = 2048;
        Programs programs = new Programs(gpu, Target.SM_80);
        try (Memory memory = gpu.memory()) {
            Tensor x = memory.tensor(dtype, tokens, n);
            Tensor y = memory.tensor(dtype, tokens, n);
            Tensor gateUp = memory.tensor(dtype, tokens, 2 * n);
            Tensor weight = memory.tensor(dtype, n);
            Tensor rstd = memory.tensor(DType.F32, tokens);
            RmsNorm norm = new RmsNormPtx(programs);
            Swiglu swiglu = new SwigluPtx(programs);
            Times times = time(() -> norm.forward(x, weight, 1e-6, y, rstd), 10);
            row("RmsNorm.forward " + dtype, tokens + "x" + n, times, 2 * x.bytes() / times.median, "GB/s", copied);
            times = time(() -> swiglu.forward(gateUp, y), 10);
            row("Swiglu.forward " + dtype, tokens + "x" + n, times, 3 * x.bytes() / times.median, "GB/s", copied);
        }
    }

    private void optimizer(double copied) {
        long count = 1L << 27;
        AdamW adamW = new AdamWPtx(new Programs(gpu, Target.SM_80));
        try (Memory memory = gpu.memory()) {
            Tensor p = memory.tensor(DType.F32, count);
            Tensor g = memory.tensor(DType.F32, count);
            Tensor m = memory.tensor(DType.F32, count);
            Tensor v = memory.tensor(DType.F32, count);
            Tensor normAndClip = memory.tensor(DType.F32, 2);
            Times times = time(() -> adamW.clip(List.of(g), 1, normAndClip), 1);
            row("AdamW.clip", count + "", times, g.bytes() / times.median, "GB/s", copied);
            AdamW.Step step = new AdamW.Step(1e-3, 0.9, 0.95, 1e-8, 0.1, 1);
            times = time(() -> adamW.update(step, p, g, m, v, normAndClip), 1);
            row("AdamW.update", count + "", times, 7 * g.bytes() / times.median, "GB/s", copied);
        }
    }

    private void product(Target target, int size) {
        boolean isHopper = gpu.facts().capability().atLeast(9, 0);
        double peak = (double) (isHopper ? HOPPER_FLOP : AMPERE_FLOP)
                * gpu.facts().multiprocessors()
                * gpu.facts().clockKhz()
                / 1e9;
        Bf16Product product = new Bf16Product(new Programs(gpu, target));
        try (Memory memory = gpu.memory()) {
            Tensor a = memory.tensor(DType.BF16, size, size);
            Tensor b = memory.tensor(DType.BF16, size, size);
            Tensor c = memory.tensor(DType.F32, size, size);
            Times times = time(() -> product.multiply(a, false, b, false, c, false), 5);
            double rate = 2.0 * size * size * size / times.median / 1e3;
            row("Bf16Product " + target, size + "^3", times, rate, "TFLOP/s", peak);
        }
    }
}
