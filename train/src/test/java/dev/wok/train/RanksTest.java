package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Threads;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Overlap;
import dev.wok.fabric.Shape;
import dev.wok.fabric.Trace;
import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// A run on any number of ranks is the run that one rank makes, bit for bit.
class RanksTest {
    private static final Map<String, String> CHANGES = Map.of(
            "batch_sequences", "8",
            "micro_batch_sequences", "4",
            "gradient_parts", "4",
            "n_routed_experts", "5",
            "n_shared_experts", "0",
            "steps", "8",
            "checkpoint_every", "2",
            "keep_checkpoints", "4",
            "evaluate_every", "4",
            "sample_every", "4");

    @TempDir
    static Path shared;

    static Path corpus;
    static Path whole;

    @TempDir
    Path folder;

    @BeforeAll
    static void runAlone() throws IOException {
        corpus = TinyRun.corpus(shared);
        whole = shared.resolve("whole");
        try (Trainer trainer = start(whole, RanksTest::sample)) {
            assertTrue(trainer.run().finished());
        }
    }

    private static Trainer start(Path out, Trainer.Sampler sampler) {
        return start(out, sampler, Map.of("trace_steps", "3-4"));
    }

    private static Trainer start(Path out, Trainer.Sampler sampler, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(CHANGES);
        all.putAll(changes);
        return TinyRun.start(out, corpus, all, Progress.silent(), sampler);
    }

    private static Trainer resume(Path out, Trainer.Sampler sampler) {
        return Trainer.resume(out, null, Map.of(), List.of(), null, Progress.silent(), sampler);
    }

