package dev.wok.kernel.ptx;

import dev.wok.device.Gpu;
import dev.wok.kernel.Packed;
import dev.wok.tensor.Tensor;

/// Copies into memory that both a GPU and the host see.
final class OnGpu {
    private OnGpu() {}

    static Tensor copy(Gpu gpu, Tensor tensor) {
        Tensor copy = gpu.pinned().tensor(tensor.dtype(), tensor.shape());
        copy.copyFrom(tensor);
        return copy;
    }

    static Packed copy(Gpu gpu, Packed w) {
        Tensor scales = w.element().isScaled() ? copy(gpu, w.scales()) : null;
        return Packed.of(w.element(), copy(gpu, w.values()), scales, w.n(), w.k(), w.group(), w.activations());
    }
}
