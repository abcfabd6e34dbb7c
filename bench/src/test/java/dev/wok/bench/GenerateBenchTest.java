package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.kernel.Precision;
import dev.wok.model.ModelConfig;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateBenchTest {
    @TempDir
    private Path folder;

    /// Their sizes are those that the models are named after.
    @Test
    void shapesAreTheReleasedModels() {
        assertEquals(15.7, billions("v2-lite"), 0.05);
        assertEquals(1.78, billions("r1-distill-1.5b"), 0.01);
        assertEquals(1.24, billions("llama-1b"), 0.01);
        assertEquals(0.107, billions("small"), 0.001);
        assertThrows(BadInput.class, () -> Shapes.named("v9"));
    }

    private static double billions(String preset) {
        ModelConfig config = Shapes.named(preset);
        return config.parameters() * 1e-9;
    }

    @Test
    @Tag("slow")
    void aMadeModelIsMeasured() {
        Path model = folder.resolve("model");
        Bench.makeModel("nano", model, Storage.int4(), Progress.silent());
        List<Row> rows = Bench.generate(model, 2, null, Precision.F32, Progress.silent());
        assertEquals(
                List.of("prefill_512", "decode_128", "decode_128.bandwidth", "bytes_per_token"),
                rows.stream().map(Row::name).toList());
        for (Row row : rows) {
            assertTrue(row.value() > 0 && row.againstValue() > 0, row.toString());
        }
    }
}
