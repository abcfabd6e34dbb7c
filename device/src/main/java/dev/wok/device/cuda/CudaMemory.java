package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_MEMHOSTALLOC_DEVICEMAP;
import static dev.wok.device.cuda.Constant.CU_MEMHOSTALLOC_PORTABLE;

import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Tensors that the driver allocated, each for itself.
public final class CudaMemory implements Memory, Owned.Part {
    /// Where memory comes from.
    sealed interface Source {
        /// @return the address of memory with undefined contents
        long take(long bytes);

        void zero(long address, long bytes);

        void give(long address);
    }

    /// Memory of a GPU, taken at once.
    record OfGpu(CudaGpu gpu) implements Source {
        @Override
        public long take(long bytes) {
            return gpu.context().out(DriverFunction.MEM_ALLOC, bytes);
        }

        @Override
        public void zero(long address, long bytes) {
            gpu.zero(address, bytes);
        }

        @Override
        public void give(long address) {
            gpu.context().end(DriverFunction.MEM_FREE, address);
        }
    }

    /// Memory of a GPU, taken in the order of a stream.
    record OfPool(CudaPool pool, CudaStream stream) implements Source {
        @Override
        public long take(long bytes) {
            return pool.context().out(DriverFunction.MEM_ALLOC_FROM_POOL, bytes, pool.handle(), stream.handle());
        }

        @Override
        public void zero(long address, long bytes) {
            pool.context().run(DriverFunction.MEMSET_D8_ASYNC, address, 0, bytes, stream.handle());
        }

        @Override
        public void give(long address) {
            pool.context().end(DriverFunction.MEM_FREE_ASYNC, address, stream.handle());
        }
    }

    /// Pinned memory of the host.
    record OfHost(CudaContext context) implements Source {
        @Override
        public long take(long bytes) {
            return context.out(
                    DriverFunction.MEM_HOST_ALLOC,
                    bytes,
                    CU_MEMHOSTALLOC_PORTABLE.value | CU_MEMHOSTALLOC_DEVICEMAP.value);
        }

        @Override
        public void zero(long address, long bytes) {
            MemorySegment.ofAddress(address).reinterpret(bytes).fill((byte) 0);
        }

        @Override
        public void give(long address) {
            context.end(DriverFunction.MEM_FREE_HOST, address);
        }
    }

    private final CudaGpu gpu;
    private final Owned owner;
    private final Source source;
    private final Arena arena = Arena.ofShared();
    private final List<Long> taken = new ArrayList<>();
    private long bytes;

    CudaMemory(CudaGpu gpu, Owned owner, Source source) {
        this.gpu = gpu;
        this.owner = owner;
        this.source = source;
    }

    @Override
    public synchronized Tensor tensor(DType dtype, long... shape) {
        if (!owner.has(this)) {
            throw new IllegalStateException("this memory is closed");
        }
        long size = Math.multiplyExact(Shape.elements(shape), dtype.bytes());
        if (size == 0) {
            return Tensor.of(MemorySegment.NULL, dtype, shape);
        }
        long address = source.take(size);
        if (address == 0) {
            throw new IllegalStateException("the driver gave neither %d bytes nor a reason".formatted(size));
        }
        try {
            source.zero(address, size);
        } catch (RuntimeException e) {
            throw Closing.after(e, () -> source.give(address));
        }
        taken.add(address);
        bytes += size;
        gpu.addresses().add(block(address, size));
        return Tensor.of(segment(address, size), dtype, shape);
    }

    private Addresses.Block block(long address, long size) {
        return switch (source) {
            case OfGpu _ -> new Addresses.Block(address, size, gpu.facts().index(), true);
            case OfPool _ -> new Addresses.Block(address, size, gpu.facts().index(), false);
            case OfHost _ -> new Addresses.Block(address, size, Addresses.HOST, false);
        };
    }

    private MemorySegment segment(long address, long size) {
        return switch (source) {
            case OfGpu _, OfPool _ -> MemorySegment.ofAddress(address);
            case OfHost _ -> MemorySegment.ofAddress(address).reinterpret(size, arena, null);
        };
    }

    @Override
    public synchronized long bytes() {
        return bytes;
    }

    @Override
    public synchronized void close() {
        if (!owner.has(this)) {
            return;
        }
        arena.close();
        owner.remove(this);
        Closing closing = new Closing();
        for (long address : taken.reversed()) {
            gpu.addresses().remove(address);
            closing.then(() -> source.give(address));
        }
        taken.clear();
        closing.end();
    }
}
