package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class EvalCommandTest {
    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void writeModel() throws IOException {
        model = Tiny.model(folder.resolve("tiny"));
    }

    private Captured eval(String... more) {
        List<String> arguments = new java.util.ArrayList<>(
                List.of("eval", model.toString(), "--task", "arithmetic", "--max-tokens", "6"));
        arguments.addAll(List.of(more));
        return Captured.run(arguments.toArray(String[]::new));
    }

    @Test
    void figuresOfEachModelAndAllAnswers() throws IOException {
        Path out = folder.resolve("answers.jsonl");
        Captured run = eval(
                "--problems",
                "3",
                "--samples",
                "2",
                "--json",
                "--out",
                out.toString(),
                "--seed",
                "4",
                model.toString());
        assertEquals(0, run.code(), run.err());
        List<String> lines = run.out().lines().toList();
        assertEquals(2, lines.size());
        assertEquals(lines.get(0), lines.get(1), "the same model gives the same");
        JsonNode figures = Json.object(lines.getFirst(), "the result");
        assertEquals(model.toString(), figures.required("model").asString());
        assertEquals(3, figures.required("problems").asInt());
        assertEquals(0, figures.required("pass_at_1").asDouble());
        assertTrue(figures.required("pass_at_1_high").asDouble() > 0.5);
        assertEquals(0, figures.required("pass_at").required("2").asDouble());
        assertEquals(0.6, figures.required("temperature").asDouble());
        List<String> problems = Files.readAllLines(out);
        assertEquals(6, problems.size());
        JsonNode problem = Json.object(problems.get(1), "the line");
        assertEquals(1, problem.required("problem").asInt());
        assertEquals(2, problem.required("samples").size());
        assertFalse(Files.exists(folder.resolve("answers.jsonl.part")));
    }

    @Test
    void aTableForPeople() {
        Captured run = eval("--problems", "3", "--prompt-form", "r1_zero");
        assertEquals(0, run.code(), run.err());
        List<String> lines = run.out().lines().toList();
        assertTrue(lines.getFirst().endsWith(": 3 problems, 1 sample of each"), run.out());
        assertTrue(lines.get(2).startsWith(model + "    0.0 %    0.0 % - 56.1 %"), run.out());
    }

    @Test
    void refusals() {
        assertRefused(
                "at temperature 0 all 2 samples are the same; give --temperature T, or --samples 1.",
                eval("--samples", "2", "--temperature", "0"));
        assertRefused("a prompt form odd is asked for, expected plain, chat or r1_zero.", eval("--prompt-form", "odd"));
        assertRefused("0 problems are asked for, expected 1 or more.", eval("--problems", "0"));
        Path nowhere = folder.resolve("no/answers.jsonl");
        assertRefused(
                "there is no folder %s to write answers.jsonl into; make it first.".formatted(nowhere.getParent()),
                eval("--out", nowhere.toString()));
    }

    private static void assertRefused(String message, Captured run) {
        assertEquals(2, run.code());
        assertEquals("wok: " + message, run.errLines().getLast());
        assertEquals("", run.out());
    }
}
