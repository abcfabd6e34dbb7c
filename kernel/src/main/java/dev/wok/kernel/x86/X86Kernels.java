package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.reference.ReferenceKernels;

/// Kernels in machine code that is written at run time for the processor at hand.
public final class X86Kernels {
    private X86Kernels() {}

    /// @return the kernels on a host's stream
    static Kernels on(HostDevice host, Isa isa) {
        Programs programs = new Programs(host, isa);
        Kernels rest = ReferenceKernels.on(host.stream());
        String reason = "machine code for %s, %d threads"
                .formatted(isa.text(), host.workers().count());
        return new Kernels(
                new Kernels.Choice(Backend.VECTOR, reason),
                host.stream(),
                new EmbeddingX86(programs),
                new RmsNormX86(programs),
                rest.matmul(),
                new RotaryX86(programs),
                rest.attention(),
                new LatentKeysX86(programs),
                rest.latentAttention(),
                new SwigluX86(programs),
                new RoutingX86(programs),
                new BalanceLossX86(programs),
                rest.experts(),
                new CrossEntropyX86(programs),
                new ElementwiseX86(programs),
                new AdamWX86(programs));
    }
}
