package dev.wok.device;

import dev.wok.device.cuda.CudaMemory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Owns tensors of one device; whoever made it closes it, and all of them are gone.
public sealed interface Memory extends AutoCloseable
        permits HostDevice.HostMemory, DryDevice.DryMemory, CudaMemory, EmulatedGpu.EmulatedMemory {

    /// @return a contiguous tensor of zeros
    Tensor tensor(DType dtype, long... shape);

    /// @param whole of a tensor of any device
    /// @return some of its bytes: of another device's memory where they begin, of none none
    static MemorySegment part(MemorySegment whole, long from, long bytes) {
        if (whole.byteSize() > 0) {
            return whole.asSlice(from, bytes);
        }
        return whole.address() == 0 ? MemorySegment.NULL : MemorySegment.ofAddress(whole.address() + from);
    }

    /// @return the bytes handed out so far
    long bytes();

    @Override
    void close();
}
