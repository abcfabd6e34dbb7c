package dev.wok.device.cuda;

import dev.wok.device.GpuGraph;

/// Captured work, ready to be launched.
final class CudaGraph implements GpuGraph, Owned.Part {
    private final CudaStream stream;
    private final long handle;

    private CudaGraph(CudaStream stream, long handle) {
        this.stream = stream;
        this.handle = handle;
    }

    /// @param captured what the stream captured; it is destroyed here
    static CudaGraph of(CudaStream stream, long captured) {
        CudaContext context = stream.device().context();
        long handle;
        try {
            handle = context.out(DriverFunction.GRAPH_INSTANTIATE, captured, 0);
        } catch (RuntimeException e) {
            throw Closing.after(e, () -> context.end(DriverFunction.GRAPH_DESTROY, captured));
        }
        CudaGraph graph = stream.owned().add(new CudaGraph(stream, handle));
        try {
            context.end(DriverFunction.GRAPH_DESTROY, captured);
        } catch (RuntimeException e) {
            throw Closing.after(e, graph::close);
        }
        return graph;
    }

    @Override
    public void launch() {
        if (!stream.owned().has(this)) {
            throw new IllegalStateException("this graph is closed");
        }
        stream.device().context().run(DriverFunction.GRAPH_LAUNCH, handle, stream.handle());
    }

    @Override
    public void close() {
        if (stream.owned().remove(this)) {
            stream.device().context().end(DriverFunction.GRAPH_EXEC_DESTROY, handle);
        }
    }
}
