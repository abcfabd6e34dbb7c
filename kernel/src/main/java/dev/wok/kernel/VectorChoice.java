package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.kernel.vector.VectorKernels;
import dev.wok.notice.BadInput;

/// Loads the Vector API kernels where their module is there; apart from [Kernels], so that this class and no other
/// fails to link without it.
final class VectorChoice {
    private VectorChoice() {}

    static Kernels on(HostDevice host, Precision precision) {
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            throw new BadInput(
                    "this Java runs without the Vector API: start it with --add-modules jdk.incubator.vector"
                            + " (the wok launcher does, where WOK_ISA=vector is set), or name the slow reference kernels with --backend reference.");
        }
        return VectorKernels.on(host, precision);
    }
}
