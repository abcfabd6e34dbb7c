package dev.wok.kernel.x86;

import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// From tensors to the addresses that machine code works on, each range checked before.
final class Address {
    private Address() {}

    /// @return the address of the tensor's first element
    /// @throws IllegalArgumentException where its memory is on Java's heap
    /// @throws IndexOutOfBoundsException where its elements reach beyond its memory
    static long of(Tensor tensor) {
        MemorySegment memory = tensor.memory();
        if (!memory.isNative()) {
            throw new IllegalArgumentException("machine code cannot reach %s on Java's heap".formatted(tensor));
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the memory of %s is freed".formatted(tensor));
        }
        if (tensor.elements() > 0) {
            long last = 0;
            for (int i = 0; i < tensor.rank(); i++) {
                last = Math.addExact(last, Math.multiplyExact(tensor.dim(i) - 1, tensor.stride(i)));
            }
            Objects.checkFromIndexSize(
                    Math.multiplyExact(last, tensor.dtype().bytes()),
                    tensor.dtype().bytes(),
                    memory.byteSize());
        }
        return memory.address();
    }

    /// @return the bytes between neighbours along a dimension
    static long stride(Tensor tensor, int dimension) {
        return tensor.stride(dimension) * tensor.dtype().bytes();
    }
}
