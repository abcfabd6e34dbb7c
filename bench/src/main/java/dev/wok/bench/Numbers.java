package dev.wok.bench;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Fills tensors quickly with numbers that look like a model's.
final class Numbers {
    /// No power of two, so that rows differ.
    private static final int PERIOD = 99_991;

    private Numbers() {}

    /// @param tensor contiguous, gets normally distributed numbers that repeat after a while
    /// @return the tensor
    static Tensor fill(Tensor tensor, double scale, long seed) {
        Rng rng = new Rng(seed);
        int count = (int) Math.min(PERIOD, tensor.elements());
        try (Arena arena = Arena.ofConfined()) {
            Tensor period = Tensor.allocate(arena, tensor.dtype(), count);
            for (int i = 0; i < count; i++) {
                period.set(i, scale * rng.normal(i));
            }
            MemorySegment memory = tensor.memory();
            for (long at = 0; at < memory.byteSize(); at += period.bytes()) {
                long bytes = Math.min(period.bytes(), memory.byteSize() - at);
                MemorySegment.copy(period.memory(), 0, memory, at, bytes);
            }
        }
        return tensor;
    }

    /// @param integers I32
    /// @param bound exclusive
    static Tensor below(Tensor integers, int bound) {
        if (integers.dtype() != DType.I32) {
            throw new IllegalArgumentException("%s, expected I32".formatted(integers));
        }
        Rng rng = new Rng(2);
        for (long i = 0; i < integers.elements(); i++) {
            integers.setInt(i, rng.below(i, bound));
        }
        return integers;
    }
}
