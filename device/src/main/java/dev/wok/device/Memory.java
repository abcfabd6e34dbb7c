package dev.wok.device;

import dev.wok.device.cuda.CudaMemory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Owns tensors of one device; whoever made it closes it, and all of them are gone.
public sealed interface Memory extends AutoCloseable
        permits HostDevice.HostMemory, DryDevice.DryMemory, CudaMemory, EmulatedGpu.EmulatedMemory {

    /// @return a contiguous tensor of zeros
    Tensor tensor(DType dtype, long... shape);

    /// @return the bytes handed out so far
    long bytes();

    @Override
    void close();
}
