package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_EVENT_DEFAULT;
import static dev.wok.device.cuda.Constant.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

import dev.wok.device.GpuEvent;
import dev.wok.device.GpuGraph;
import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A stream of the driver's.
public final class CudaStream implements GpuStream, Owned.Part {
    private static final int CLUSTERS = 9;

    private final CudaGpu gpu;
    private final long handle;
    private final boolean main;
    private final Owned owned = new Owned();
    private final Arguments arguments;
    private final LaunchConfig config = new LaunchConfig();
    private volatile boolean ended;

    /// @param main whether the GPU always has it
    CudaStream(CudaGpu gpu, long handle, boolean main) {
        this.gpu = gpu;
        this.handle = handle;
        this.main = main;
        arguments = new Arguments(gpu);
    }

    @Override
    public CudaGpu device() {
        return gpu;
    }

    /// @return what is closed before this stream
    Owned owned() {
        return owned;
    }

    /// @return what the driver knows it by
    long handle() {
        if (!main && !gpu.owned().has(this)) {
            throw new IllegalStateException("this stream is closed");
        }
        return handle;
    }

    @Override
    public synchronized void launch(PtxFunction function, Launch launch, Object... values) {
        CudaKernel kernel = kernel(function);
        requireFits(kernel, launch);
        long stream = handle();
        kernel.allow(launch);
        long parameters = arguments.pack(kernel.entry(), values);
        int status = LaunchConfig.isNeeded(launch)
                ? gpu.context()
                        .status(
                                DriverFunction.LAUNCH_KERNEL_EX,
                                config.write(launch, stream),
                                kernel.handle(),
                                parameters,
                                0)
                : gpu.context()
                        .status(
                                DriverFunction.LAUNCH_KERNEL,
                                kernel.handle(),
                                launch.gridX(),
                                launch.gridY(),
                                launch.gridZ(),
                                launch.blockX(),
                                launch.blockY(),
                                launch.blockZ(),
                                launch.sharedBytes(),
                                stream,
                                parameters,
                                0);
        if (status != 0) {
            DriverFunction called =
                    LaunchConfig.isNeeded(launch) ? DriverFunction.LAUNCH_KERNEL_EX : DriverFunction.LAUNCH_KERNEL;
            throw gpu.context().failure(status, "%s(%s: %s)".formatted(called.symbol(), kernel.name(), launch));
        }
    }

    private CudaKernel kernel(PtxFunction function) {
        if (!(function instanceof CudaKernel kernel) || kernel.program().gpu() != gpu) {
            throw new IllegalArgumentException("%s is a function of another GPU, expected one that %s loaded"
                    .formatted(function.name(), gpu.describe()));
        }
        kernel.program().requireOpen();
        return kernel;
    }

    private void requireFits(CudaKernel kernel, Launch launch) {
        if (launch.sharedBytes() > gpu.facts().sharedBytes()) {
            throw new IllegalArgumentException("%s: %d bytes of shared memory, expected at most %d on %s"
                    .formatted(
                            kernel.name(),
                            launch.sharedBytes(),
                            gpu.facts().sharedBytes(),
                            gpu.facts().name()));
        }
        if (launch.clusterBlocks() > 1 && !gpu.facts().capability().atLeast(CLUSTERS, 0)) {
            throw new IllegalArgumentException("%s: clusters of %d blocks, expected none on %s, which is %s"
                    .formatted(
                            kernel.name(), launch.clusterBlocks(), gpu.facts().name(), gpu.target()));
        }
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        Shape.require("GpuStream.copy", to, "to", from.shape());
        Shape.require("GpuStream.copy", to, "to", from.dtype());
        requireHere("from", from);
        requireHere("to", to);
        copy(from.memory().address(), to.memory().address(), from.bytes());
    }

    private void requireHere(String name, Tensor tensor) {
        Shape.requireContiguous("GpuStream", tensor, name);
        gpu.addresses().require("GpuStream: " + name, tensor, gpu::reaches);
    }

    void copy(long from, long to, long bytes) {
        if (bytes > 0) {
            gpu.context().run(DriverFunction.MEMCPY_ASYNC, to, from, bytes, handle());
        }
    }

    @Override
    public void fill(Tensor tensor, byte value) {
        requireHere("tensor", tensor);
        if (tensor.elements() > 0) {
            gpu.context()
                    .run(
                            DriverFunction.MEMSET_D8_ASYNC,
                            tensor.memory().address(),
                            Byte.toUnsignedInt(value),
                            tensor.bytes(),
                            handle());
        }
    }

    @Override
    public GpuEvent record() {
        handle();
        CudaEvent event = CudaEvent.create(gpu, CU_EVENT_DEFAULT);
        try {
            event.record(this);
            return event;
        } catch (RuntimeException e) {
            throw Closing.after(e, event::close);
        }
    }

    @Override
    public void waitFor(GpuEvent event) {
        if (!(event instanceof CudaEvent mark) || mark.gpu().addresses() != gpu.addresses()) {
            throw new IllegalArgumentException("the event is not one of a GPU behind the same driver");
        }
        gpu.context().run(DriverFunction.STREAM_WAIT_EVENT, handle(), mark.handle(), 0);
    }

    @Override
    public GpuGraph capture(Runnable work) {
        gpu.context().run(DriverFunction.STREAM_BEGIN_CAPTURE, handle(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL.value);
        try {
            work.run();
        } catch (RuntimeException e) {
            throw Closing.after(e, this::abandon);
        } catch (Error e) {
            abandon();
            throw e;
        }
        return CudaGraph.of(this, endCapture());
    }

    /// @return what was captured, to be destroyed by the caller
    private long endCapture() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment graph = arena.allocate(ValueLayout.JAVA_LONG);
            try {
                gpu.context().end(DriverFunction.STREAM_END_CAPTURE, handle, graph.address());
            } catch (RuntimeException e) {
                throw Closing.after(e, () -> destroy(graph.get(ValueLayout.JAVA_LONG, 0)));
            }
            return graph.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private void destroy(long captured) {
        if (captured != 0) {
            gpu.context().end(DriverFunction.GRAPH_DESTROY, captured);
        }
    }

    private void abandon() {
        destroy(endCapture());
    }

    @Override
    public void synchronize() {
        gpu.context().run(DriverFunction.STREAM_SYNCHRONIZE, handle());
    }

    @Override
    public void close() {
        if (main && !ended) {
            synchronize();
        } else if (gpu.owned().has(this)) {
            try {
                end();
            } finally {
                gpu.owned().remove(this);
            }
        }
    }

    /// Ends the stream after what belongs to it.
    synchronized void end() {
        if (!ended) {
            ended = true;
            Closing closing = new Closing().then(() -> gpu.context().run(DriverFunction.STREAM_SYNCHRONIZE, handle));
            owned.close(closing);
            closing.then(() -> gpu.context().end(DriverFunction.STREAM_DESTROY, handle))
                    .end();
        }
    }
}
