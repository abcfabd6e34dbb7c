package dev.wok.device;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/// What tests of machine code need to know about the system that they run on.
final class Systems {
    private static final Path MAPS = Path.of("/proc/self/maps");

    private Systems() {}

    /// Skips the calling test where code for x86-64 does not run.
    static void assumeX86() {
        String arch = System.getProperty("os.arch");
        assumeTrue(Set.of("amd64", "x86_64").contains(arch), "machine code for x86-64 does not run on " + arch);
        assumeTrue(Program.supported(), "no executable pages here");
    }

    /// Skips the calling test where the system does not tell.
    ///
    /// @return what may be done with the page at an address: `r-xp` or alike
    static String permissions(long address) throws IOException {
        assumeTrue(Files.exists(MAPS), "no " + MAPS);
        for (String line : Files.readAllLines(MAPS)) {
            String[] parts = line.split("[- ]", 3);
            if (Long.compareUnsigned(address, Long.parseUnsignedLong(parts[0], 16)) >= 0
                    && Long.compareUnsigned(address, Long.parseUnsignedLong(parts[1], 16)) < 0) {
                return parts[2].substring(0, 4);
            }
        }
        throw new AssertionError("%x is not mapped".formatted(address));
    }
}
