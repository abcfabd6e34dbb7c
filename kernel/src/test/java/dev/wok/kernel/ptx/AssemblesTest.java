package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import dev.wok.tensor.DType;
import dev.wok.testkit.Ptxas;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// NVIDIA's assembler takes the kernels, where it is at hand, and finds registers for all that they keep.
class AssemblesTest {
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores");
    private static final List<String> CHIPS = List.of("sm_80", "sm_89", "sm_90", "sm_100");

    @BeforeEach
    void assumeAssembler() {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
    }

    private static void check(Target target, List<String> chips, Consumer<PtxKernel> code) {
        String text = Programs.text(target, "kernel", code);
        for (String chip : chips) {
            Matcher spills = SPILLS.matcher(Ptxas.report(text, chip));
            boolean isCounted = false;
            while (spills.find()) {
                isCounted = true;
                assertEquals("0", spills.group(1), chip + "\n" + text);
            }
            assertFalse(!isCounted, "no word of spills for " + chip);
        }
    }

    /// Every kernel that a GPU's operations ask for.
    @Test
    void operations() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int count : new int[] {1, Elements.WIDE}) {
                Elements elements = new Elements(dtype, count);
                RmsNormPtx.kernels(elements).forEach(code -> check(Target.SM_80, CHIPS, code));
                SwigluPtx.kernels(elements).forEach(code -> check(Target.SM_80, CHIPS, code));
                AdamWPtx.kernels(elements).forEach(code -> check(Target.SM_80, CHIPS, code));
            }
            for (boolean turns : new boolean[] {false, true}) {
                check(Target.SM_80, CHIPS, new PackBf16(dtype, turns)::write);
            }
        }
    }

    @Test
    void products() {
        for (boolean accumulates : new boolean[] {false, true}) {
            for (int size : new int[] {64, 4096}) {
                check(Target.SM_80, CHIPS, ProductSm80.choose(size, size, accumulates)::write);
                check(Target.SM_90A, List.of("sm_90a"), ProductSm90.choose(size, size, accumulates)::write);
            }
        }
    }

    /// What the emulator is given is what the assembler takes.
    @Test
    void theEmulatorReadsThemToo() {
        try (EmulatedGpu gpu = Device.emulated()) {
            ProductSm90 shape = ProductSm90.choose(4096, 4096, false);
            assertEquals(
                    List.of("product"),
                    gpu.load(Programs.text(Target.SM_90A, "product", shape::write))
                            .kernels());
        }
    }
}
