package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class GenerateCommandTest {
    @TempDir
    static Path folder;

    private static String model = "";

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(folder.resolve("model")).toString();
    }

    @Test
    void theTextFollowsThePrompt() {
        Captured run = Captured.run("generate", model, "--prompt", "int x", "--max-tokens", "5");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().startsWith("int x"), run.out());
        assertTrue(run.out().endsWith("\n"), run.out());
        assertTrue(run.err().startsWith("5 tokens, "), run.err());
    }

    @Test
    void ggufFilesAreModels() throws IOException {
        Path file = Tiny.gguf(Path.of(model), folder.resolve("generated.gguf"));
        Captured run = Captured.run("generate", file.toString(), "--prompt", "int x", "--max-tokens", "5");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().startsWith("int x"), run.out());
    }

    @Test
    void jsonIsOneObjectASequence() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "[[1,2,3],[4]]");
        Captured run = Captured.run(
                "generate", model, "--ids", ids.toString(), "--max-tokens", "4", "--greedy", "--ignore-eos", "--json");
        assertEquals(0, run.code(), run.err());
        assertEquals("", run.err());
        List<String> lines = run.out().lines().toList();
        assertEquals(2, lines.size());
        for (String line : lines) {
            JsonNode object = JsonMapper.shared().readTree(line);
            assertEquals(4, object.get("ids").size());
            assertTrue(object.get("text").isString());
            assertEquals("length", object.get("finish_reason").asString());
            assertTrue(object.get("prefill_tokens_per_second").asDouble() > 0, line);
            assertTrue(object.get("decode_tokens_per_second").asDouble() > 0, line);
        }
    }

    @Test
    void whatIsReadIsKeptForLaterRuns() throws IOException {
        Path cache = folder.resolve("cache");
        String prompt = "--max-tokens 20 --json --greedy --ignore-eos --ids "
                + Files.writeString(
                        folder.resolve("long.json"),
                        List.of(IntStream.range(0, 70).map(i -> i % 50).boxed().toList())
                                .toString());
        Captured without = run(prompt);
        for (int i = 0; i < 2; i++) {
            Captured kept = run(prompt + " --cache " + cache);
            assertEquals(0, kept.code(), kept.err());
            assertEquals(
                    JsonMapper.shared().readTree(without.out()).get("ids"),
                    JsonMapper.shared().readTree(kept.out()).get("ids"));
            try (Stream<Path> files = Files.walk(cache)) {
                assertEquals(1, files.filter(Files::isRegularFile).count());
            }
        }
        Path file = Files.writeString(folder.resolve("nofolder"), "x");
        Captured refused = run("--prompt x --cache " + file);
        assertEquals(2, refused.code());
        assertTrue(refused.err().contains(file + " could not be written"), refused.err());
        assertEquals(
                "wok: --cache-gigabytes 0.0: expected more than 0.\n",
                run("--prompt x --cache-gigabytes 0 --cache " + cache).err());
    }

    @Test
    void guessesNeedAModelThatMakesThem() {
        assertEquals(
                "wok: the model has no multi-token prediction, which guesses tokens; ask for no speculation.\n",
                run("--prompt x --speculate always").err());
        assertEquals(
                "wok: --speculate yes: expected auto, always or never.\n",
                run("--prompt x --speculate yes").err());
    }

    @Test
    void theAnswerIsJsonOnRequest() throws IOException {
        Path schema = Files.writeString(folder.resolve("schema.json"), "{\"type\": \"integer\", \"minimum\": 3}");
        Captured run = run("--prompt x --max-tokens 30 --json --schema " + schema);
        assertEquals(0, run.code(), run.err());
        String text = JsonMapper.shared().readTree(run.out()).get("text").asString();
        assertTrue(Long.parseLong(text) >= 3, text);
        assertEquals(0, run("--prompt x --max-tokens 5 --any-json").code());
        assertTrue(run("--prompt x --any-json --schema " + schema).err().contains("leave out one"));
        Path unknown = Files.writeString(folder.resolve("unknown.json"), "{\"multipleOf\": 3}");
        Captured refused = run("--prompt x --schema " + unknown);
        assertEquals(2, refused.code());
        assertTrue(refused.err().contains(unknown.toString()) && refused.err().contains("multipleOf"), refused.err());
    }

    @Test
    void jsonHasLogProbabilitiesOnRequest() {
        Captured run = run("--prompt x --max-tokens 3 --ignore-eos --greedy --logprobs 2 --json");
        assertEquals(0, run.code(), run.err());
        JsonNode object = JsonMapper.shared().readTree(run.out());
        assertEquals(3, object.get("logprobs").size());
        for (int i = 0; i < 3; i++) {
            JsonNode token = object.get("logprobs").get(i);
            assertEquals(object.get("ids").get(i), token.get("id"));
            assertTrue(token.get("token").isString());
            assertEquals(2, token.get("top").size());
            assertEquals(token.get("logprob"), token.get("top").get(0).get("logprob"));
            assertTrue(token.get("logprob").asDouble() < 0);
        }
    }

    @Test
    void aStopStringEndsTheText() {
        String options = "--prompt x --max-tokens 12 --ignore-eos --json";
        String whole =
                JsonMapper.shared().readTree(run(options).out()).get("text").asString();
        String stop = whole.substring(4, 7);
        Captured run =
                Captured.run(("generate " + model + " " + options + " --stop none --stop\n" + stop).split("[ \n]", 18));
        assertEquals(0, run.code(), run.err());
        JsonNode object = JsonMapper.shared().readTree(run.out());
        assertEquals(whole.substring(0, whole.indexOf(stop)), object.get("text").asString());
        assertEquals("stop", object.get("finish_reason").asString());
    }

    @Test
    void aBiasForcesAToken() {
        Captured run = run("--prompt x --max-tokens 3 --ignore-eos --logit-bias 65=100 --logit-bias 7=-1 --json");
        assertEquals(0, run.code(), run.err());
        assertEquals(
                "[65,65,65]", JsonMapper.shared().readTree(run.out()).get("ids").toString());
        Captured varied = run("--prompt x --max-tokens 3 --ignore-eos --logit-bias 65=2 --presence-penalty 2"
                + " --frequency-penalty 2 --greedy --json");
        assertEquals(
                "65",
                JsonMapper.shared().readTree(varied.out()).get("ids").get(0).toString());
        assertNotEquals(
                "65",
                JsonMapper.shared().readTree(varied.out()).get("ids").get(1).toString());
    }

    @Test
    void theSeedDecides() {
        String first = sampled("1");
        assertEquals(first, sampled("1"));
        assertNotEquals(first, sampled("2"));
    }

    @Test
    void withoutATokenizerIdsStillWork() throws IOException {
        Path bare = Tiny.model(folder.resolve("bare"));
        Files.delete(bare.resolve("tokenizer.json"));
        Path ids = Files.writeString(folder.resolve("one.json"), "[[1,2,3]]");
        Captured run =
                Captured.run("generate", bare.toString(), "--ids", ids.toString(), "--max-tokens", "2", "--json");
        assertEquals(0, run.code(), run.err());
        assertEquals("", JsonMapper.shared().readTree(run.out()).get("text").asString());

        Captured text = Captured.run("generate", bare.toString(), "--prompt", "x");
        assertEquals(2, text.code());
        assertEquals(
                "wok: the model folder has no tokenizer.json; give token ids (--ids) instead of text.\n", text.err());
    }

    @Test
    void aTokenizerWithMoreIdsThanTheModelIsRefused() throws IOException {
        Path mixed = Tiny.model(folder.resolve("mixed"), 400);
        Captured run = Captured.run("generate", mixed.toString(), "--prompt", "x");
        assertEquals(2, run.code());
        assertTrue(run.err().contains("has 500 ids, the model in the same folder knows 400"), run.err());
        assertEquals(1, run.errLines().size());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "--max-tokens 5 ; Missing required argument (specify one of these): (--prompt=TEXT | --ids=FILE | --input=FILE).",
                "--prompt x --ids y ; --prompt=TEXT, --ids=FILE are mutually exclusive (specify only one).",
                "--prompt x --max-tokens many ; Invalid value for option '--max-tokens': 'many' is not an int.",
            })
    void whatMakesNoCommandIsRefused(String options, String refusal) {
        Captured run = run(options);
        assertEquals(2, run.code());
        assertEquals("wok: " + refusal + " See wok generate --help.\n", run.err());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--prompt x --top-p 3 | top-p is 3.0, expected above 0, at most 1.",
                "--prompt x --greedy --top-k 3"
                        + " | --greedy takes the likeliest token: leave out --temperature, --top-p, --top-k, --min-p.",
                "--prompt x --max-tokens -1 | --max-tokens -1: expected 0 or more.",
                "--prompt x --frequency-penalty 3 | frequency penalty is 3.0, expected -2 to 2.",
                "--prompt x --logit-bias 3=101 | the logit bias of token 3 is 101.0, expected -100 to 100.",
                "--prompt x --logit-bias 512=1"
                        + " | a logit bias is for token 512, which is not in the model's vocabulary of 512.",
                "--prompt x --logprobs 2 | --logprobs are a field of the JSON objects: add --json.",
                "--prompt x --logprobs 21 --json | logprobs is 21, expected 0 to 20 alternatives for each token.",
                "--prompt x --stop= | a stop string is empty, expected one character or more.",
                "--prompt x --threads 0 | --threads 0: expected at least 1.",
                "--ids no/such.json | there is no file no/such.json.",
            })
    void whatIsOutOfRangeIsRefused(String options, String refusal) {
        Captured run = run(options);
        assertEquals(2, run.code());
        assertEquals("wok: " + refusal + "\n", run.err());
    }

    private static String sampled(String seed) {
        return Captured.run(
                        "generate", model, "--prompt", "x", "--max-tokens", "8", "--temperature", "1", "--seed", seed)
                .out();
    }

    private static Captured run(String options) {
        return Captured.run(("generate " + model + " " + options).split(" ", -1));
    }
}
