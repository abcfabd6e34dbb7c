package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;

/// This machine's processor: host memory and a pool of worker threads.
public final class HostDevice implements Device {
    private final Workers workers;
    private final HostStream stream = new HostStream(this);

    HostDevice(int threads) {
        workers = new Workers(threads);
    }

    /// @return the threads that kernels of this device run on
    public Workers workers() {
        return workers;
    }

    @Override
    public String describe() {
        return "host processor, %d thread%s".formatted(workers.count(), workers.count() == 1 ? "" : "s");
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
    public void close() {
        workers.close();
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
            Tensor tensor = Tensor.allocate(arena, dtype, shape);
            bytes += tensor.bytes();
            return tensor;
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
