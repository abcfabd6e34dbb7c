package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

class TrainCommandTest {
    private static final String SMALL = """
            vocab_size=300 hidden_size=16 intermediate_size=32 moe_intermediate_size=8 num_hidden_layers=2 \
            num_attention_heads=2 kv_lora_rank=8 qk_nope_head_dim=8 qk_rope_head_dim=4 v_head_dim=8 n_routed_experts=4 \
            num_experts_per_tok=2 max_position_embeddings=64 sequence_length=32 batch_sequences=4 \
            micro_batch_sequences=2 corpus_bytes=0 tokenizer_bytes=0 evaluate_bytes=2000 held_out=0.2 sample_tokens=4""";

    @TempDir
    Path folder;

    private Path data;

    @BeforeEach
    void writeData() throws IOException {
        data = Files.createDirectories(folder.resolve("data"));
        for (int i = 0; i < 40; i++) {
            Files.writeString(data.resolve(i + ".txt"), ("line %d of a text;%n".formatted(i)).repeat(30));
        }
    }

    private Captured train(Path out, String... more) {
        return Captured.run(arguments(out, 6, more).toArray(String[]::new));
    }

    private List<String> arguments(Path out, int steps, String... more) {
        List<String> arguments = new ArrayList<>(
                List.of("train", "--data", data.toString(), "--out", out.toString(), "--steps", String.valueOf(steps)));
        for (String setting : SMALL.split(" +")) {
            arguments.addAll(List.of("--set", setting));
        }
        arguments.addAll(List.of(more));
        return arguments;
    }

    /// With multi-token prediction, trained a little, and converted.
    @Test
    void whatIsTrainedToGuessGuesses() {
        Path out = folder.resolve("guessing");
        Captured trained = train(out, "--set", "num_nextn_predict_layers=1");
        assertEquals(0, trained.code(), trained.err());
        String small = folder.resolve("small").toString();
        String model = out.resolve("model").toString();
        assertEquals(
                0, Captured.run("convert", model, small, "--quantize", "int8").code());
        for (String one : List.of(model, small)) {
            Captured never = generate(one, "never");
            Captured always = generate(one, "always");
            assertEquals(0, always.code(), always.err());
            JsonNode plain = new ObjectMapper().readTree(never.out());
            JsonNode guessed = new ObjectMapper().readTree(always.out());
            assertEquals(plain.required("ids"), guessed.required("ids"));
            assertEquals(
                    plain.required("ids"),
                    new ObjectMapper().readTree(generate(one, "auto").out()).required("ids"));
            assertTrue(plain.path("drafts_read").isMissingNode());
            int read = guessed.required("drafts_read").asInt();
            int accepted = guessed.required("drafts_accepted").asInt();
            assertTrue(read > 0 && accepted >= 0 && accepted <= read, guessed.toString());
        }
    }

    private static Captured generate(String model, String speculate) {
        return Captured.run(
                "generate",
                model,
                "--prompt",
                "line ",
                "--max-tokens",
                "40",
                "--ignore-eos",
                "--json",
                "--seed",
                "3",
                "--speculate",
                speculate);
    }

    @Test
    void fromTextToAModelThatIsUsedAndAPageWithBothRuns() {
        Path even = folder.resolve("even");
        Captured first = train(even);
        assertEquals(0, first.code(), first.err());
        assertTrue(first.out().contains("bits per byte (gzip -9 on the same text: "), first.out());
        assertTrue(first.out().contains("next:\n  wok generate " + even.resolve("model")), first.out());
        assertTrue(first.out().endsWith("\n  wok train --preset mini\n"), first.out());
        Captured said = Captured.run(
                "generate", even.resolve("model").toString(), "--prompt", "line ", "--max-tokens", "4", "--greedy");
        assertEquals(0, said.code(), said.err());
        assertTrue(said.out().startsWith("line "), said.out());

        Path uneven = folder.resolve("uneven");
        Captured second = train(uneven, "--set", "gamma=0", "--json");
        assertEquals(0, second.code(), second.err());
        JsonNode figures = new ObjectMapper().readTree(second.out());
        assertEquals(6, figures.required("steps").asInt());
        assertTrue(figures.required("held_out_bits_per_byte").asDouble() > 0);

        Captured report = Captured.run("report", even.toString(), "--beside", uneven.toString());
        assertEquals(0, report.code(), report.err());
        assertEquals("report: %s%n".formatted(even.resolve("report.html")), report.out());
    }

    @Test
    void refusals() {
        Path out = folder.resolve("out");
        assertRefused(out, train(out, "--set", "learning_rat=1"), "learning_rate");
        assertRefused(out, train(out, "--set", "num_attention_heads=3"), "hidden_size 16 is no multiple");
        assertRefused(out, train(out, "--set", "scoring_func=softmax"), "norm_topk_prob is true");
        assertRefused(out, train(out, "--device", "gpu"), "--device gpu: expected cpu, cuda, cuda:N or emulated.");
        assertRefused(out, train(out, "--set", "steps=7"), "steps is given twice");
        assertRefused(out, train(out, "--dtype", "f64"), "expected auto or f32 or bf16");
        assertRefused(out, train(out, "--dtype", "f32", "--set", "precision=bf16"), "given twice: --dtype f32");
        assertRefused(out, train(out, "--resume"), "holds no run to resume");
        assertRefused(out, Captured.run("train", "--resume"), "--resume needs the run's folder");
        assertRefused(out, train(out, "--data", ""), "an empty path was given");
        assertRefused(out, Captured.run("report", out.toString()), "holds no run; expected a folder");
    }

