package dev.wok.kernel.ptx;

import dev.wok.device.ComputeCapability;
import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.Gpus.Absent;
import dev.wok.device.Gpus.Found;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What tests of PTX run on: the emulator, for each kind of chip that there are kernels for, and this machine's GPU
/// where
/// it has one. `-Dwok.require=ptx` makes it an error to have none.
public final class Gpus {
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_90A);

    /// What there are matrix products in.
    public static final Set<Precision> PRODUCTS = Set.of(Precision.BF16);

    private static final Optional<Gpu> CHIP = chip();

    private Gpus() {}

    private static Optional<Gpu> chip() {
        return switch (dev.wok.device.Gpus.find()) {
            case Found found -> Optional.of(found.open(0));
            case Absent(String reason) -> {
                if ("ptx".equals(System.getProperty("wok.require"))) {
                    throw new AssertionError(reason);
                }
                yield Optional.empty();
            }
        };
    }

    /// @return this machine's GPU, where it runs this kind of code
    static Optional<Gpu> chip(Target target) {
        return CHIP.filter(gpu -> runs(gpu.facts().capability(), target));
    }

    private static boolean runs(ComputeCapability chip, Target target) {
        return target == Target.SM_90A ? chip.equals(new ComputeCapability(9, 0)) : chip.atLeast(8, 0);
    }

    /// Sums by the tensor cores are the chip's own affair. Everything else has the same bits wherever it runs.
    ///
    /// @return by name, kernels that must give the same bits
    public static Map<String, List<Kernels>> subjects(Precision precision) {
        Map<String, List<Kernels>> subjects = new LinkedHashMap<>();
        for (Target target : TARGETS) {
            Kernels emulated = kernels(Device.emulated(), target, precision);
            List<Kernels> alike = new ArrayList<>(List.of(emulated, emulated));
            chip(target).map(gpu -> kernels(gpu, target, precision)).ifPresent(chip -> {
                if (PRODUCTS.contains(precision)) {
                    subjects.put("chip, " + target, List.of(chip, chip));
                } else {
                    alike.add(chip);
                }
            });
            subjects.put("emulated " + target, alike);
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
