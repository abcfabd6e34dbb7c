package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Processor;
import dev.wok.kernel.host.HostBalanceLoss;
import dev.wok.kernel.host.HostFp8Matmul;
import dev.wok.notice.BadInput;
import java.util.function.Function;

/// Kernels in machine code that is written at run time for the processor at hand.
public final class X86Kernels {
    private X86Kernels() {}

    /// @return the kernels on a host's stream
    /// @throws BadInput where none are written for this processor, or the environment asks for none
    public static Kernels on(HostDevice host, Processor processor, Precision precision) {
        Isa isa = ProcessorX86.used(processor)
                .orElseThrow(
                        () -> new BadInput("kernels in machine code do not run here (%s): %s; take another backend."
                                .formatted(processor.name(), processor.reason())));
        return on(host, isa, Tuned.of(host, processor).orElse(Tilings.usualFor(isa)), precision);
    }

    /// @return the kernels in one set of instructions, untuned
    public static Kernels on(HostDevice host, Isa isa, Precision precision) {
        return on(host, isa, Tilings.usualFor(isa), precision);
    }

    /// @param loader makes the code of that set callable: [HostDevice#load], where the processor has it
    /// @return the kernels in one set of instructions, untuned
    public static Kernels on(HostDevice host, Isa isa, Precision precision, Function<byte[], Program> loader) {
        return on(new Programs(host, isa, loader), Tilings.usualFor(isa), precision);
    }

    static Kernels on(HostDevice host, Isa isa, Tilings tilings, Precision precision) {
        return on(new Programs(host, isa), tilings, precision);
    }

    static Kernels on(Programs programs, Tilings tilings, Precision precision) {
        HostDevice host = programs.device();
        Gemm gemm = new Gemm(programs, tilings);
        Forms forms = new Forms(gemm);
        PackedGemm packed = new PackedGemm(programs);
        StripAttention strips = new StripAttention(gemm, precision);
        String reason = "machine code for %s, %s, %d thread%s"
                .formatted(
                        programs.isa().text(),
                        precision.text(),
                        host.workers().count(),
                        host.workers().count() == 1 ? "" : "s");
        return new Kernels(
                new Kernels.Choice(Backend.X86, reason),
                precision,
                host.stream(),
                new EmbeddingX86(programs),
                new RmsNormX86(programs),
                new MatmulX86(gemm, forms, packed, precision),
                new HostFp8Matmul(host.workers()),
                new RotaryX86(programs),
                new AttentionX86(gemm, precision),
                new LatentKeysX86(programs),
                new LatentAttentionX86(gemm, forms, strips, precision),
                new CachedAttentionX86(strips),
                new SwigluX86(programs),
                new RoutingX86(programs),
                new HostBalanceLoss(host.workers()),
                new ExpertsX86(gemm, forms, packed, precision),
                new CrossEntropyX86(programs),
                new ElementwiseX86(programs),
                new AdamWX86(programs));
    }
}