    private static void assertRefused(Path out, Captured run, String reason) {
        assertEquals(2, run.code(), run.err());
        assertTrue(run.err().contains(reason), run.err());
        assertEquals(1, run.errLines().size(), run.err());
        assertFalse(Files.exists(out), "nothing is left of it");
    }

    /// The other rank is a copy of this process.
    @Test
    void processesTrainTheSameModel() throws IOException {
        Path alone = folder.resolve("alone");
        Path shared = folder.resolve("shared");
        assertEquals(0, train(alone).code());
        Captured trained = train(shared, "--on", "processes:2", "--restartable");
        assertEquals(0, trained.code(), trained.err());
        for (String file : List.of("model/model.safetensors", "samples.jsonl", "evaluations.jsonl")) {
            assertArrayEquals(Files.readAllBytes(alone.resolve(file)), Files.readAllBytes(shared.resolve(file)), file);
        }
        assertTrue(train(shared, "--on", "threads:2", "--restartable").err().contains("is finished already"));
    }

    @Test
    void aRankWithoutItsGroupSaysThatItWaitsAndEndsWhenAsked() throws Exception {
        List<String> command = new ArrayList<>(RankProcesses.ownCommand());
        command.add("train");
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment()
                .putAll(Map.of(
                        "WOK_RANK", "1",
                        "WOK_SIZE", "2",
                        "WOK_RENDEZVOUS", "127.0.0.1:1",
                        "WOK_SECRET", "0123456789abcdef"));
        Process rank = builder.start();
        try (BufferedReader said = rank.inputReader()) {
            String line = said.readLine();
            while (line != null && line.startsWith("WARNING: ")) { // Java's own
                line = said.readLine();
            }
            assertEquals("rank 1 of 2 looks for its group at 127.0.0.1:1.", line);
            rank.destroy();
            assertTrue(rank.waitFor(30, TimeUnit.SECONDS), "it goes on waiting");
        } finally {
            rank.destroyForcibly();
        }
    }

    /// Each rank is started again by itself until it ends with 0, as in Kubernetes, and some are killed
    /// at moments that chance picks.
    @Test
    @Tag("slow")
    void ranksThatAreStartedAgainByThemselvesFinishTheRun() throws Exception {
        String[] more = {"--set", "gradient_parts=2", "--set", "checkpoint_every=10", "--restartable"};
        Path alone = folder.resolve("alone");
        assertEquals(
                0,
                Captured.run(arguments(alone, 200, more).toArray(String[]::new)).code());
        Path shared = folder.resolve("shared");
        List<String> command = new ArrayList<>(RankProcesses.ownCommand());
        command.addAll(arguments(shared, 200, more));
        AtomicReferenceArray<Process> ranks = new AtomicReferenceArray<>(2);
        String rendezvous;
        try (ServerSocket free = new ServerSocket(0)) {
            rendezvous = "127.0.0.1:" + free.getLocalPort();
        }
        Rng rng = Seeds.rng("TrainCommandTest");
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<Integer>>> supervisors = IntStream.range(0, ranks.length())
                    .mapToObj(rank -> threads.submit(() -> supervise(command, rendezvous, rank, ranks)))
                    .toList();
            for (int kill = 0; kill < 8; kill++) {
                Thread.sleep(500 + rng.below(2L * kill, 2500));
                Process killed = ranks.get(rng.below(2L * kill + 1, ranks.length()));
                if (killed != null) {
                    killed.destroyForcibly();
                }
            }
            for (Future<List<Integer>> supervisor : supervisors) {
                List<Integer> codes = supervisor.get(300, TimeUnit.SECONDS);
                assertTrue(Set.of(0, 1, 137).containsAll(codes), codes::toString);
            }
        }
        for (String file : List.of("model/model.safetensors", "samples.jsonl", "evaluations.jsonl")) {
            assertArrayEquals(Files.readAllBytes(alone.resolve(file)), Files.readAllBytes(shared.resolve(file)), file);
        }
    }

    /// @return the exit codes of a rank; 2 is the last, as it is for a supervisor
    private static List<Integer> supervise(
            List<String> command, String rendezvous, int rank, AtomicReferenceArray<Process> ranks) throws Exception {
        List<Integer> codes = new ArrayList<>();
        while (codes.isEmpty() || !List.of(0, 2).contains(codes.getLast())) {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD);
            builder.environment()
                    .putAll(Map.of(
                            "WOK_RANK",
                            String.valueOf(rank),
                            "WOK_SIZE",
                            String.valueOf(ranks.length()),
                            "WOK_RENDEZVOUS",
                            rendezvous,
                            "WOK_SECRET",
                            "0123456789abcdef"));
            Process process = builder.start();
            ranks.set(rank, process);
            codes.add(process.waitFor());
        }
        return codes;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "threads|\"threads\" was given, expected threads:N, processes:N",
                "threads:0|0 ranks were asked for, expected 1 to 1024",
                "processes:2000|2000 ranks were asked for",
                "threads:2,tcp|leave ,tcp out",
                "processes:2,ib|\"processes:2,ib\" was given",
                "threads:3|3 ranks do not divide micro_batch_sequences 2",
                "spark://host:7077|its launcher"
            })
    void whereToComputeIsChecked(String on, String expected) {
        Path out = folder.resolve("refused");
        Captured refused = train(out, "--on", on);
        assertEquals(2, refused.code());
        assertTrue(refused.err().contains(expected), refused.err());
        assertFalse(Files.exists(out));
    }
}
