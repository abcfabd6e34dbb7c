package dev.wok.kernel.vector;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;

/// Kernels in the Vector API: float32 on every thread of the host.
public final class VectorKernels {
    private VectorKernels() {}

    /// @return the kernels on a host's stream
    public static Kernels on(HostDevice host) {
        Workers workers = host.workers();
        Gemm gemm = new Gemm(workers);
        String reason = "Vector API, %d-bit vectors, float32, %d thread%s"
                .formatted(Lanes.COUNT * Float.SIZE, workers.count(), workers.count() == 1 ? "" : "s");
        return new Kernels(
                new Kernels.Choice(Backend.VECTOR, reason),
                host.stream(),
                new EmbeddingVector(workers),
                new RmsNormVector(workers),
                new MatmulVector(workers, gemm),
                new RotaryVector(workers),
                new AttentionVector(workers),
                new LatentKeysVector(workers),
                new LatentAttentionVector(workers),
                new SwigluVector(workers),
                new RoutingVector(workers),
                new BalanceLossVector(workers),
                new ExpertsVector(workers, gemm),
                new CrossEntropyVector(workers),
                new ElementwiseVector(workers),
                new AdamWVector(workers));
    }
}
