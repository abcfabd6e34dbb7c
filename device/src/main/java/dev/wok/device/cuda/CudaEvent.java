package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CUDA_ERROR_NOT_READY;

import dev.wok.device.GpuEvent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A mark of the driver's.
final class CudaEvent implements GpuEvent, Owned.Part {
    private static final double NANOS_PER_MILLI = 1e6;

    private final CudaGpu gpu;
    private final long handle;

    private CudaEvent(CudaGpu gpu, long handle) {
        this.gpu = gpu;
        this.handle = handle;
    }

    /// @param kind whether it measures time
    static CudaEvent create(CudaGpu gpu, Constant kind) {
        return gpu.owned().add(new CudaEvent(gpu, gpu.context().out(DriverFunction.EVENT_CREATE, kind.value)));
    }

    CudaGpu gpu() {
        return gpu;
    }

    /// @return what the driver knows it by
    long handle() {
        if (!gpu.owned().has(this)) {
            throw new IllegalStateException("this event is closed");
        }
        return handle;
    }

    void record(CudaStream stream) {
        gpu.context().run(DriverFunction.EVENT_RECORD, handle(), stream.handle());
    }

    @Override
    public boolean isDone() {
        long event = handle();
        int status = gpu.context().status(DriverFunction.EVENT_QUERY, event);
        if (status != 0 && status != CUDA_ERROR_NOT_READY.value) {
            throw gpu.context().failure(status, DriverFunction.EVENT_QUERY.text(event));
        }
        return status == 0;
    }

    @Override
    public void synchronize() {
        gpu.context().run(DriverFunction.EVENT_SYNCHRONIZE, handle());
    }

    @Override
    public long nanosSince(GpuEvent start) {
        if (!(start instanceof CudaEvent first) || first.gpu != gpu) {
            throw new IllegalArgumentException("the start is an event of another GPU, expected one of this");
        }
        first.synchronize();
        synchronize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment millis = arena.allocate(ValueLayout.JAVA_FLOAT);
            gpu.context().run(DriverFunction.EVENT_ELAPSED_TIME, millis.address(), first.handle(), handle());
            return Math.round(millis.get(ValueLayout.JAVA_FLOAT, 0) * NANOS_PER_MILLI);
        }
    }

    @Override
    public void close() {
        if (gpu.owned().remove(this)) {
            gpu.context().end(DriverFunction.EVENT_DESTROY, handle);
        }
    }
}
