package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Placement;
import dev.wok.fabric.Shape;
import dev.wok.notice.BadInput;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// A run that lays its experts anew every other step, of a router that nothing levels.
class ReplanningTest {
    private static final Map<String, String> CHANGES = Map.of(
            "batch_sequences", "8",
            "micro_batch_sequences", "4",
            "gradient_parts", "4",
            "n_routed_experts", "7",
            "gamma", "0",
            "steps", "8",
            "checkpoint_every", "3",
            "keep_checkpoints", "9",
            "sample_every", "3",
            "replan_every", "2");

    @TempDir
    static Path shared;

    static Path corpus;
    static Path whole;

    @TempDir
    Path folder;

    private final RecordingProgress heard = new RecordingProgress();

    private void assertSaid(String line) {
        assertTrue(heard.lines().contains(line), heard.lines()::toString);
    }

    @BeforeAll
    static void runAlone() throws IOException {
        corpus = TinyRun.corpus(shared);
        whole = shared.resolve("whole");
        try (Trainer trainer = TinyRun.start(whole, corpus, CHANGES)) {
            assertTrue(trainer.run().finished());
        }
    }

    private Path run(String name, int ranks, Map<String, String> further) {
        Path out = folder.resolve(name);
        Map<String, String> changes = new LinkedHashMap<>(CHANGES);
        changes.putAll(further);
        try (Trainer trainer = TinyRun.start(out, corpus, changes, heard)) {
            assertTrue(trainer.run(Ranks.threads(ranks)).finished());
        }
        return out;
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void whereExpertsLieChangesNoBit(int ranks) throws IOException {
        Path out = run("moving", ranks, Map.of());
        TrainerTest.assertSameRun(whole, out, 3, 6, 8);
        assertTrue(
                heard.lines().stream()
                        .anyMatch(
                                line -> line.matches(
                                        "step 2: [1-9]\\d* experts of (a layer|2 layers) move, the fullest rank has 1\\.\\d\\d of the mean instead of 1\\.[1-9]\\d\\.")),
                heard.lines()::toString);
        Path kept = out.resolve("checkpoints/step-00000008");
        ExpertPlaces places = ExpertPlaces.read(kept).orElseThrow();
        assertFalse(places.placements().equals(Collections.nCopies(2, Placement.even(7, ranks))), "experts moved");
        JsonNode metrics = Logs.JSON.readTree(
                Files.readAllLines(out.resolve("metrics.jsonl")).getFirst());
        assertTrue(metrics.required("rank_load").asDouble() > 1.05, metrics.toString());
    }

    /// How fast ranks are depends on the machine, so nothing is said of whether experts moved.
    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void measuredSpeedsChangeNoBit(int ranks) throws IOException {
        Path out = run("measured", ranks, Map.of("measured_speeds", "true"));
        TrainerTest.assertSameRun(whole, out, 3, 6, 8);
    }

    /// As much comes to either of two ranks: nothing moves as long as they are alike.
    @Test
    void expertsInDemandLeaveASlowRank() {
        List<Placement> now = List.of(Placement.even(4, 2));
        int[][] load = {{40, 10, 30, 20}};
        Replanning replanning = new Replanning(Shape.oneMachine(2), 1, now, 1, null);
        assertEquals(Optional.empty(), replanning.after(1, now, load, replanning::sameSpeeds));
        assertEquals(
                new Replanning.Plan(2, 1, 2, 1.2),
                replanning
                        .after(2, now, load, () -> MeasuredSpeeds.relative(1, 3))
                        .orElseThrow());
        Placement then = replanning.next().orElseThrow().placement();
        assertArrayEquals(new double[] {30, 70}, then.loads(new double[] {40, 10, 30, 20}));
        assertEquals(1.4, replanning.fullest(List.of(then), load), 1e-15);
    }

    /// A plan for one rank that is slower by a little would gain more than the least.
    @Test
    void noiseMovesNothing() {
        List<Placement> now = List.of(Placement.even(8, 4));
        int[][] load = {{50, 50, 53, 47, 53, 47, 50, 50}};
        double[] little = {1, 1.09, 1.09, 1.09};
        Replanning replanning = new Replanning(Shape.oneMachine(4), 1, now, 1, null);
        assertTrue(replanning.after(1, now, load, () -> little).isPresent());
        assertEquals(Optional.empty(), replanning.after(2, now, load, () -> MeasuredSpeeds.relative(little)));
    }

    @Test
    void aStoppedRunWithReplicasGoesOnAsIfItHadNot() throws IOException {
        Path out = run("replicas", 4, Map.of("expert_replicas", "3"));
        assertSaid(
                "experts have 3 replicas a layer: the numbers of this run depend on its 4 ranks, and on where experts lie on them.");
        ExpertPlaces stopped =
                ExpertPlaces.read(out.resolve("checkpoints/step-00000003")).orElseThrow();
        assertFalse(stopped.next().isEmpty(), "a layer waits for its turn");
        Path again = stoppedAfter3(out, "again");
        resume(again, 4);
        TrainerTest.assertSameRun(out, again, 6, 8);
        Path fewer = stoppedAfter3(out, "fewer");
        resume(fewer, 2);
        assertSaid("experts lie in order: the checkpoint had them on 4 ranks, in other slots than these 2 have.");
    }

    private Path stoppedAfter3(Path run, String name) throws IOException {
        Path copy = folder.resolve(name);
        try (Stream<Path> paths = Files.walk(run)) {
            for (Path path : paths.toList()) {
                Files.copy(path, copy.resolve(run.relativize(path)));
            }
        }
        for (String later : List.of("model", "result.json", "checkpoints/step-00000006", "checkpoints/step-00000008")) {
            Durable.delete(copy.resolve(later));
        }
        return copy;
    }

    private void resume(Path out, int ranks) {
        try (Trainer trainer = TinyRun.resume(out, Map.of(), heard)) {
            assertTrue(trainer.run(Ranks.threads(ranks)).finished());
        }
    }

    /// Sums of replicas' gradients are rounded otherwise, no more.
    @Test
    void replicasLearnTheSame() throws IOException {
        Path out = run("replicas", 2, Map.of("expert_replicas", "7"));
        double alone = Logs.lastMetric(whole).required("loss").asDouble();
        double loss = Logs.lastMetric(out).required("loss").asDouble();
        assertEquals(alone, loss, 1e-3 * alone);
    }

    @Test
    void moreReplicasThanRanksHaveUseFor() {
        Path out = run("many", 2, Map.of("expert_replicas", "30", "steps", "1", "measured_speeds", "true"));
        assertSaid("expert_replicas is taken as 7: more are of no use on 2 ranks.");
        assertSaid(
                "experts have 7 replicas a layer: the numbers of this run depend on its 2 ranks, and on where experts lie on them, which measured times decide: the run is not repeatable.");
        assertTrue(Files.exists(out.resolve("model")));
    }

    @Test
    void aFileThatSaysNothingOfExpertsIsRefused() throws IOException {
        Map<String, Object> places = new LinkedHashMap<>();
        places.put("version", 1);
        places.put("placements", List.of(Map.of("experts", 2, "slots", List.of(List.of(0), List.of(1)))));
        places.put("loads", List.of(Map.of("sum", List.of(1.0, 2.0), "weight", 1.0)));
        places.put("next", List.of());
        assertEquals(1, written(places).orElseThrow().loads().size());
        refuses(
                places,
                "next",
                List.of(Map.of("layer", 1, "placement", Map.of("experts", 1, "slots", List.of(List.of(0))))),
                "experts of layer 1 of 1 go to [[0]], expected the slots that there are");
        refuses(
                places,
                "loads",
                List.of(Map.of("sum", List.of(-1.0, 2.0), "weight", 1.0)),
                "the load of expert 0 is -1.0, expected 0 or more");
        refuses(
                places,
                "placements",
                List.of(Map.of("experts", 2, "slots", List.of(List.of(0)))),
                "expert 1 of 2 has no slot");
        refuses(places, "version", 2, "is of version 2, expected 1");
        Files.writeString(folder.resolve("experts.json"), "{}");
        assertTrue(
                Thrown.message(BadInput.class, () -> ExpertPlaces.read(folder)).contains("is damaged"));
    }

    private Optional<ExpertPlaces> written(Map<String, Object> places) throws IOException {
        Files.write(folder.resolve("experts.json"), Seal.json(places));
        return ExpertPlaces.read(folder);
    }

    private void refuses(Map<String, Object> places, String key, Object value, String why) {
        Map<String, Object> other = new LinkedHashMap<>(places);
        other.put(key, value);
        String message = Thrown.message(BadInput.class, () -> written(other));
        assertTrue(message.contains("experts.json") && message.contains(why), message);
    }
}
