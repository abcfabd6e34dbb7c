package dev.wok.kernel.vector;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.HostBalanceLoss;
import dev.wok.kernel.host.HostFp8Matmul;

/// Kernels in the Vector API: float32 on every thread of the host. [Precision#BF16] is emulated: operands are rounded
/// as they are copied, which takes longer than float32 does.
public final class VectorKernels {
    private VectorKernels() {}

    /// @return the kernels on a host's stream
    public static Kernels on(HostDevice host, Precision precision) {
        Workers workers = host.workers();
        Gemm gemm = new Gemm(workers);
        String reason = "Vector API, %d-bit vectors, %s, %d thread%s"
                .formatted(
                        Lanes.COUNT * Float.SIZE,
                        precision == Precision.F32 ? "float32" : "bfloat16 products emulated in float32",
                        workers.count(),
                        workers.count() == 1 ? "" : "s");
        PackedVector packed = new PackedVector(workers, precision);
        return new Kernels(
                new Kernels.Choice(Backend.VECTOR, reason),
                precision,
                host.stream(),
                new EmbeddingVector(workers),
                new RmsNormVector(workers),
                new MatmulVector(gemm, packed, precision),
                new HostFp8Matmul(workers),
                new RotaryVector(workers),
                new AttentionVector(workers, precision),
                new LatentKeysVector(workers),
                new LatentAttentionVector(workers, packed, precision),
                new CachedAttentionVector(workers, precision),
                new SwigluVector(workers),
                new RoutingVector(workers),
                new HostBalanceLoss(workers),
                new ExpertsVector(workers, gemm, packed, precision),
                new CrossEntropyVector(workers),
                new ElementwiseVector(workers),
                new AdamWVector(workers));
    }
}
