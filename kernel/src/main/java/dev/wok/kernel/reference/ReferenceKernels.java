package dev.wok.kernel.reference;

import dev.wok.device.Stream;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;

/// The definition of every operation: plain loops in the order of the formulas, sums in double precision, tensors of
/// F32 or F64. One thread.
public final class ReferenceKernels {
    private ReferenceKernels() {}

    /// @return the kernels on a host stream
    public static Kernels on(Stream stream, Precision precision) {
        return new Kernels(
                new Kernels.Choice(
                        Backend.REFERENCE, "asked for by name: plain loops, double accumulation, one thread"),
                precision,
                stream,
                new EmbeddingReference(),
                new RmsNormReference(),
                new MatmulReference(precision),
                new Fp8MatmulReference(),
                new RotaryReference(),
                new AttentionReference(precision),
                new LatentKeysReference(),
                new LatentAttentionReference(precision),
                new CachedAttentionReference(precision),
                new SwigluReference(),
                new RoutingReference(),
                new BalanceLossReference(),
                new ExpertsReference(precision),
                new CrossEntropyReference(),
                new ElementwiseReference(),
                new AdamWReference());
    }
}
