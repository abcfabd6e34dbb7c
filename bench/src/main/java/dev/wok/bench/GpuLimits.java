package dev.wok.bench;

import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// What a GPU's kernels are held against, and how they are timed: by the GPU's own clock, between two events.
final class GpuLimits implements AutoCloseable {
    private static final int WARM_UPS = 2;

    private final Gpu gpu;
    private final GpuSizes sizes;
    private final Memory memory;
    private final Limit compute;
    private final Limit copy;

    GpuLimits(Gpu gpu, GpuSizes sizes) {
        this.gpu = gpu;
        this.sizes = sizes;
        memory = gpu.memory();
        GpuLoops loops = new GpuLoops(gpu, memory.tensor(DType.F32, 1));
        compute = new Limit(
                loops.text(), () -> loops.flops(sizes.rounds()) / nanos(() -> loops.run(sizes.rounds())) / 1e3);
        Tensor from = memory.tensor(DType.U8, sizes.copyBytes());
        Tensor to = memory.tensor(DType.U8, sizes.copyBytes());
        copy = new Limit(
                "the driver's copy",
                () -> 2.0 * sizes.copyBytes() / nanos(() -> gpu.stream().copy(from, to)));
    }

    /// @return TFLOP/s in bf16
    Limit compute() {
        return compute;
    }

    /// @return GB/s, read and written
    Limit copy() {
        return copy;
    }

    /// @return nanoseconds of a call, the median
    double nanos(Runnable call) {
        for (int i = 0; i < Math.min(WARM_UPS, sizes.repeats()); i++) {
            call.run();
        }
        double[] nanos = new double[sizes.repeats()];
        for (int i = 0; i < nanos.length; i++) {
            try (GpuEvent start = gpu.stream().record()) {
                for (int j = 0; j < sizes.atOnce(); j++) {
                    call.run();
                }
                try (GpuEvent end = gpu.stream().record()) {
                    nanos[i] = (double) end.nanosSince(start) / sizes.atOnce();
                }
            }
        }
        return Repeats.median(nanos, nanos.length);
    }

    @Override
    public void close() {
        memory.close();
    }
}
