package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.ComputeCapability;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;
import dev.wok.device.Version;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class DoctorCommandTest {

    @Test
    void itNamesTheKernelsAndTheReason() {
        Captured run = Captured.run("doctor", "--json");
        assertEquals(0, run.code(), run.err());
        JsonNode facts = JsonMapper.shared().readTree(run.out());
        boolean machineCode = !facts.get("instruction_sets").isEmpty();
        assertEquals(machineCode ? "x86" : "vector", facts.get("kernels").asString());
        String reason = facts.get("kernels_reason").asString();
        assertTrue(reason.contains(machineCode ? facts.get("instruction_set").asString() : "-bit vectors"), run.out());
        assertEquals(
                Runtime.getRuntime().availableProcessors(),
                facts.get("processors").asInt());
        assertTrue(facts.get("memory_bytes").asLong() > 100_000_000L, run.out());
        assertEquals("", run.err());
    }

    @Test
    void itNamesTheProcessorAndItsInstructions() {
        JsonNode facts =
                JsonMapper.shared().readTree(Captured.run("doctor", "--json").out());
        assertTrue(!facts.get("processor").asString().isBlank());
        assertTrue(facts.get("instruction_sets").isArray());
        assertTrue(!facts.get("instruction_set").asString().isBlank());
        assertTrue(!facts.get("instruction_set_reason").asString().isBlank());
    }

    @Test
    void forPeopleItIsALineAFact() {
        Captured run = Captured.run("doctor");
        assertTrue(run.out().matches("(?s).*\nkernels +(vector|x86)\n.*"), run.out());
        assertTrue(run.out().matches("(?s).*\nmemory +[0-9.]+ [GM]B\n.*"), run.out());
    }

    /// There is a list of GPUs or the reason why there is none, never both.
    @Test
    void itNamesTheGpusOrWhyThereIsNone() {
        JsonNode facts =
                JsonMapper.shared().readTree(Captured.run("doctor", "--json").out());
        switch (Gpus.find()) {
            case Gpus.Absent(String reason) -> {
                assertEquals(reason, facts.get("gpu").asString());
                assertFalse(facts.has("gpus"));
                assertTrue(Captured.run("doctor").out().contains("\ngpu                     " + reason + "\n"));
            }
            case Gpus.Found found -> {
                assertEquals(found.gpus().size(), facts.get("gpus").size());
                assertFalse(facts.has("gpu"));
            }
        }
    }

    @Test
    void aGpuIsALineOrAnObject() {
        GpuFacts gpu = new GpuFacts(
                0,
                "NVIDIA H200",
                new ComputeCapability(9, 0),
                150_000_000_000L,
                132,
                232_448,
                60 << 20,
                1_980_000,
                new Version(12, 8),
                new Version(8, 7));
        Map<String, Object> facts = new LinkedHashMap<>();
        DoctorCommand.gpus(facts, new Gpus.Found(List.of(gpu, gpu)));
        String line = "NVIDIA H200, capability 9.0, memory 150.0 GB, multiprocessors 132, driver 12.8, ptx 8.7";
        assertEquals(line + "; " + line, DoctorCommand.text("gpus", facts.getOrDefault("gpus", "")));
        assertEquals(
                """
                {"name":"NVIDIA H200","capability":"9.0","memory_bytes":150000000000,"multiprocessors":132,\
                "driver":"12.8","ptx":"8.7"}""",
                JsonMapper.shared()
                        .readTree(Json.text(facts))
                        .get("gpus")
                        .get(0)
                        .toString());
    }
}
