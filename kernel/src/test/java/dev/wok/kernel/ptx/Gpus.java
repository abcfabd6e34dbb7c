package dev.wok.kernel.ptx;

import dev.wok.device.ComputeCapability;
import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.Gpus.Absent;
import dev.wok.device.Gpus.Found;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What tests of PTX run on: the emulator, for each kind of chip that there are kernels for, and this
/// machine's GPU where it has one. `-Dwok.require=ptx` makes it an error to have none.
public final class Gpus {
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_90A);

    /// How many tiles of attention are tried, and every how many-th.
    private static final int ATTENTION_TILES = 5;

    private static final int ATTENTION_STEP = 7;

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

    /// Sums by the tensor cores, and approximate functions, are the chip's own affair. Everything else
    /// has the same bits wherever it runs.
    ///
    /// @param hasProducts whether there are some
    /// @param isSpecialised whether there is code for one kind of chip alone
    /// @return by name, kernels that must give the same bits
    public static Map<String, List<Kernels>> subjects(Precision precision, boolean hasProducts, boolean isSpecialised) {
        Map<String, List<Kernels>> subjects = new LinkedHashMap<>();
        for (Target target : isSpecialised ? TARGETS : TARGETS.subList(0, 1)) {
            Kernels emulated = PtxKernels.on(Device.emulated(), target, precision);
            List<Kernels> alike = new ArrayList<>(List.of(emulated, emulated));
            chip(target).map(gpu -> PtxKernels.on(gpu, target, precision)).ifPresent(chip -> {
                if (hasProducts) {
                    subjects.put("chip, " + target, List.of(chip, chip));
                } else {
                    alike.add(chip);
                }
            });
            subjects.put("emulated " + target, alike);
        }
        return subjects;
    }

    /// @return by name, kernels whose attention takes other tiles than the best ones
    public static Map<String, List<Kernels>> attentionTiles() {
        Map<String, List<Kernels>> subjects = new LinkedHashMap<>();
        for (int i = 0; i < ATTENTION_TILES; i++) {
            int number = i * ATTENTION_STEP;
            Target target = TARGETS.get(i % TARGETS.size());
            Programs programs = new Programs(Device.emulated(), target);
            AttentionPtx attention = new AttentionPtx(programs, Precision.BF16, costs -> number % costs.length);
            subjects.put(
                    "tile %d, %s".formatted(number, target),
                    List.of(PtxKernels.on(programs, Precision.BF16, attention)));
        }
        return subjects;
    }
}
