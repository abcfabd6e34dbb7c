package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

class InspectCommandTest {
    @TempDir
    static Path folder;

    private static Path model;

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(folder.resolve("model"));
    }

    @Test
    void partsAreTheWhole() {
        Captured run = Captured.run("inspect", model.toString(), "--json", "--tensors");
        assertEquals(0, run.code(), run.err());
        JsonNode facts = new ObjectMapper().readTree(run.out());
        ModelConfig config = ModelConfig.load(model);
        assertEquals(config.family().modelType(), facts.get("model_type").asString());
        long parameters = 0;
        long bytes = 0;
        for (JsonNode part : facts.get("parts")) {
            parameters += part.get("parameters").asLong();
            bytes += part.get("bytes").asLong();
        }
        assertEquals(facts.get("parameters").asLong(), parameters);
        assertEquals(facts.get("stored_bytes").asLong(), bytes);
        assertTrue(parameters >= config.parameters());
        long listed = 0;
        for (JsonNode tensor : facts.get("tensors")) {
            listed += tensor.get("bytes").asLong();
        }
        assertEquals(bytes, listed);
        JsonNode memory = facts.get("memory_bytes");
        assertTrue(memory.get("f32").asLong() > memory.get("bf16").asLong());
        assertTrue(memory.get("bf16").asLong() > memory.get("int8").asLong());
        assertTrue(memory.get("int8").asLong() >= memory.get("fp8").asLong());
        assertTrue(memory.get("fp8").asLong() > memory.get("int4").asLong());
        assertEquals(
                2L * config.numHiddenLayers() * config.attention().cacheDim(),
                facts.get("cache_bytes_per_token_bf16").asLong());
    }

    @Test
    void ggufFilesHaveTypesOfTheirOwn() throws IOException {
        Path file = Tiny.gguf(model, folder.resolve("inspected.gguf"));
        Captured run = Captured.run("inspect", file.toString(), "--tensors");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().contains(": Q8_0, F32, F16"), run.out());
        assertTrue(run.out().contains("blk.1.ffn_gate_exps.weight"), run.out());
    }

    @Test
    void peopleReadLines() {
        Captured run = Captured.run("inspect", model.toString(), "--tensors");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().contains("active for a token"), run.out());
        assertTrue(run.out().contains("--weights int4"), run.out());
        assertTrue(run.out().contains("model.embed_tokens.weight"), run.out());
    }

    @Test
    void whatIsNoModelIsRefused() {
        Captured run = Captured.run("inspect", folder.resolve("none").toString());
        assertEquals(2, run.code());
        assertTrue(run.err().contains("there is no model folder"), run.err());
    }
}
