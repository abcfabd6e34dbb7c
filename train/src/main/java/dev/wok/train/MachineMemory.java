package dev.wok.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// How much memory this machine could still give.
final class MachineMemory {
    private MachineMemory() {}

    /// @return bytes; where the system does not tell, more than any machine has
    static long available() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
                if (line.startsWith("MemAvailable:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
        } catch (IOException | NumberFormatException e) {
            return Long.MAX_VALUE;
        }
        return Long.MAX_VALUE;
    }
}
