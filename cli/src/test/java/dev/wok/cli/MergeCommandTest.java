package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MergeCommandTest {
    private static final String LINEAR = "model.layers.0.self_attn.o_proj";

    @TempDir
    Path folder;

    @Test
    void theSumIsWritten() throws IOException {
        Path model = Tiny.model(folder.resolve("model"));
        Path merged = folder.resolve("merged");
        Tensor a;
        Tensor b;
        try (Safetensors before = Safetensors.open(model.resolve("model.safetensors"));
                Arena arena = Arena.ofShared()) {
            Tensor weight = before.tensor(LINEAR + ".weight");
            a = Tensor.allocate(arena, DType.F32, 1, weight.dim(1));
            b = Tensor.allocate(arena, DType.F32, weight.dim(0), 1);
            a.set(3, 2);
            b.set(5, 4);
            adapter(a, b);
            Captured run = Captured.run("merge", model.toString(), folder.toString(), merged.toString());
            assertEquals(0, run.code(), run.err());
            assertEquals(merged + System.lineSeparator(), run.out());
            weight = Tensor.allocate(arena, DType.F32, weight.shape());
            weight.copyFrom(before.tensor(LINEAR + ".weight"));
            long changed = weight.offset(5, 3);
            weight.set(changed, weight.get(changed) + 3.0 * 2 * 4);
            try (Safetensors after = Safetensors.open(merged.resolve("model.safetensors"))) {
                for (String name : before.names()) {
                    Tensor expected = name.equals(LINEAR + ".weight") ? weight : before.tensor(name);
                    assertTrue(Arrays.equals(Tensors.values(expected), Tensors.values(after.tensor(name))), name);
                }
            }
        }
        assertTrue(Files.exists(merged.resolve("tokenizer.json")));
        Captured again = Captured.run("merge", model.toString(), folder.toString(), merged.toString());
        assertEquals(2, again.code());
        assertTrue(again.err().contains("merged exists already; give a folder that does not."), again.err());
    }

    private void adapter(Tensor a, Tensor b) throws IOException {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("base_model.model." + LINEAR + ".lora_A.weight", a);
        tensors.put("base_model.model." + LINEAR + ".lora_B.weight", b);
        Safetensors.write(folder.resolve("adapter_model.safetensors"), tensors, Map.of());
        Files.writeString(
                folder.resolve("adapter_config.json"), "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 3}");
    }

    @Test
    void nothingIsWrittenWithoutAnAdapter() throws IOException {
        Path model = Tiny.model(folder.resolve("model"));
        Path merged = folder.resolve("merged");
        Captured run = Captured.run("merge", model.toString(), model.toString(), merged.toString());
        assertEquals(2, run.code(), run.err());
        assertTrue(run.err().contains("there is no file"), run.err());
        assertFalse(Files.exists(merged));
    }
}
