package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/// How much memory this machine, or the container around this process, could still give.
///
/// @param proc where the kernel tells about the machine, `/proc`
/// @param cgroup where it tells about the container, `/sys/fs/cgroup`
public record MachineMemory(Path proc, Path cgroup) {
    /// What Java's own objects may still come to need: batches, records, the report.
    private static final long HEAP = 512L << 20;

    /// What a run may take.
    ///
    /// @param place in words, such as "this machine"
    /// @param free bytes
    /// @param heap bytes that Java's own objects will take of them
    public record Room(String place, long free, long heap) {}

    /// @return what a run that computes there may take
    public static Room room(Device device) {
        if (device instanceof Gpu) {
            return new Room("the GPU", device.usableBytes(), 0);
        }
        Runtime java = Runtime.getRuntime();
        return new Room("this machine", available(), Math.min(HEAP, java.maxMemory() - java.totalMemory()));
    }

    /// @return bytes; where the system does not tell, more than any machine has
    static long available() {
        return new MachineMemory(Path.of("/proc"), Path.of("/sys/fs/cgroup")).bytes();
    }

    long bytes() {
        long machine = line(proc.resolve("meminfo"), "MemAvailable:").orElse(Long.MAX_VALUE >> 10) << 10;
        long second = container(cgroup, "memory.max", "memory.current", "");
        long first = container(cgroup.resolve("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_");
        return Math.min(machine, Math.min(first, second));
    }

    /// What is left of a container's limit; files that the system may forget count as free.
    private static long container(Path folder, String limitName, String usedName, String prefix) {
        OptionalLong limit = line(folder.resolve(limitName), "");
        OptionalLong used = line(folder.resolve(usedName), "");
        if (limit.isEmpty() || used.isEmpty()) {
            return Long.MAX_VALUE;
        }
        Path stat = folder.resolve("memory.stat");
        long inUse = used.getAsLong()
                - line(stat, prefix + "inactive_file ").orElse(0)
                - line(stat, prefix + "active_file ").orElse(0);
        return Math.max(0, limit.getAsLong() - Math.max(0, inUse));
    }

    /// @return the first number of the first line that begins so, empty where there is none
    private static OptionalLong line(Path file, String beginning) {
        try {
            List<String> lines = Files.exists(file) ? Files.readAllLines(file) : List.of();
            for (String line : lines) {
                if (line.startsWith(beginning)) {
                    String rest = line.substring(beginning.length()).strip();
                    return OptionalLong.of(
                            Long.parseLong(rest.endsWith(" kB") ? rest.substring(0, rest.length() - 3) : rest));
                }
            }
            return OptionalLong.empty();
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
