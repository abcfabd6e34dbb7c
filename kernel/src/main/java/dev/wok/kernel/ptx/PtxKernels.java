package dev.wok.kernel.ptx;

import dev.wok.device.ComputeCapability;
import dev.wok.device.Gpu;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Explanation;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.PeerRows;
import dev.wok.kernel.Precision;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.function.Consumer;

/// Kernels in PTX that is written at run time, for the sizes of the model and the GPU at hand.
public final class PtxKernels {
    private PtxKernels() {}

    /// @return the kernels on the stream that a GPU always has
    /// @throws BadInput where there are none for this GPU
    public static Kernels on(Gpu gpu, Precision precision) {
        return on(gpu, target(gpu), precision);
    }

    /// Text for a processor without a letter runs on all later ones.
    private static Target target(Gpu gpu) {
        ComputeCapability capability = gpu.facts().capability();
        if (capability.equals(new ComputeCapability(9, 0))) {
            return Target.SM_90A;
        }
        if (!capability.atLeast(8, 0)) {
            throw new BadInput(
                    "there are no kernels for %s, expected compute capability 8.0 or above.".formatted(gpu.describe()));
        }
        return capability.atLeast(8, 9) ? Target.SM_89 : Target.SM_80;
    }

    /// @return the bytes that a weight's form takes where its products are in bf16
    public static long formBytes(Dense weight) {
        return DenseForms.bytes(weight);
    }

    /// @return what is done with rows that travel between GPUs
    /// @throws BadInput where there are no kernels for this one
    public static PeerRows peerRows(Gpu gpu) {
        return new PeerRowsPtx(new Programs(gpu, target(gpu)));
    }

    static Kernels on(Gpu gpu, Target target, Precision precision) {
        return on(new Programs(gpu, target), precision);
    }

    /// See [Explanation#of].
    public static List<Explanation> explained(Gpu gpu, Precision precision, Consumer<Kernels> work) {
        Programs programs = new Programs(gpu, target(gpu));
        work.accept(on(programs, precision));
        return programs.explanations();
    }

    private static Kernels on(Programs programs, Precision precision) {
        return on(programs, precision, new AttentionPtx(programs, precision));
    }

    static Kernels on(Programs programs, Precision precision, AttentionPtx attention) {
        Gpu gpu = programs.gpu();
        return new Kernels(
                new Kernels.Choice(
                        Backend.PTX,
                        "PTX for %s, %s, on %s".formatted(programs.target(), precision.text(), gpu.describe())),
                precision,
                gpu.stream(),
                new EmbeddingPtx(programs),
                new RmsNormPtx(programs),
                new MatmulPtx(programs, precision, new PackedProduct(programs, precision)::multiply),
                new Fp8MatmulPtx(programs),
                new RotaryPtx(programs),
                attention,
                new LatentKeysPtx(programs),
                new LatentAttentionPtx(programs, precision),
                new CachedAttentionPtx(programs, precision),
                new SwigluPtx(programs),
                new RoutingPtx(programs),
                new BalanceLossPtx(programs),
                new ExpertsPtx(programs, precision),
                new CrossEntropyPtx(programs),
                new ElementwisePtx(programs),
                new AdamWPtx(programs));
    }
}
