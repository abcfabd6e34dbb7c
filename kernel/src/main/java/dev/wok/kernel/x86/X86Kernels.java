package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.reference.ReferenceKernels;

/// Kernels in machine code that is written at run time for the processor at hand.
public final class X86Kernels {
    private X86Kernels() {}

    /// @return the kernels on a host's stream
    static Kernels on(HostDevice host, Isa isa, Precision precision) {
        Programs programs = new Programs(host, isa);
        Gemm gemm = new Gemm(programs);
        Forms forms = new Forms(gemm);
        Kernels rest = ReferenceKernels.on(host.stream(), precision);
        String reason = "machine code for %s, %d threads"
                .formatted(isa.text(), host.workers().count());
        return new Kernels(
                new Kernels.Choice(Backend.X86, reason),
                precision,
                host.stream(),
                rest.embedding(),
                rest.rmsNorm(),
                new MatmulX86(gemm, forms, precision),
                rest.rotary(),
                rest.attention(),
                rest.latentKeys(),
                rest.latentAttention(),
                rest.swiglu(),
                rest.routing(),
                rest.balanceLoss(),
                new ExpertsX86(gemm, forms, precision),
                rest.crossEntropy(),
                rest.elementwise(),
                rest.adamW());
    }
}