    /// What the model itself says goes on, so that reading takes the experts of all ranks.
    static String sample(Model model, Tokenizer tokenizer, String prompt, int tokens) {
        int[] ids = tokenizer.encode(prompt);
        StringBuilder text = new StringBuilder();
        try (Cache cache = model.cache(ids.length + tokens)) {
            for (int i = 0; i < tokens; i++) {
                float[] logits = model.extend(cache, ids);
                int best = 0;
                for (int id = 1; id < logits.length; id++) {
                    best = logits[id] > logits[best] ? id : best;
                }
                text.append(best)
                        .append(' ')
                        .append(Float.toHexString(logits[best]))
                        .append(' ');
                ids = new int[] {best};
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void asManyRanksMakeTheSameRun(int ranks) throws IOException {
        Path out = folder.resolve("ranks");
        try (Trainer trainer = start(out, RanksTest::sample)) {
            assertTrue(trainer.run(Ranks.threads(ranks)).finished());
        }
        TrainerTest.assertSameRun(whole, out, 2, 4, 6, 8);
        assertShown(out, ranks);
    }

    /// What each rank did lies in the run's folder, its metrics and its report.
    private static void assertShown(Path out, int ranks) throws IOException {
        List<Trace> traces = TraceFile.read(out.resolve("trace.json"));
        assertEquals(2 * ranks, traces.size());
        for (Trace trace : traces) {
            Set<String> names = new HashSet<>();
            trace.entries().forEach(entry -> names.add(entry.name()));
            assertTrue(
                    names.containsAll(List.of("attention", "experts", "dispatch", "combine", "optimizer")),
                    names::toString);
            Overlap overlap = Overlap.of(trace);
            assertTrue(overlap.exchange() > 0 && overlap.compute() > 0 && overlap.waiting() > 0, overlap::toString);
        }
        JsonNode metrics = Logs.JSON.readTree(
                Files.readAllLines(out.resolve("metrics.jsonl")).get(3));
        assertEquals(ranks, metrics.path("timeline").size());
        String report = Files.readString(out.resolve("report.html"));
        assertTrue(report.contains("Timeline of step 4"));
        assertTrue(report.contains("<dt>ranks</dt><dd>%d<small>on one machine".formatted(ranks)));
    }

    /// Tokens that travel rounded are rounded alike on one rank, and learn much the same: the loss differs by less than
    /// the values, which have 8 bits in bfloat16 and 4 in E4M3.
    @ParameterizedTest
    @CsvSource({"bf16, 0.004", "fp8, 0.07"})
    void tokensMayTravelRounded(String payload, double apart) throws IOException {
        Map<String, String> changes = new LinkedHashMap<>(CHANGES);
        changes.putAll(Map.of("exchange_payload", payload, "steps", "3", "evaluate_every", "0", "sample_every", "0"));
        Path one = folder.resolve("one");
        Path two = folder.resolve("two");
        for (Path out : List.of(one, two)) {
            try (Trainer trainer = TinyRun.start(out, corpus, changes)) {
                assertTrue(trainer.run(Ranks.threads(out == one ? 1 : 2)).finished());
            }
        }
        TrainerTest.assertSameRun(one, two);
        double exact = loss(whole);
        double rounded = loss(one);
        assertTrue(exact != rounded && Math.abs(rounded / exact - 1) < apart, rounded + " beside " + exact);
        assertEquals(
                "this run was made with exchange_payload %s, f32 was given; resume without it, or start another run."
                        .formatted(payload),
                assertThrows(
                                BadInput.class,
                                () -> TinyRun.resume(one, Map.of("exchange_payload", "f32"))
                                        .close())
                        .getMessage());
    }

    /// @return the first step's
    private static double loss(Path out) throws IOException {
        return Logs.JSON
                .readTree(Files.readAllLines(out.resolve("metrics.jsonl")).getFirst())
                .required("loss")
                .asDouble();
    }

    @Test
    void aRunGoesOnWithOtherRanks() throws IOException {
        Path out = folder.resolve("changing");
        try (Trainer trainer = stopping(out, true)) {
            assertEquals(4, trainer.run(Ranks.threads(4)).steps());
        }
        Durable.delete(out.resolve("checkpoints/step-00000004"));
        try (Trainer trainer = stopping(out, false)) {
            assertEquals(4, trainer.run(Ranks.threads(2)).steps());
        }
        try (Trainer trainer = resume(out, RanksTest::sample)) {
            assertTrue(trainer.run().finished());
        }
        TrainerTest.assertSameRun(whole, out, 2, 4, 6, 8);
    }

    /// A run that is stopped at the sample of step 4.
    private static Trainer stopping(Path out, boolean fresh) {
        Trainer[] itself = new Trainer[1];
        Trainer.Sampler sampler = (model, tokenizer, prompt, tokens) -> {
            itself[0].requestStop();
            return sample(model, tokenizer, prompt, tokens);
        };
        itself[0] = fresh ? start(out, sampler) : resume(out, sampler);
        return itself[0];
    }

    /// Two ranks, of which the second one leaves when it is told to.
    private static final class Leaving implements Ranks {
        private final List<Fabric> places = Fabric.threads(Shape.oneMachine(2));

        @Override
        public int size() {
            return 2;
        }

        void leave() {
            places.get(1).close();
        }

        @Override
        public <T> T lead(Progress progress, Function<Fabric, T> leading) {
            Thread follower = Thread.ofPlatform()
                    .start(() -> assertThrows(Departed.class, () -> Follower.run(places.get(1), progress)));
            try (Fabric fabric = places.getFirst()) {
                return leading.apply(fabric);
            } finally {
                Threads.join(follower);
            }
        }
    }

    @Test
    void aRankThatGoesIsNamedAndTheCheckpointsStay() throws IOException {
        Path out = folder.resolve("left");
        Leaving ranks = new Leaving();
        Trainer.Sampler leaving = (_, _, _, _) -> {
            ranks.leave();
            return "";
        };
        try (Trainer trainer = start(out, leaving)) {
            Departed departed = assertThrows(Departed.class, () -> trainer.run(ranks));
            assertEquals(1, departed.rank(), departed.getMessage());
            assertTrue(String.valueOf(departed.getMessage()).contains("rank 1"), departed.getMessage());
        }
        assertFalse(Files.exists(out.resolve("model")));
        try (Trainer trainer = resume(out, RanksTest::sample)) {
            assertTrue(trainer.run(Ranks.threads(2)).finished());
        }
        assertEquals(TinyRun.metrics(whole), TinyRun.metrics(out));
    }

    /// The others leave as the leader does: done, stopped, or refused.
    @Test
    void followersKnowHowASittingEnds() {
        Path out = folder.resolve("ends");
        assertEquals("stopped", followed(stopping(out, true)));
        assertEquals("finished", followed(resume(out, RanksTest::sample)));
        assertEquals("finished", followed(resume(out, RanksTest::sample)));
        String message =
                followed(start(folder.resolve("refused"), RanksTest::sample, Map.of("batch_sequences", "100000")));
        assertTrue(message.contains("rank 0 gave the run up"), message);
    }

    /// @return what a follower saw of a sitting on two ranks
    private static String followed(Trainer trainer) {
        List<Fabric> places = Fabric.threads(Shape.oneMachine(2));
        String[] seen = {""};
        Thread follower = Thread.ofPlatform().start(() -> {
            try (Fabric fabric = places.get(1)) {
                seen[0] = Follower.run(fabric, Progress.silent()) ? "finished" : "stopped";
            } catch (Departed e) {
                seen[0] = String.valueOf(e.getMessage());
            }
        });
        try (trainer;
                Fabric fabric = places.getFirst()) {
            assertTrue(trainer.run(Ranks.joined(fabric)).steps() > 0);
        } catch (BadInput e) {
            assertTrue(String.valueOf(e.getMessage()).contains("smaller than one batch"), e.getMessage());
        }
        Threads.join(follower);
        return seen[0];
    }

    @Test
    void ranksThatDoNotDivideThePartsAreRefused() {
        Path out = folder.resolve("three");
        try (Trainer trainer = start(out, RanksTest::sample)) {
            String message = String.valueOf(assertThrows(BadInput.class, () -> trainer.run(Ranks.threads(3)))
                    .getMessage());
            assertTrue(message.contains("gradient_parts 4, which 3 ranks do not divide"), message);
        }
        assertFalse(Files.exists(out));
    }

    @Test
    void moreRanksThanExpertsAreRefused() {
        Path out = folder.resolve("small");
        Map<String, String> changes = Map.of("n_routed_experts", "2", "gradient_parts", "4");
        try (Trainer trainer = start(out, RanksTest::sample, changes)) {
            String message = String.valueOf(assertThrows(BadInput.class, () -> trainer.run(Ranks.threads(4)))
                    .getMessage());
            assertTrue(message.contains("4 ranks cannot share n_routed_experts 2"), message);
        }
        assertFalse(Files.exists(out));
    }
}
