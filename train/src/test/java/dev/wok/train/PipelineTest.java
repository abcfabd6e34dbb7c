package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Trace;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A run whose layers are dealt to the ranks of a pipeline is the run that one rank makes, bit for bit.
class PipelineTest {
    private static final Map<String, String> CHANGES = Map.of(
            "num_hidden_layers", "9",
            "num_nextn_predict_layers", "2",
            "tie_word_embeddings", "true",
            "batch_sequences", "16",
            "micro_batch_sequences", "2",
            "gradient_parts", "2",
            "steps", "4",
            "checkpoint_every", "2",
            "evaluate_every", "2",
            "sample_every", "2");

    @TempDir
    static Path shared;

    static Path corpus;
    static Path whole;

    @TempDir
    Path folder;

    @BeforeAll
    static void runAlone() throws IOException {
        corpus = TinyRun.corpus(shared);
        whole = run(shared.resolve("whole"), 1, Map.of());
    }

    private static Trainer start(Path out, Trainer.Sampler sampler, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(CHANGES);
        all.putAll(changes);
        return TinyRun.start(out, corpus, all, Progress.silent(), sampler);
    }

    private static Path run(Path out, int ranks, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(changes);
        all.put("pipeline_ranks", String.valueOf(ranks));
        all.put("trace_steps", "2");
        try (Trainer trainer = start(out, RanksTest::sample, all)) {
            assertTrue(trainer.run(ranks == 1 ? Ranks.alone() : Ranks.threads(ranks))
                    .finished());
        }
        return out;
    }

    /// A tied head, two depths of prediction, gradients in two parts.
    @Test
    void aPipelineMakesTheSameRun() throws IOException {
        Path out = run(folder.resolve("pipeline"), 4, Map.of());
        TrainerTest.assertSameRun(whole, out, 2, 4);
        assertShown(out, 4);
    }

    /// Gradients in one part are summed in another order, and a head of its own needs no care.
    @Test
    void soDoesOneWithoutParts() throws IOException {
        Map<String, String> changes = Map.of(
                "gradient_parts", "1",
                "tie_word_embeddings", "false",
                "num_hidden_layers", "4",
                "num_nextn_predict_layers", "1",
                "batch_sequences", "10");
        Path out = run(folder.resolve("pipeline"), 2, changes);
        TrainerTest.assertSameRun(run(folder.resolve("alone"), 1, changes), out, 2, 4);
    }

    /// What the last rank did with each micro-batch lies in the trace.
    private static void assertShown(Path out, int ranks) {
        List<Trace> traces = TraceFile.read(out.resolve("trace.json"));
        assertEquals(ranks, traces.size());
        List<String> passages = traces.getLast().entries().stream()
                .filter(entry -> entry.name().contains(" in stage "))
                .map(entry -> "%d %s".formatted(entry.microBatch(), entry.name()))
                .toList();
        assertEquals(
                List.of("0 forward in stage 3", "0 forward in stage 4", "1 forward in stage 3", "1 forward in stage 4"),
                passages.subList(0, 4));
        assertEquals(8 * 4, Set.copyOf(passages).size(), passages::toString);
        assertEquals(8 * 4, passages.size(), passages::toString);
    }

    /// A pipeline's checkpoint goes on with ranks that share experts, and theirs with a pipeline.
    @ParameterizedTest
    @CsvSource({"4, 4, 2, 1", "2, 1, 2, 2"})
    void aRunGoesOnWithOtherRanks(int ranks, String pipeline, int others, String otherPipeline) throws IOException {
        Path out = folder.resolve("changing");
        Trainer[] itself = new Trainer[1];
        Trainer.Sampler stopping = (model, tokenizer, prompt, tokens) -> {
            itself[0].requestStop();
            return RanksTest.sample(model, tokenizer, prompt, tokens);
        };
        itself[0] = start(out, stopping, Map.of("pipeline_ranks", pipeline));
        try (Trainer trainer = itself[0]) {
            assertEquals(2, trainer.run(Ranks.threads(ranks)).steps());
        }
        try (Trainer trainer = Trainer.resume(
                out,
                null,
                Map.of("pipeline_ranks", otherPipeline),
                List.of(),
                null,
                Progress.silent(),
                RanksTest::sample)) {
            assertTrue(trainer.run(Ranks.threads(others)).finished());
        }
        TrainerTest.assertSameRun(whole, out, 2, 4);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertEquals(
                "pipeline_ranks is 2, the run has 4 ranks; give --set pipeline_ranks=4, or 1 where ranks shall share experts.",
                refused(4, Map.of("pipeline_ranks", "2")));
        assertEquals(
                "a step has 4 micro-batches, a pipeline of 4 ranks needs 8 or more; lower micro_batch_sequences (4) or raise batch_sequences (16).",
                refused(4, Map.of("pipeline_ranks", "4", "micro_batch_sequences", "4")));
        assertEquals(
                "a pipeline of 4 ranks has 8 stages, num_hidden_layers is 7; use fewer ranks or more layers.",
                refused(4, Map.of("pipeline_ranks", "4", "num_hidden_layers", "7")));
        assertEquals(
                "expert_replicas is 2, expected 0 in a pipeline, whose ranks have all experts of their layers.",
                refused(4, Map.of("pipeline_ranks", "4", "expert_replicas", "2")));
        assertEquals(
                "measured_speeds is true, expected false in a pipeline, whose ranks have all experts of their layers.",
                refused(4, Map.of("pipeline_ranks", "4", "measured_speeds", "true")));
        assertEquals(
                "exchange_payload is bf16, expected f32 in a pipeline, where no tokens travel to experts.",
                refused(4, Map.of("pipeline_ranks", "4", "exchange_payload", "bf16")));
    }

    private String refused(int ranks, Map<String, String> changes) {
        try (Trainer trainer = start(folder.resolve("refused"), RanksTest::sample, changes)) {
            String message = Thrown.message(BadInput.class, () -> trainer.run(Ranks.threads(ranks)));
            assertFalse(Files.exists(folder.resolve("refused")));
            return message;
        }
    }
}
