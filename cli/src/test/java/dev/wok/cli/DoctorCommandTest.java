package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
}
