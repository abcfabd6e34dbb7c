package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Answer;
import dev.wok.api.Model;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class BatchTest {
    private static final int REQUESTS = 30;
    private static final Answer.Options OPTIONS = Answer.Options.defaults()
            .withMaxTokens(9)
            .withSampling(Sampling.atTemperature(1).withSeed(5));

    @TempDir
    static Path shared;

    @TempDir
    private Path folder;

    private static Path model = Path.of("");

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(shared.resolve("model"));
    }

    private Path input() throws IOException {
        List<String> lines = new ArrayList<>(
                List.of(
                        "{\"id\": \"a\", \"prompt\": \"int x\", \"max_tokens\": 3, \"logprobs\": 1}",
                        "{\"id\": {\"n\": 2}, \"ids\": [1, 2, 3], \"temperature\": 0, \"stop\": [\"z\", \"q\"]}",
                        "",
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}], \"seed\": 7, \"top_k\": 5, \"top_p\": 0.9}"));
        for (int i = 3; i < REQUESTS; i++) {
            lines.add("{\"prompt\": \"class A%d {\"}".formatted(i / 2));
        }
        return Files.write(folder.resolve("prompts.jsonl"), lines);
    }

    private Captured run(String... arguments) {
        String[] all = Stream.concat(
                        Stream.of("generate", model.toString(), "--temperature", "1", "--seed", "5"),
                        Stream.of(arguments))
                .toArray(String[]::new);
        return Captured.run(all);
    }

    @Test
    void everyRequestIsAnsweredInItsPlace() throws IOException {
        Path output = folder.resolve("answers.jsonl");
        Captured run = run("--input", input().toString(), "--output", output.toString(), "--max-tokens", "9");
        assertEquals(0, run.code(), run.err());
        assertEquals("", run.out());
        List<JsonNode> answers = Files.readAllLines(output).stream()
                .map(line -> JsonMapper.shared().readTree(line))
                .toList();
        assertEquals(REQUESTS, answers.size());
        assertEquals("a", answers.get(0).get("id").asString());
        assertTrue(answers.get(0).get("ids").size() <= 3);
        assertEquals(
                answers.get(0).get("ids").size(), answers.get(0).get("logprobs").size());
        assertEquals(2, answers.get(1).get("id").get("n").asInt());
        assertFalse(answers.get(2).has("id") || answers.get(2).has("logprobs"));
        try (Model alone = Model.load(model)) {
            for (int i = 3; i < REQUESTS; i++) {
                Sampling sampling = OPTIONS.sampling().withTopP(0.95).withSeed(5 + i);
                Answer expected = alone.generate("class A%d {".formatted(i / 2), OPTIONS.withSampling(sampling));
                assertEquals(expected.text(), answers.get(i).get("text").asString());
                assertEquals(
                        expected.promptTokens(),
                        answers.get(i).get("prompt_tokens").asInt());
            }
        }
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(2, files.count());
        }
        assertEquals(
                2,
                run("--input", input().toString(), "--output", output.toString())
                        .code());
    }

    /// Half a line, as a kill leaves it, is written anew; what was whole is not computed again.
    @Test
    void whatWasInterruptedGoesOn() throws IOException {
        Path output = folder.resolve("answers.jsonl");
        try (Model loaded = Model.load(model)) {
            RecordingProgress progress = new RecordingProgress();
            Batch first = new Batch(input(), output, OPTIONS, progress);
            Path part = first.part("here");
            assertFalse(part.equals(first.part("there")));
            assertTrue(first.run(loaded, "here"));
            List<String> lines = Files.readAllLines(output);
            Files.delete(output);
            Files.writeString(
                    part, "{\"kept\": 1}\n{\"kept\": 2}\n" + lines.get(2).substring(0, 9));
            assertTrue(new Batch(input(), output, OPTIONS, progress).run(loaded, "here"));
            List<String> resumed = Files.readAllLines(output);
            assertEquals(List.of("{\"kept\": 1}", "{\"kept\": 2}"), resumed.subList(0, 2));
            assertEquals(lines.subList(2, REQUESTS), resumed.subList(2, REQUESTS));
            assertFalse(Files.exists(part));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"prompt\": 3}|prompt is 3, expected a string.",
                "{\"prompt\": \"x\", \"ids\": [1]}|expected one of prompt, ids and messages, found prompt and ids.",
                "{\"prompt\": \"x\", \"schema\": {\"not\": {}}}|keyword 'not'",
                "{}|expected one of prompt, ids and messages, found none.",
                "{\"prompt\": \"x\", \"max_token\": 3}|there is no field max_token.",
                "{\"prompt\": \"x\", \"max_tokens\": 1.5}|max_tokens is 1.5, expected a whole number.",
                "{\"prompt\": \"x\", \"top_p\": 2}|top-p is 2.0, expected above 0, at most 1.",
                "{\"prompt\": \"x\", \"stop\": [1]}|stop is [1], expected a string or an array of strings.",
                "{\"ids\": [1, 512]}|token id 512 is not in the model's vocabulary of 512.",
                "{\"messages\": [{\"role\": 1}]}|messages is [{\"role\":1}], expected an array of objects with role and"
                        + " content, strings.",
                "[1]|expected an object.",
                "{\"prompt\"|JSON",
            })
    void aLineThatIsNoRequestIsNamed(String line, String refusal) throws IOException {
        Path input = Files.writeString(folder.resolve("bad.jsonl"), "{\"prompt\": \"x\"}\n" + line + "\n");
        Path output = folder.resolve("none.jsonl");
        Captured run = run("--input", input.toString(), "--output", output.toString());
        assertEquals(2, run.code());
        assertTrue(run.err().contains(input + ", line 2") && run.err().contains(refusal), run.err());
        assertEquals(1, run.errLines().size(), run.err());
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(1, files.count());
        }
    }

    @Test
    void optionsThatDoNotFitAreRefused() throws IOException {
        String input = input().toString();
        assertTrue(run("--input", input).err().contains("--output"));
        assertTrue(run("--input", input, "--output", folder.resolve("o").toString(), "--json")
                .err()
                .contains("leave out --json"));
        assertTrue(run("--prompt", "x", "--output", "o").err().contains("--output goes with --input"));
        Path empty = Files.writeString(folder.resolve("empty.jsonl"), "\n");
        assertTrue(
                run("--input", empty.toString(), "--output", folder.resolve("o").toString())
                        .err()
                        .contains("holds no request"));
        assertTrue(run(
                        "--input",
                        folder.resolve("no").toString(),
                        "--output",
                        folder.resolve("o").toString())
                .err()
                .contains("there is no file"));
        Path nowhere = folder.resolve("no/o");
        assertEquals(
                "there is no folder %s to write o into; make it first.".formatted(nowhere.getParent()),
                Thrown.message(
                        BadInput.class, () -> new Batch(Path.of(input), nowhere, OPTIONS, new RecordingProgress())));
    }
}
