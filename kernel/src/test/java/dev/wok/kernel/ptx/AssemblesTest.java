package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.testkit.Ptxas;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// NVIDIA's assembler takes every module, where it is at hand, finds registers for all that they keep, and lets matrix
/// instructions overlap.
@Tag("slow")
class AssemblesTest {
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores");
    private static final int LEAST_MODULES = 400;

    @Test
    void everyModule() {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        List<Emitted.Module> all = Emitted.all();
        assertTrue(all.size() >= LEAST_MODULES, all.size() + " modules");
        all.parallelStream().forEach(module -> module.chips().forEach(chip -> assemble(module, chip)));
    }

    private static void assemble(Emitted.Module module, String chip) {
        String report = Ptxas.report(module.text(), chip);
        String what = "%s for %s: %s\n%s".formatted(module.name(), chip, report, module.text());
        assertFalse(report.contains("serialized"), what);
        Matcher spills = SPILLS.matcher(report);
        int count = 0;
        while (spills.find()) {
            count++;
            assertEquals("0", spills.group(1), what);
        }
        assertTrue(count > 0, "no word of spills: " + what);
    }

    /// What the assembler takes is what the emulator reads.
    @Test
    void theEmulatorReadsThemToo() {
        try (EmulatedGpu gpu = Device.emulated()) {
            for (Emitted.Module module : Emitted.all()) {
                assertEquals(List.of("kernel"), gpu.load(module.text()).kernels(), module.name());
            }
        }
    }
}
