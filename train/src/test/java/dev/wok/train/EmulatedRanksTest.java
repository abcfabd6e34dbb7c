package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.testkit.RecordingProgress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Ranks that compute on GPUs.
class EmulatedRanksTest {
    private static final Map<String, String> CHANGES = Map.ofEntries(
            Map.entry("device", "emulated"),
            Map.entry("vocab_size", "260"),
            Map.entry("num_hidden_layers", "1"),
            Map.entry("first_k_dense_replace", "0"),
            Map.entry("sequence_length", "8"),
            Map.entry("batch_sequences", "8"),
            Map.entry("micro_batch_sequences", "4"),
            Map.entry("gradient_parts", "4"),
            Map.entry("steps", "4"),
            Map.entry("checkpoint_every", "2"),
            Map.entry("replan_every", "1"),
            Map.entry("evaluate_every", "0"),
            Map.entry("evaluate_bytes", "100"),
            Map.entry("sample_every", "2"));

    @TempDir
    static Path shared;

    static Path corpus;

    @TempDir
    Path folder;

    @BeforeAll
    static void write() throws IOException {
        corpus = TinyRun.corpus(shared);
    }

    private static Trainer start(Path out, Progress progress, Trainer.Sampler sampler, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(CHANGES);
        all.putAll(changes);
        return TinyRun.start(out, corpus, all, progress, sampler);
    }

    /// Experts move, and a checkpoint is that of any number of ranks.
    @Test
    void anyNumberOfRanksMakesTheSameRun() throws IOException {
        Path two = folder.resolve("two");
        RecordingProgress progress = new RecordingProgress();
        try (Trainer trainer = start(two, progress, RanksTest::sample, Map.of())) {
            assertTrue(trainer.run(Ranks.threads(2)).finished());
        }
        assertTrue(
                progress.lines().stream().anyMatch(line -> line.contains(" move, ")),
                () -> progress.lines().toString());
        Path four = folder.resolve("four");
        Trainer[] itself = new Trainer[1];
        Trainer.Sampler stopping = (model, tokenizer, prompt, tokens) -> {
            itself[0].requestStop();
            return RanksTest.sample(model, tokenizer, prompt, tokens);
        };
        try (Trainer trainer = itself[0] = start(four, Progress.silent(), stopping, Map.of())) {
            assertEquals(2, trainer.run(Ranks.threads(4)).steps());
        }
        try (Trainer trainer =
                Trainer.resume(four, null, Map.of(), List.of(), null, Progress.silent(), RanksTest::sample)) {
            assertTrue(trainer.run(Ranks.threads(2)).finished());
        }
        TrainerTest.assertSameRun(two, four, 2, 4);
    }

    /// GPUs see each other's memory, but do not round to every payload.
    @Test
    void whatPassesThroughTheHostIsSaid() throws IOException {
        assertEquals(0, said(1, "bf16", "memory of the host"));
        assertEquals(1, said(1, "fp8", "what GPUs exchange goes through memory of the host, and they wait for it"));
        assertEquals(1, said(2, "bf16", "gradients and new weights go through memory of the host"));
    }

    private long said(int ranks, String payload, String what) throws IOException {
        Map<String, String> changes = Map.ofEntries(
                Map.entry("exchange_payload", payload),
                Map.entry("gradient_parts", String.valueOf(ranks)),
                Map.entry("steps", "1"),
                Map.entry("batch_sequences", "4"),
                Map.entry("sample_every", "0"));
        RecordingProgress progress = new RecordingProgress();
        Path out = folder.resolve(payload + ranks);
        try (Trainer trainer = start(out, progress, RanksTest::sample, changes)) {
            assertTrue((ranks == 1 ? trainer.run() : trainer.run(Ranks.threads(ranks))).finished());
        }
        return progress.lines().stream().filter(line -> line.contains(what)).count();
    }

    /// Gradients of replicas are summed, and their weights repeated.
    @Test
    void expertsMayHaveReplicas() throws IOException {
        Map<String, String> changes = Map.of("expert_replicas", "2", "steps", "3", "sample_every", "0");
        List<String> losses = new ArrayList<>();
        for (String device : List.of("emulated", "cpu")) {
            Path out = folder.resolve(device);
            Map<String, String> all = new LinkedHashMap<>(changes);
            all.putAll(Map.of("device", device, "precision", "f32"));
            try (Trainer trainer = start(out, Progress.silent(), RanksTest::sample, all)) {
                assertTrue(trainer.run(Ranks.threads(2)).finished());
            }
            losses.add(Files.readAllLines(out.resolve("metrics.jsonl")).getLast());
        }
        assertEquals(loss(losses.getLast()), loss(losses.getFirst()), 1e-5);
    }

    private static double loss(String line) {
        return Logs.JSON.readTree(line).required("loss").asDouble();
    }

    @Test
    void aPipelineOfGpusIsRefused() {
        Map<String, String> changes = Map.of("pipeline_ranks", "2");
        try (Trainer trainer = start(folder.resolve("pipeline"), Progress.silent(), RanksTest::sample, changes)) {
            assertEquals(
                    "device is emulated, expected cpu for a pipeline; ranks of GPUs can share experts (pipeline_ranks=1).",
                    assertThrows(BadInput.class, () -> trainer.run(Ranks.threads(2)))
                            .getMessage());
        }
    }
}
