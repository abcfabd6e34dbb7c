package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.bench.GpuSizes.Texts;
import dev.wok.bench.Sizes.Mixture;
import dev.wok.bench.Sizes.Prompt;
import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.device.EmulatedGpu;
import dev.wok.kernel.Explanation;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// The measurements of a GPU on tiny sizes, in the emulator: what they print, not how fast it is.
class GpuBenchTest {
    private static final GpuSizes TINY = new GpuSizes(
            List.of(new int[] {16, 24, 32}, new int[] {1, 16, 130}),
            List.of(new Mixture(16, 2, 8, 16, 8)),
            new Prompt(8, 2, 6, 4),
            new Texts(2, 64, 2, 16, 4, 8, 8),
            new int[] {20, 40},
            1000,
            new int[] {4, 20},
            new int[] {3, 50},
            1 << 10,
            1,
            1,
            1);

    @Test
    void rowsHaveTheirNamesUnitsAndLimits() {
        try (EmulatedGpu gpu = Device.emulated()) {
            KernelRun run = GpuBench.run(gpu, List.of(), TINY, Progress.silent());
            Set<String> names = run.rows().stream().map(Row::name).collect(Collectors.toSet());
            assertEquals(run.rows().size(), names.size());
            for (String name : List.of("matmul_16x24x32", "fp8_1x16x130", "experts_2of16_backward", "mla_decode")) {
                assertTrue(names.contains(name), name + " of " + names);
            }
            for (Row row : run.rows()) {
                boolean computes = row.unit().equals("TFLOP/s");
                assertTrue(computes || row.unit().equals("GB/s"), row.unit());
                assertTrue(row.value() > 0 && row.againstValue() > 0, row.toString());
                assertEquals(
                        computes ? "tensor cores, wgmma on zeros" : "the driver's copy", row.against(), row.name());
                assertEquals("sm_90a", row.setup().instructionSet());
            }
        }
    }

    @Test
    void oneRowAlone() {
        try (EmulatedGpu gpu = Device.emulated()) {
            KernelRun run = GpuBench.run(gpu, List.of("rms_norm"), TINY, Progress.silent());
            assertEquals(List.of("rms_norm"), run.rows().stream().map(Row::name).toList());
            BadInput refusal =
                    assertThrows(BadInput.class, () -> GpuBench.run(gpu, List.of("rms"), TINY, Progress.silent()));
            assertTrue(String.valueOf(refusal.getMessage()).startsWith("--only rms: expected one of matmul_"));
        }
    }

    @Test
    void aProductIsExplained() {
        List<Explanation> all = Bench.explain("matmul_4096x4096x4096", DeviceName.parse("--device", "emulated"));
        Explanation product = all.getLast();
        assertEquals("product", product.name());
        assertTrue(product.reason().contains("has the lowest estimate of "), product.reason());
        assertTrue(product.reason().contains("4096x4096x4096"), product.reason());
        assertTrue(product.source().contains("wgmma.mma_async"), product.source());
        assertTrue(product.source().contains(".target sm_90a"), product.source());
    }

    @Test
    void nothingIsMeasuredWhereThereIsNoChip() {
        DeviceName emulated = DeviceName.parse("--device", "emulated");
        BadInput refusal = assertThrows(BadInput.class, () -> Bench.kernels(List.of(), emulated, Progress.silent()));
        assertEquals("nothing is measured on the device emulated, expected cuda or cuda:N.", refusal.getMessage());
    }

    @Test
    void wholeModels() {
        Map<String, String> options = Map.ofEntries(
                Map.entry("vocab_size", "300"),
                Map.entry("hidden_size", "16"),
                Map.entry("intermediate_size", "32"),
                Map.entry("moe_intermediate_size", "8"),
                Map.entry("num_hidden_layers", "2"),
                Map.entry("num_attention_heads", "2"),
                Map.entry("kv_lora_rank", "8"),
                Map.entry("qk_nope_head_dim", "8"),
                Map.entry("qk_rope_head_dim", "4"),
                Map.entry("v_head_dim", "8"),
                Map.entry("n_routed_experts", "4"),
                Map.entry("num_experts_per_tok", "2"),
                Map.entry("sequence_length", "16"),
                Map.entry("batch_sequences", "2"),
                Map.entry("micro_batch_sequences", "2"));
        Settings settings = Settings.of("nano", options);
        try (EmulatedGpu gpu = Device.emulated()) {
            List<Row> trained = GpuModelBench.train(gpu, "tiny", settings, 1, TINY, Progress.silent());
            assertEquals(
                    List.of("train_tiny", "train.tiny.tokens_per_second"),
                    trained.stream().map(Row::name).toList());
            Kernels kernels = Kernels.on(gpu.stream(), Kernels.fastest(gpu), Precision.BF16);
            try (Model model =
                    Model.drawn(Trainer.architecture(settings, 0, 1), 1, kernels, Storage.int4(), Progress.silent())) {
                List<Row> rows = GpuModelBench.generate(gpu, model, 8, 3, TINY, Progress.silent());
                assertEquals(
                        List.of("prefill_8_int4", "decode_3_int4"),
                        rows.stream().map(Row::name).toList());
                rows.forEach(row -> assertTrue(row.value() > 0, row.toString()));
            }
        }
    }

    /// The preset for GPUs has the size that its name says.
    @Test
    void theLargePresetIsLarge() {
        ModelConfig large = Trainer.architecture(GpuModelBench.settings(GpuModelBench.LARGE), 0, 1);
        assertEquals(1e9, large.parameters(), 1e8);
        assertEquals(250e6, large.activeMatmulParameters(), 10e6);
    }
}
