package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuGraph;
import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.device.PtxProgram;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;

/// One of each thing that a GPU can have open.
record Everything(
        CudaGpu gpu,
        Memory memory,
        Memory pinned,
        Tensor host,
        Memory pooled,
        GpuStream stream,
        GpuEvent event,
        GpuGraph graph,
        PtxProgram program,
        PtxFunction function,
        Gpu.Import imported) {

    static Everything of(CudaGpu gpu) {
        Memory memory = gpu.memory();
        Memory pinned = gpu.pinned();
        GpuStream stream = gpu.newStream();
        Memory pooled = gpu.pooled(stream);
        pooled.tensor(DType.F32, 1);
        PtxProgram program = gpu.load(Ptx.SAXPY);
        Tensor tensor = memory.tensor(DType.F32, 8);
        return new Everything(
                gpu,
                memory,
                pinned,
                pinned.tensor(DType.F32, 8),
                pooled,
                stream,
                stream.record(),
                stream.capture(() -> {}),
                program,
                program.function("nothing"),
                gpu.open(gpu.export(tensor), DType.F32, 8));
    }

    void close() {
        imported.close();
        program.close();
        graph.close();
        event.close();
        pooled.close();
        stream.close();
        pinned.close();
        memory.close();
    }

    void assertClosed() {
        assertMessage("this memory is closed", () -> memory.tensor(DType.F32, 1));
        assertMessage("this memory is closed", () -> pinned.tensor(DType.F32, 1));
        assertMessage("this memory is closed", () -> pooled.tensor(DType.F32, 1));
        assertMessage("Already closed", () -> host.get(0));
        assertMessage("this stream is closed", stream::synchronize);
        assertMessage("this stream is closed", stream::record);
        assertMessage("this stream is closed", () -> stream.capture(() -> {}));
        assertMessage("this event is closed", event::synchronize);
        assertMessage("this graph is closed", graph::launch);
        assertMessage("this program is closed", () -> program.function("nothing"));
        assertMessage("this program is closed", () -> program.variable("table"));
        assertMessage("this program is closed", () -> gpu.stream().launch(function, Launch.of(1, 1)));
    }

    private static void assertMessage(String expected, Thrown.Code code) {
        assertEquals(expected, Thrown.message(IllegalStateException.class, code));
    }
}
