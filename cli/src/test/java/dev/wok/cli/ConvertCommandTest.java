package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

class ConvertCommandTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path text;

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(folder.resolve("model"));
        text = Files.writeString(folder.resolve("text.txt"), "public static void main(String[] args) {}\n".repeat(20));
    }

    private static Path target(String name) {
        return folder.resolve(name);
    }

    /// What float32 loses to bfloat16 is little, to E4M3 more, to four bits most, and all are said.
    @Test
    void theDifferenceIsReported() {
        double[] divergence = new double[3];
        String[] names = {"bf16", "fp8", "int4"};
        for (int i = 0; i < names.length; i++) {
            Captured run = Captured.run(
                    "convert",
                    model.toString(),
                    target("eval-" + names[i]).toString(),
                    "--quantize",
                    names[i],
                    "--eval",
                    text.toString(),
                    "--eval-tokens",
                    "100",
                    "--json");
            assertEquals(0, run.code(), run.err());
            JsonNode facts = new ObjectMapper().readTree(run.out());
            assertTrue(facts.get("bytes").asLong() < facts.get("source_bytes").asLong());
            assertTrue(Math.abs(facts.get("loss").asDouble()
                            - facts.get("source_loss").asDouble())
                    < 0.1);
            assertEquals(99, facts.get("eval_tokens").asInt(), 1);
            assertTrue(facts.get("top1_agreement").asDouble() <= 1);
            divergence[i] = facts.get("kl_divergence").asDouble();
        }
        assertTrue(divergence[0] >= 0, Arrays.toString(divergence));
        assertTrue(divergence[0] < divergence[1] && divergence[1] < divergence[2], Arrays.toString(divergence));
    }

    @Test
    void groupsAreAsWideAsTheFormHasThem() throws IOException {
        Map<String, Integer> groups = Map.of("int8", 64, "fp8", 128);
        for (Map.Entry<String, Integer> form : groups.entrySet()) {
            Path target = target("groups-" + form.getKey());
            Captured run = Captured.run("convert", model.toString(), target.toString(), "--quantize", form.getKey());
            assertEquals(0, run.code(), run.err());
            JsonNode how = new ObjectMapper()
                    .readTree(Files.readString(target.resolve("config.json")))
                    .get("quantization_config");
            assertEquals(form.getKey(), how.get("element").asString());
            assertEquals(form.getValue(), how.get("group_size").asInt());
        }
    }

    @Test
    void aConvertedFolderGeneratesAndIsInspected() {
        Path target = target("generates");
        Captured run = Captured.run("convert", model.toString(), target.toString(), "--quantize", "f32");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().contains("bits a weight"), run.out());
        String[] prompt = {"--prompt", "public static", "--max-tokens", "8", "--temperature", "0"};
        Captured expected = generate(model, prompt);
        Captured found = generate(target, prompt);
        assertEquals(expected.out(), found.out());
        assertEquals(0, Captured.run("inspect", target.toString(), "--tensors").code());
    }

    private static Captured generate(Path model, String... prompt) {
        String[] all = new String[prompt.length + 2];
        all[0] = "generate";
        all[1] = model.toString();
        System.arraycopy(prompt, 0, all, 2, prompt.length);
        Captured run = Captured.run(all);
        assertEquals(0, run.code(), run.err());
        return run;
    }

    @ParameterizedTest
    @ValueSource(strings = {"int3", "fp16"})
    void otherWeightsAreRefused(String name) {
        assertRefused(
                "--quantize %s: expected f32, bf16, int8, fp8 or int4.".formatted(name), model, "--quantize", name);
    }

    @Test
    void nothingIsWrittenForBadInput() throws IOException {
        assertRefused("a group of 48", model, "--quantize", "int4", "--group", "48");
        assertRefused("there is no model folder", target("nowhere"), "--quantize", "int4");
        assertRefused(
                "there is no file",
                model,
                "--quantize",
                "int4",
                "--eval",
                target("no.txt").toString());
        assertRefused("--eval-tokens 1: expected 2 or more", model, "--quantize", "int4", "--eval-tokens", "1");
        Files.createDirectories(target("kept"));
        Captured run = Captured.run("convert", model.toString(), target("kept").toString(), "--quantize", "int4");
        assertEquals(2, run.code());
        assertTrue(run.err().contains("exists already"), run.err());
    }

    private static void assertRefused(String expected, Path source, String... options) {
        Path target = target("refused");
        String[] all = new String[options.length + 3];
        all[0] = "convert";
        all[1] = source.toString();
        all[2] = target.toString();
        System.arraycopy(options, 0, all, 3, options.length);
        Captured run = Captured.run(all);
        assertEquals(2, run.code(), run.err());
        assertTrue(run.err().contains(expected), run.err());
        assertFalse(Files.exists(target));
        assertFalse(Files.exists(target.resolveSibling("refused.part")));
    }
}
