package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineMemoryTest {
    @TempDir
    Path folder;

    private MachineMemory memory;

    @BeforeEach
    void machine() throws IOException {
        Files.writeString(folder.resolve("meminfo"), "MemTotal:  4000 kB\nMemAvailable:    3000 kB\n");
        memory = new MachineMemory(folder, folder.resolve("cgroup"));
        Files.createDirectories(folder.resolve("cgroup/memory"));
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve("cgroup").resolve(name), text);
    }

    @Test
    void theMachineIsTheLimit() {
        assertEquals(3000 << 10, memory.bytes());
        assertTrue(MachineMemory.available() > 1 << 20);
    }

    @Test
    void aContainerIsTheLimit() throws IOException {
        write("memory.max", "2000000\n");
        write("memory.current", "1500000\n");
        assertEquals(500_000, memory.bytes());
        write("memory.stat", "anon 1200000\ninactive_file 200000\nactive_file 100000\n");
        assertEquals(800_000, memory.bytes());
    }

    @Test
    void anOlderContainerIsTheLimit() throws IOException {
        write("memory/memory.limit_in_bytes", "2000000\n");
        write("memory/memory.usage_in_bytes", "1900000\n");
        write("memory/memory.stat", "inactive_file 5\ntotal_inactive_file 50000\n");
        assertEquals(150_000, memory.bytes());
    }

    @Test
    void aContainerWithoutLimitIsNone() throws IOException {
        write("memory.max", "max\n");
        write("memory.current", "1500000\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/memory.usage_in_bytes", "1900000\n");
        assertEquals(3000 << 10, memory.bytes());
    }
}
