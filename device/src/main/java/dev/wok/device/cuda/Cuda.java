package dev.wok.device.cuda;

import dev.wok.device.Gpu;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;

/// The door of this package.
public final class Cuda {
    private Cuda() {}

    public static Gpus find() {
        return new Gpus.Absent("the CUDA driver is not used yet");
    }

    public static Gpu open(GpuFacts facts) {
        throw new IllegalStateException("no such GPU: %s".formatted(facts));
    }
}
