package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFault;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// What `docs/concepts/ptx.md` says is so.
class PtxConceptTest {
    private static final Path PAGE = Path.of("../docs/concepts/ptx.md");
    private static final Path SOURCE = Path.of("src/test/java/dev/wok/kernel/ptx/RowSums.java");

    private final EmulatedGpu gpu = Device.emulated();
    private final Memory memory = gpu.pinned();

    @Test
    void thePageShowsThisCode() throws IOException {
        String[] parts = Files.readString(SOURCE).split(" *// shown\n");
        String shown = parts[1].indent(-4);
        assertTrue(Files.readString(PAGE).contains("```java\n" + shown + "```"), shown);
    }

    @Test
    void thePageShowsThisText() throws IOException {
        assertTrue(Files.readString(PAGE).contains("```\n" + RowSums.text() + "```"), RowSums.text());
    }

    private Tensor run(String ptx) {
        Tensor x = memory.tensor(DType.F32, 3, 100);
        Tensor sums = memory.tensor(DType.F32, 3);
        for (int i = 0; i < x.elements(); i++) {
            x.set(i, i);
        }
        gpu.stream().launch(gpu.load(ptx).function("row_sums"), Launch.of(3, 64), x, sums, 100);
        return sums;
    }

    @Test
    void itAddsRows() {
        Tensor sums = run(RowSums.text());
        for (int row = 0; row < 3; row++) {
            assertEquals(100 * 99 / 2 + row * 100 * 100, sums.get(row));
        }
    }

    @Test
    void withoutTheBarrierItIsARace() throws IOException {
        String broken = RowSums.text().replace("    bar.sync 0;\n", "");
        PtxFault fault = assertThrows(PtxFault.class, () -> run(broken));
        assertTrue(
                Files.readString(PAGE).contains(String.valueOf(fault.getMessage())),
                String.valueOf(fault.getMessage()));
    }
}
