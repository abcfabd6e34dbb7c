package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Memory for values that live during one step, handed out like a stack from one block: taking a tensor moves a
/// pointer, closing a [Scope] moves it back. The same step takes the same addresses each time.
///
/// Contents are whatever the last user left there. One thread at a time.
public final class Workspace {
    private static final long ALIGNMENT = 64;

    private final MemorySegment block;
    private final long capacity;
    private long top;
    private long peak;

    private Workspace(MemorySegment block, long capacity) {
        this.block = block;
        this.capacity = capacity;
    }

    /// @param owner keeps the block until it is closed
    /// @param bytes how much may be in use at once, rounded up to whole lines of the cache
    public static Workspace of(Memory owner, long bytes) {
        long capacity = aligned(bytes);
        return new Workspace(
                owner.tensor(DType.F32, capacity / DType.F32.bytes()).memory(), capacity);
    }

    /// @return a workspace of any size on a dry device: run the step once, then ask for [#peakBytes]
    public static Workspace measuring(DryDevice device) {
        return new Workspace(device.memory().tensor(DType.F32, 0).memory(), Long.MAX_VALUE / 2);
    }

    /// @return a contiguous tensor with undefined contents, valid until the enclosing scope closes
    /// @throws IllegalStateException where more is in use than [#of] was told
    public Tensor tensor(DType dtype, long... shape) {
        Tensor sizes = Tensor.of(MemorySegment.NULL, dtype, shape);
        long from = top;
        long to = Math.addExact(from, aligned(sizes.bytes()));
        if (to > capacity) {
            throw new IllegalStateException(
                    "workspace of %d bytes is full: %s needs %d more".formatted(capacity, sizes, to - capacity));
        }
        top = to;
        peak = Math.max(peak, top);
        return Tensor.of(Memory.part(block, from, sizes.bytes()), dtype, shape);
    }

    private static long aligned(long bytes) {
        return Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /// @return the largest number of bytes that were in use at once
    public long peakBytes() {
        return peak;
    }

    /// Begins a scope: what is taken from now on is given back when it closes.
    public Scope scope() {
        long mark = top;
        return () -> top = mark;
    }

    /// A nested lifetime within a workspace.
    public interface Scope extends AutoCloseable {
        @Override
        void close();
    }
}
