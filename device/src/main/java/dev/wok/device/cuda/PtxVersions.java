package dev.wok.device.cuda;

import dev.wok.device.Version;
import java.util.Map;
import java.util.TreeMap;

/// Which PTX a driver's assembler reads. Source: the release history in NVIDIA's PTX ISA.
final class PtxVersions {
    private static final TreeMap<Version, Version> BY_DRIVER = new TreeMap<>(Map.ofEntries(
            Map.entry(new Version(11, 4), new Version(7, 4)),
            Map.entry(new Version(11, 5), new Version(7, 5)),
            Map.entry(new Version(11, 6), new Version(7, 6)),
            Map.entry(new Version(11, 7), new Version(7, 7)),
            Map.entry(new Version(11, 8), new Version(7, 8)),
            Map.entry(new Version(12, 0), new Version(8, 0)),
            Map.entry(new Version(12, 1), new Version(8, 1)),
            Map.entry(new Version(12, 2), new Version(8, 2)),
            Map.entry(new Version(12, 3), new Version(8, 3)),
            Map.entry(new Version(12, 4), new Version(8, 4)),
            Map.entry(new Version(12, 5), new Version(8, 5)),
            Map.entry(new Version(12, 7), new Version(8, 6)),
            Map.entry(new Version(12, 8), new Version(8, 7)),
            Map.entry(new Version(12, 9), new Version(8, 8)),
            Map.entry(new Version(13, 0), new Version(9, 0)),
            Map.entry(new Version(13, 1), new Version(9, 1))));

    private PtxVersions() {}

    /// @param driver [DriverFunction#OLDEST] or newer
    /// @return the newest PTX that is known to go with it
    static Version of(Version driver) {
        Map.Entry<Version, Version> entry = BY_DRIVER.floorEntry(driver);
        if (entry == null) {
            throw new IllegalArgumentException(
                    "driver of CUDA %s, expected %s or newer".formatted(driver, DriverFunction.OLDEST));
        }
        return entry.getValue();
    }
}
