package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Gpu;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Memory for rows that come from other ranks, handed out like a [Workspace]'s: how many come is
/// known only when they do, so that it grows. On a dry device it measures. It keeps count of what
/// experts did with such rows.
///
/// Contents are whatever the last user left there. One thread at a time.
final class Guests implements AutoCloseable {
    private static final long ALIGNMENT = 64;

    private record Block(Memory owner, MemorySegment memory, long bytes) {}

    private final Device device;
    private final List<Block> blocks = new ArrayList<>();
    private Tensor identity = Tensor.of(new int[0]);

    /// Of [#identity], on a GPU.
    private @Nullable Memory lasting;

    /// The block that the next tensor is taken from, and what is taken of it.
    private int block;

    private long top;
    private long used;
    private long peak;

    private long computedRows;
    private long computedNanos;

    Guests(Device device) {
        this.device = device;
    }

    /// @return a contiguous tensor with undefined contents, valid until the enclosing scope closes
    Tensor tensor(DType dtype, long... shape) {
        Tensor sizes = Tensor.of(MemorySegment.NULL, dtype, shape);
        long bytes = Math.addExact(sizes.bytes(), ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        used += bytes;
        peak = Math.max(peak, used);
        if (device instanceof DryDevice || bytes == 0) {
            return sizes;
        }
        while (block < blocks.size() && blocks.get(block).bytes - top < bytes) {
            block++;
            top = 0;
        }
        if (block == blocks.size()) {
            add(Math.max(bytes, total()));
        }
        long from = top;
        top += bytes;
        return sizes.over(Memory.part(blocks.get(block).memory, from, sizes.bytes()));
    }

    private long total() {
        return blocks.stream().mapToLong(Block::bytes).sum();
    }

    private void add(long bytes) {
        Memory owner = device.memory();
        Tensor values = owner.tensor(DType.F32, bytes / DType.F32.bytes());
        blocks.add(new Block(owner, values.memory(), bytes));
    }

    /// @return these numbers, `[numbers]`, I32, where kernels read them
    Tensor ints(int[] numbers) {
        Tensor host = Tensor.of(numbers);
        if (!(device instanceof Gpu)) {
            return host;
        }
        Tensor here = tensor(DType.I32, numbers.length);
        device.upload(host, here);
        return here;
    }

    /// @return 0, 1, 2 and so on, `[count]`, I32, until more are asked for
    Tensor identity(int count) {
        if (identity.dim(0) < count) {
            Tensor numbers = Tensor.of(
                    IntStream.range(0, Math.max(count, 2 * identity.size(0))).toArray());
            identity = device instanceof Gpu ? lasting(numbers) : numbers;
        }
        return identity.slice(0, 0, count);
    }

    private Tensor lasting(Tensor host) {
        if (lasting == null) {
            lasting = device.memory();
        }
        Tensor here = lasting.tensor(host.dtype(), host.shape());
        device.upload(host, here);
        return here;
    }

    /// @return the largest number of bytes that were in use at once
    long peakBytes() {
        return peak;
    }

    /// Notes that experts have computed rows.
    ///
    /// @param nanos that their products took
    void computed(int rows, long nanos) {
        computedRows += rows;
        computedNanos += nanos;
    }

    /// @return what was noted since this was asked last
    Training.ExpertWork takeWork() {
        Training.ExpertWork work = new Training.ExpertWork(computedRows, computedNanos);
        computedRows = 0;
        computedNanos = 0;
        return work;
    }

    /// Begins a scope: what is taken from now on is given back when it closes.
    Workspace.Scope scope() {
        int from = block;
        long mark = top;
        long before = used;
        return () -> {
            block = from;
            top = mark;
            used = before;
            if (used == 0 && blocks.size() > 1) {
                join();
            }
        };
    }

    /// @param visitors null where none come
    static Workspace.Scope scope(@Nullable Guests visitors) {
        return visitors == null ? () -> {} : visitors.scope();
    }

    /// @return a scope of both
    static Workspace.Scope scope(Workspace workspace, @Nullable Guests visitors) {
        Workspace.Scope own = workspace.scope();
        Workspace.Scope theirs = scope(visitors);
        return () -> {
            own.close();
            theirs.close();
        };
    }

    /// Makes one block of several that nobody uses.
    private void join() {
        long bytes = total();
        releaseBlocks();
        add(bytes);
    }

    /// Of a GPU, what has them may still be under way.
    private void releaseBlocks() {
        device.stream().synchronize();
        blocks.forEach(b -> b.owner.close());
        blocks.clear();
        block = 0;
        top = 0;
    }

    /// Gives the memory back; it can be asked for more.
    @Override
    public void close() {
        releaseBlocks();
        if (lasting != null) {
            lasting.close();
            lasting = null;
            identity = Tensor.of(new int[0]);
        }
    }
}
