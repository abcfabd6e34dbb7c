package dev.wok.device.cuda;

import dev.wok.device.Gpu;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;
import java.util.Optional;

/// NVIDIA's driver on this machine, loaded when somebody first asks.
public final class Cuda {
    private static final class Loaded {
        static final Optional<Platform> PLATFORM = load();
        static final Gpus GPUS = PLATFORM.map(Platform::find).orElseGet(() -> missing(NativeDriver.library()));

        private Loaded() {}

        private static Optional<Platform> load() {
            return isAllowed() ? NativeDriver.load(NativeDriver.library()).map(Platform::new) : Optional.empty();
        }
    }

    private Cuda() {}

    private static boolean isAllowed() {
        return Cuda.class.getModule().isNativeAccessEnabled();
    }

    static Gpus missing(String library) {
        return new Gpus.Absent(
                isAllowed()
                        ? "no CUDA driver: %s is not on this machine".formatted(library)
                        : "Java may not call a driver here: start it with --enable-native-access=wok.device");
    }

    /// @return the GPUs that the driver finds; the same each time
    public static Gpus find() {
        return Loaded.GPUS;
    }

    /// @param facts of a GPU that was found
    public static Gpu open(GpuFacts facts) {
        return Loaded.PLATFORM
                .orElseThrow(() -> new IllegalStateException("no CUDA driver"))
                .open(facts);
    }
}
