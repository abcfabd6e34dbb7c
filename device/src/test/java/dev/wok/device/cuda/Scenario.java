package dev.wok.device.cuda;

import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuFacts;
import dev.wok.device.GpuGraph;
import dev.wok.device.GpuStream;
import dev.wok.device.Gpus;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.device.PtxProgram;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/// One use of everything that a GPU can do.
final class Scenario {
    private Scenario() {}

    /// Finds two GPUs, opens them and closes them, come what may.
    ///
    /// @return the work's failure and then the closing's, as far as there were any
    static List<RuntimeException> run(FakeDriver driver) {
        Platform platform = new Platform(driver);
        List<GpuFacts> facts = switch (platform.find()) {
            case Gpus.Found found -> found.gpus();
            case Gpus.Absent(String reason) -> throw new IllegalStateException(reason);
        };
        Failures failures = new Failures();
        failures.note(() -> {
            CudaGpu gpu = platform.open(facts.getFirst());
            failures.note(() -> {
                CudaGpu peer = platform.open(facts.getLast());
                failures.note(() -> work(gpu, peer));
                failures.note(peer::close);
                peer.close();
            });
            failures.note(gpu::close);
            gpu.close();
        });
        return failures.list;
    }

    private static final class Failures {
        final List<RuntimeException> list = new ArrayList<>();

        void note(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException e) {
                list.add(e);
            }
        }
    }

    private static void work(CudaGpu gpu, CudaGpu peer) {
        Memory memory = gpu.memory();
        Memory pinned = gpu.pinned();
        Tensor x = memory.tensor(DType.F32, 4, 16);
        Tensor y = memory.tensor(DType.F32, 4, 16);
        Tensor host = pinned.tensor(DType.F32, 4, 16);
        gpu.stream().copy(host, x);
        gpu.stream().fill(y, (byte) 1);
        gpu.upload(Tensor.of(new float[16]), x.select(0, 2));
        gpu.download(x.select(0, 2), Tensor.of(new float[16]));

        PtxProgram program = gpu.load(Ptx.SAXPY);
        program.variable("table");
        PtxFunction saxpy = program.function("saxpy");
        Launch launch = Launch.of(2, 32);
        gpu.stream().launch(saxpy, launch, x, y, 2f, 64);
        gpu.stream().launch(saxpy, launch.withShared(100_000).withProgrammatic(true), x, host, 2f, 64);
        PtxFunction box = gpu.load(Ptx.boxes("sm_90a")).function("box");
        gpu.stream().launch(box, launch.withCluster(2, 1, 1), TensorMap.of(x, 2, 16), y, 0, 0);
        gpu.stream().launch(box, Launch.of(16, 1).withCluster(16, 1, 1), TensorMap.of(x, 2, 16), y, 0, 0);

        GpuStream other = gpu.newStream();
        GpuEvent start = gpu.stream().record();
        other.waitFor(start);
        Tensor z = gpu.pooled(other).tensor(DType.F32, 64);
        other.copy(x.reshape(64), z);
        GpuEvent end = other.record();
        end.nanosSince(start);
        end.isDone();
        start.close();
        GpuGraph graph = other.capture(() -> other.launch(saxpy, launch, x, y, 2f, 64));
        graph.launch();
        other.synchronize();
        gpu.pooled(gpu.stream()).tensor(DType.U8, 3);

        gpu.canReach(peer);
        gpu.reach(peer);
        gpu.stream().copy(peer.memory().tensor(DType.F32, 4, 16), x);
        Gpu.Import open = gpu.open(gpu.export(y), DType.F32, 64);
        gpu.stream().copy(open.tensor(), x.reshape(64));
        open.close();
        gpu.newStream().close();
        memory.close();
    }
}
