package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.bench.Sizes.Cached;
import dev.wok.bench.Sizes.Decode;
import dev.wok.bench.Sizes.Mixture;
import dev.wok.bench.Sizes.Prompt;
import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Processor;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/// The whole measurement on tiny sizes: what it prints, not how fast it is.
class KernelBenchTest {
    private static final Sizes TINY = new Sizes(
            16,
            32,
            new Mixture(16, 2, 24, 16, 8),
            new Prompt(8, 2, 6, 4),
            new Decode(2, 8, 2, 8, 4, 4, 4),
            new Cached(2, 8, 4, 2, 8),
            new int[] {20, 24},
            1000,
            new int[] {4, 20},
            new int[] {3, 50},
            1 << 20,
            0.01);

    private static final Map<String, String> UNITS = Map.ofEntries(
            Map.entry("bf16_matmul_1024", "GFLOP/s"),
            Map.entry("bf16_matmul_2048", "GFLOP/s"),
            Map.entry("f32_matmul_2048", "GFLOP/s"),
            Map.entry("experts_forward", "GFLOP/s"),
            Map.entry("experts_backward", "GFLOP/s"),
            Map.entry("attention_prefill", "GFLOP/s"),
            Map.entry("attention_backward", "GFLOP/s"),
            Map.entry("mla_decode", "GFLOP/s"),
            Map.entry("gqa_decode", "GB/s"),
            Map.entry("adamw", "GB/s"),
            Map.entry("rms_norm", "GB/s"),
            Map.entry("cross_entropy_129k", "GB/s"),
            Map.entry("cast", "GB/s"),
            Map.entry("dispatch", "µs"));

    private static KernelRun run(int threads, String... only) {
        return run(Backend.VECTOR, threads, only);
    }

    private static KernelRun run(Backend backend, int threads, String... only) {
        return KernelBench.run(List.of(only), threads, backend, TINY, Progress.silent());
    }

    /// The room itself has no use for the parser.
    @BeforeAll
    static void readTheParser() {
        KernelBenchTest.class
                .getModule()
                .addReads(ModuleLayer.boot().findModule("java.xml").orElseThrow());
    }

    @Test
    void rowsHaveTheirNamesUnitsAndLimits() {
        KernelRun run = run(2);
        List<String> names = run.rows().stream().map(Row::name).toList();
        assertEquals(UNITS.size(), names.size());
        for (Row row : run.rows()) {
            assertEquals(UNITS.get(row.name()), row.unit(), row.name());
            assertTrue(row.value() > 0 && row.againstValue() > 0, row.toString());
            assertEquals(row.value() / row.againstValue(), row.ratio());
            assertFalse(row.against().isBlank());
            String precision = row.name().contains("bf16") ? "bf16" : "f32";
            assertEquals(new Setup("vector", "vector", precision, 2), row.setup());
        }
        assertEquals("dispatch", names.getLast());
        assertTrue(run.readGBs() > 0 && run.moveGBs() >= run.readGBs());
        assertEquals("float32", run.ceilings().getFirst().name());
    }

    /// What the Vector API's kernels do not read.
    @Test
    void machineCodeMultipliesStoredBf16() {
        try (HostDevice device = Device.host(1)) {
            assumeTrue(Processor.describe(device).used().isPresent(), "no machine code here");
        }
        Row row = run(Backend.X86, 1, "matvec_bf16").rows().getFirst();
        assertEquals("GB/s", row.unit());
        assertEquals("plain read, 1 thread", row.against());
        assertEquals("x86", row.setup().backend());
        assertEquals("bf16", row.setup().precision());
    }

    @Test
    void machineCodeMultipliesWholeNumbers() {
        try (HostDevice device = Device.host(1)) {
            assumeTrue(Processor.describe(device).used().isPresent(), "no machine code here");
        }
        List<Row> rows = run(Backend.X86, 1, "int8_matmul_2048", "matvec_int8", "matvec_int4")
                .rows();
        assertEquals(
                List.of("GFLOP/s", "GB/s", "GB/s"), rows.stream().map(Row::unit).toList());
        for (Row row : rows) {
            assertEquals("int8", row.setup().precision());
            assertTrue(row.value() > 0, row.toString());
        }
    }

    @Test
    void machineCodeMultipliesE4m3() {
        try (HostDevice device = Device.host(1)) {
            assumeTrue(Processor.describe(device).used().isPresent(), "no machine code here");
        }
        Row row = run(Backend.X86, 1, "matvec_fp8").rows().getFirst();
        assertEquals("GB/s", row.unit());
        assertEquals("f32", row.setup().precision());
        assertTrue(row.value() > 0, row.toString());
    }

    @Test
    void aRowSaysWhatItWasMeasuredWith() {
        Row row = run(1, "adamw").rows().getFirst();
        assertEquals(
                List.of(
                        "name",
                        "value",
                        "unit",
                        "against",
                        "against_value",
                        "ratio",
                        "flop_per_byte",
                        "backend",
                        "instruction_set",
                        "precision",
                        "threads"),
                new ArrayList<>(row.values().keySet()));
        assertEquals("four reads and three writes in place, 1 thread", row.against());
        assertEquals(1, row.values().get("threads"));
    }

    @Test
    void onlyWhatWasAskedForIsMeasured() {
        List<String> names =
                run(2, "rms_norm", "mla_decode").rows().stream().map(Row::name).toList();
        assertEquals(List.of("mla_decode", "rms_norm"), names);
    }

    @Test
    void anUnknownRowIsRefused() {
        BadInput refusal = assertThrows(BadInput.class, () -> run(2, "matmul"));
        assertTrue(
                String.valueOf(refusal.getMessage()).startsWith("--only matmul: expected some of bf16_matmul_1024, "),
                refusal.getMessage());
        assertTrue(String.valueOf(
                        assertThrows(BadInput.class, () -> run(1, "dispatch")).getMessage())
                .endsWith("(dispatch needs two threads)."));
    }

    @Test
    void thePictureHoldsAPointPerKernel() throws Exception {
        KernelRun run = run(2);
        Document svg = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(run.roofline())));
        NodeList circles = svg.getElementsByTagName("circle");
        List<String> points = new ArrayList<>();
        for (int i = 0; i < circles.getLength(); i++) {
            points.add(circles.item(i).getAttributes().getNamedItem("data-row").getNodeValue());
        }
        // Dispatch does no arithmetic.
        assertEquals(
                run.rows().stream()
                        .map(Row::name)
                        .filter(name -> !name.equals("dispatch"))
                        .toList(),
                points);
        assertFalse(run.roofline().contains("NaN"));
    }
}
