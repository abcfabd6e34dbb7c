package dev.wok.device.cuda;

import dev.wok.device.Gpus;

/// GPUs of a fake driver.
final class Opened {
    private Opened() {}

    /// @return the driver's first GPU
    static CudaGpu of(FakeDriver driver) {
        return of(new Platform(driver), 0);
    }

    static CudaGpu of(Platform platform, int index) {
        return switch (platform.find()) {
            case Gpus.Found found -> platform.open(found.gpus().get(index));
            case Gpus.Absent(String reason) -> throw new AssertionError(reason);
        };
    }
}
