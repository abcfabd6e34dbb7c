package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/// This machine's processor: host memory and a pool of worker threads.
public final class HostDevice implements Device {
    private final Workers workers;
    private final HostStream stream = new HostStream(this);
    private final List<NativeProgram> programs = new ArrayList<>();
    private final Arena arena = Arena.ofShared();

    HostDevice(int threads) {
        workers = new Workers(threads);
    }

    /// @return the threads that kernels of this device run on
    public Workers workers() {
        return workers;
    }

    /// Makes machine code callable, until this device is closed.
    ///
    /// @param code position-independent, for the processor that runs this
    public synchronized Program load(byte[] code) {
        NativeProgram program = NativeProgram.of(code);
        programs.add(program);
        return program;
    }

    /// @return zeroed memory for a kernel's own use, in huge pages where it is large, until this device is closed
    public MemorySegment scratch(long bytes) {
        return Pages.huge(arena, bytes);
    }

    /// @param owner frees it
    /// @return zeroed memory, in huge pages where it is large
    public MemorySegment scratch(Arena owner, long bytes) {
        return Pages.huge(owner, bytes);
    }

    @Override
    public String describe() {
        return "host processor, %d thread%s".formatted(workers.count(), workers.count() == 1 ? "" : "s");
    }

    @Override
    public void each(int count, IntConsumer work) {
        workers.run(count, (task, _) -> work.accept(task));
    }

    @Override
    public Memory memory() {
        return new HostMemory();
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public void upload(Tensor host, Tensor here) {
        here.copyFrom(host);
    }

    @Override
    public void download(Tensor here, Tensor host) {
        host.copyFrom(here);
    }

    @Override
    public synchronized void close() {
        workers.close();
        programs.forEach(NativeProgram::free);
        programs.clear();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    record HostStream(HostDevice device) implements Stream {
        @Override
        public void synchronize() {}
    }

    static final class HostMemory implements Memory {
        private final Arena arena = Arena.ofShared();
        private long bytes;

        @Override
        public Tensor tensor(DType dtype, long... shape) {
            long size = Math.multiplyExact(Shape.elements(shape), dtype.bytes());
            bytes += size;
            return Tensor.of(Pages.huge(arena, size), dtype, shape);
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            arena.close();
        }
    }
}
