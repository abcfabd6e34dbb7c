package dev.wok.kernel.ptx;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What tests of PTX run on: the emulator, for each kind of chip that there are kernels for.
public final class Gpus {
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_90A);

    /// What there are matrix products in.
    public static final Set<Precision> PRODUCTS = Set.of(Precision.BF16);

    private Gpus() {}

    /// @return by name, the same kernels twice: they must give the same bits
    public static Map<String, List<Kernels>> subjects(Precision precision) {
        Map<String, List<Kernels>> subjects = new LinkedHashMap<>();
        for (Target target : TARGETS) {
            Gpu gpu = Device.emulated();
            Kernels kernels = kernels(gpu, target, precision);
            subjects.put("emulated " + target, List.of(kernels, kernels));
        }
        return subjects;
    }

    /// The operations that have PTX kernels; the others are the reference's.
    private static Kernels kernels(Gpu gpu, Target target, Precision precision) {
        Programs programs = new Programs(gpu, target);
        Kernels others = Kernels.on(Device.host(1).stream(), Backend.REFERENCE, precision);
        return new Kernels(
                new Kernels.Choice(Backend.REFERENCE, "PTX where there are kernels, on " + gpu.describe()),
                precision,
                gpu.stream(),
                others.embedding(),
                new RmsNormPtx(programs),
                new Bf16Matmul(programs, precision),
                others.rotary(),
                others.attention(),
                others.latentKeys(),
                others.latentAttention(),
                others.cachedAttention(),
                new SwigluPtx(programs),
                others.routing(),
                others.balanceLoss(),
                others.experts(),
                others.crossEntropy(),
                others.elementwise(),
                new AdamWPtx(programs));
    }
}
