package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class TrainerTest {
    @TempDir
    static Path shared;

    static Path corpus;
    static Path whole;

    static final RecordingProgress PROGRESS = new RecordingProgress();

    @TempDir
    Path folder;

    @BeforeAll
    static void runOnce() throws IOException {
        corpus = TinyRun.corpus(shared);
        whole = shared.resolve("whole");
        try (Trainer trainer = TinyRun.start(whole, corpus, Map.of(), PROGRESS)) {
            assertTrue(trainer.run().finished());
        }
    }

    private static String message(org.junit.jupiter.api.function.Executable code) {
        String message = String.valueOf(assertThrows(BadInput.class, code).getMessage());
        assertFalse(message.contains("\n"), message);
        return message;
    }

    static void assertSameRun(Path expected, Path actual) throws IOException {
        assertEquals(TinyRun.metrics(expected), TinyRun.metrics(actual));
        for (String file : List.of("evaluations.jsonl", "samples.jsonl")) {
            assertEquals(Files.readString(expected.resolve(file)), Files.readString(actual.resolve(file)), file);
        }
        for (String file : List.of("model.safetensors", "mtp.safetensors", "tokenizer.json", "config.json")) {
            assertArrayEquals(
                    Files.readAllBytes(expected.resolve("model").resolve(file)),
                    Files.readAllBytes(actual.resolve("model").resolve(file)),
                    file);
        }
    }

    /// As [#assertSameRun(Path, Path)], and checkpoints of some steps.
    static void assertSameRun(Path expected, Path actual, int... steps) throws IOException {
        assertSameRun(expected, actual);
        for (int step : steps) {
            for (String file : List.of("optimizer.safetensors", "model.safetensors", "mtp.safetensors")) {
                Path path = Path.of("checkpoints", "step-%08d".formatted(step), file);
                assertArrayEquals(
                        Files.readAllBytes(expected.resolve(path)),
                        Files.readAllBytes(actual.resolve(path)),
                        path.toString());
            }
        }
    }

    @Test
    void aRunLeavesWhatItPromised() throws IOException {
        List<String> lines = Files.readAllLines(whole.resolve("metrics.jsonl"));
        assertEquals(12, lines.size());
        JsonNode last = Logs.JSON.readTree(lines.getLast());
        assertEquals(12, last.required("step").asLong());
        assertEquals(12 * 4 * 32, last.required("tokens").asLong());
        double first = Logs.JSON.readTree(lines.getFirst()).required("loss").asDouble();
        // A fresh model knows nothing: its loss is the logarithm of the vocabulary, more or less.
        assertEquals(Math.log(300), first, 0.1);
        assertTrue(last.required("loss").asDouble() < first - 0.1, last.toString());
        assertEquals(2, last.required("load").size(), "a layer with experts, and multi-token prediction's");
        JsonNode result = Logs.JSON.readTree(Files.readAllBytes(whole.resolve("result.json")));
        assertTrue(result.required("held_out_bits_per_byte").asDouble() > 0);
        assertTrue(result.required("gzip_bits_per_byte").asDouble() > 0);
        assertEquals(12, result.required("steps").asLong());
        assertTrue(Files.exists(whole.resolve("report.html")));
        try (Stream<Path> checkpoints = Files.list(whole.resolve("checkpoints"))) {
            assertEquals(
                    List.of("step-00000008", "step-00000012"),
                    checkpoints.map(p -> p.getFileName().toString()).sorted().toList());
        }
    }

    @Test
    void everyTaskEndsAtItsTotal() {
        assertTrue(PROGRESS.tasks().stream().anyMatch(task -> task.name().equals("evaluating")));
        for (RecordingProgress.Recorded task : PROGRESS.tasks()) {
            assertTrue(task.isClosed(), task.name());
            if (task.name().equals("turning text into tokens")) {
                // Documents stay whole: the last one may go over the limit.
                assertTrue(task.done() >= task.total() && task.done() < task.total() + 1500, task.done() + " bytes");
            } else if (task.total() >= 0) {
                assertEquals(task.total(), task.done(), task.name());
            }
        }
    }

    @Test
    void threadsChangeNoBit() throws IOException {
        Path single = folder.resolve("single");
        try (Trainer trainer = TinyRun.start(single, corpus, Map.of("threads", "1"))) {
            trainer.run();
        }
        Path three = folder.resolve("three");
        try (Trainer trainer = TinyRun.start(three, corpus, Map.of("threads", "3"))) {
            trainer.run();
        }
        assertSameRun(single, three);
        assertSameRun(whole, three);
    }

    @Test
    void aStoppedRunGoesOnAsIfItHadNot() throws IOException {
        Path out = folder.resolve("stopped");
        Trainer[] running = new Trainer[1];
        try (Trainer trainer = Trainer.start(
                out,
                "nano",
                Settings.of("nano", TinyRun.OPTIONS),
                List.of(corpus),
                null,
                Progress.silent(),
                (_, _, prompt, tokens) -> {
                    assertTrue(running[0].requestStop(), "there is a step to wait for");
                    return prompt + tokens;
                })) {
            running[0] = trainer;
            Trainer.Outcome outcome = trainer.run();
            assertFalse(outcome.finished());
            assertEquals(6, outcome.steps());
        }
        assertFalse(Files.exists(out.resolve("model")));
        try (Trainer trainer = TinyRun.resume(out, Map.of("threads", "1"))) {
            assertTrue(trainer.run().finished());
        }
        assertSameRun(whole, out);
    }

    @Test
    void whatWasWrittenAfterTheCheckpointIsForgotten() throws IOException {
        Path out = folder.resolve("killed");
        try (Stream<Path> files = Files.walk(whole)) {
            for (Path file : files.toList()) {
                Files.copy(file, out.resolve(whole.relativize(file).toString()));
            }
        }
        // As a kill after step 9 leaves it: later records, no result, a checkpoint half-written.
        Durable.delete(out.resolve("checkpoints/step-00000012"));
        Durable.delete(out.resolve("model"));
        Durable.delete(out.resolve("result.json"));
        Files.createDirectories(out.resolve("checkpoints/step-00000012.part"));
        Files.writeString(out.resolve("checkpoints/step-00000012.part/state.json"), "{");
        List<String> lines = Files.readAllLines(out.resolve("metrics.jsonl"));
        Files.writeString(out.resolve("metrics.jsonl"), String.join("\n", lines.subList(0, 9)) + "\n{\"st");
        try (Trainer trainer = TinyRun.resume(out, Map.of())) {
            assertTrue(trainer.run().finished());
        }
        assertSameRun(whole, out);
        assertFalse(Files.exists(out.resolve("checkpoints/step-00000012.part")));
    }

    @Test
    void aFinishedRunStaysFinished() {
        assertTrue(whole.resolve("report.html").toFile().delete());
        try (Trainer trainer = TinyRun.resume(whole, Map.of())) {
            assertTrue(trainer.run().finished());
        }
        assertTrue(Files.exists(whole.resolve("report.html")));
    }

    /// As earlier versions wrote it: without a device, and without parts.
    @Test
    void aRunOfAnEarlierVersionGoesOn() throws IOException {
        Path expected = folder.resolve("expected");
        try (Trainer trainer = TinyRun.start(expected, corpus, Map.of("gradient_parts", "1"))) {
            assertTrue(trainer.run().finished());
        }
        assertNotEquals(TinyRun.metrics(whole), TinyRun.metrics(expected), "two parts round differently");
        Path out = folder.resolve("earlier");
        try (Stream<Path> files = Files.walk(expected)) {
            for (Path file : files.toList()) {
                Files.copy(file, out.resolve(expected.relativize(file).toString()));
            }
        }
        Durable.delete(out.resolve("checkpoints/step-00000012"));
        Durable.delete(out.resolve("model"));
        Durable.delete(out.resolve("result.json"));
        ObjectNode run = (ObjectNode) Logs.JSON.readTree(Files.readAllBytes(out.resolve("run.json")));
        ((ObjectNode) run.required("settings")).remove(List.of("device", "gradient_parts"));
        Files.write(out.resolve("run.json"), Logs.JSON.writeValueAsBytes(run));
        try (Trainer trainer = TinyRun.resume(out, Map.of())) {
            assertTrue(trainer.run().finished());
        }
        assertSameRun(expected, out);
    }

    @Test
    void otherSettingsAreRefused() {
        assertTrue(message(() -> TinyRun.resume(whole, Map.of("learning_rate", "1")))
                .contains("learning_rate"));
        assertTrue(message(() -> TinyRun.resume(whole, Map.of("hidden_size", "32")))
                .contains("hidden_size 16"));
        assertTrue(message(() ->
                        Trainer.resume(whole, "small", Map.of(), List.of(), null, Progress.silent(), (_, _, p, _) -> p))
                .contains("--preset"));
        assertTrue(message(() -> Trainer.resume(
                        whole, null, Map.of(), List.of(folder), null, Progress.silent(), (_, _, p, _) -> p))
                .contains("--data"));
        assertTrue(
                message(() -> TinyRun.resume(folder.resolve("none"), Map.of())).contains("no run to resume"));
        assertTrue(
                message(() -> TinyRun.start(whole, corpus, Map.of(), PROGRESS)).contains("--resume"));
    }

    /// What the machine chose stays with the run.
    @Test
    void arithmeticIsRecordedAndKept() throws IOException {
        JsonNode settings = Logs.JSON
                .readTree(Files.readAllBytes(whole.resolve("run.json")))
                .required("settings");
        assertNotEquals("auto", settings.required("backend").asString());
        assertNotEquals("auto", settings.required("precision").asString());
        Path out = folder.resolve("bf16");
        Map<String, String> bf16 = Map.of("precision", "bf16", "backend", "vector", "steps", "4");
        try (Trainer trainer = TinyRun.start(out, corpus, bf16)) {
            assertTrue(trainer.run().finished());
        }
        Path floats = folder.resolve("f32");
        try (Trainer trainer =
                TinyRun.start(floats, corpus, Map.of("precision", "f32", "backend", "vector", "steps", "4"))) {
            assertTrue(trainer.run().finished());
        }
        double exact = loss(floats);
        assertNotEquals(exact, loss(out));
        assertEquals(exact, loss(out), 0x1p-8 * exact, "products of the first step");
        try (Trainer trainer = TinyRun.resume(out, Map.of("precision", "auto", "backend", "auto"))) {
            assertTrue(trainer.run().finished());
        }
        assertTrue(
                message(() -> TinyRun.resume(out, Map.of("precision", "f32"))).contains("precision bf16"));
    }

    /// @return the loss of the first step
    private static double loss(Path run) throws IOException {
        return Logs.JSON
                .readTree(Files.readAllLines(run.resolve("metrics.jsonl")).getFirst())
                .required("loss")
                .asDouble();
    }

    @Test
    void aFolderInUseIsRefused() {
        Path out = folder.resolve("busy");
        try (Trainer trainer = TinyRun.start(out, corpus, Map.of())) {
            assertFalse(trainer.requestStop(), "nothing runs yet");
            assertTrue(message(() -> TinyRun.resume(out, Map.of())).contains("in use by another run"));
        }
    }

    @Test
    void aRunThatWasKilledAsItBeganBeginsAgain() throws IOException {
        Path out = Files.createDirectory(folder.resolve("killed"));
        Files.writeString(out.resolve("run.json.part"), "{");
        try (Trainer trainer = TinyRun.start(out, corpus, Map.of("steps", "1"))) {
            assertTrue(trainer.run().finished());
        }
        assertFalse(Files.exists(out.resolve("run.json.part")));
    }

    @Test
    void textThatIsNotEnoughIsRefused() throws IOException {
        assertTrue(message(() -> TinyRun.start(folder.resolve("a"), folder.resolve("none"), Map.of()))
                .contains("there is no file"));
        Path empty = Files.createDirectory(folder.resolve("empty"));
        try (Trainer trainer = TinyRun.start(folder.resolve("b"), empty, Map.of())) {
            assertTrue(message(trainer::run).contains("empty"));
        }
        Path zip = Files.writeString(folder.resolve("broken.zip"), "PK no zip", StandardCharsets.ISO_8859_1);
        try (Trainer trainer = TinyRun.start(folder.resolve("c"), zip, Map.of())) {
            assertTrue(message(trainer::run).contains("broken.zip"));
        }
        try (Trainer trainer = TinyRun.start(
                folder.resolve("d"), corpus, Map.of("batch_sequences", "100000", "micro_batch_sequences", "1"))) {
            assertTrue(message(trainer::run).contains("smaller than one batch"));
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(
                    List.of("broken.zip", "empty"),
                    left.map(p -> p.getFileName().toString()).sorted().toList(),
                    "a refused run leaves nothing");
        }
    }

    @Test
    void aModelThatDoesNotFitIsRefusedBeforeTheFirstStep() {
        Path out = folder.resolve("large");
        try (Trainer trainer = TinyRun.start(
                out,
                corpus,
                Map.of("hidden_size", "65536", "n_routed_experts", "256", "moe_intermediate_size", "65536"))) {
            assertTrue(message(trainer::run).contains("MB free"));
        }
        assertFalse(Files.exists(out));
    }

    @Test
    void aRefusedRunLeavesNothing() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        Path out = folder.resolve("runs/first");
        try (Trainer trainer = TinyRun.start(out, empty, Map.of())) {
            message(trainer::run);
        }
        assertFalse(Files.exists(folder.resolve("runs")));
        Map<String, String> tooMany = Map.of("batch_sequences", "100000", "micro_batch_sequences", "1");
        Path kept = Files.createDirectory(folder.resolve("kept"));
        Path note = Files.writeString(kept.resolve("note.txt"), "not the run's");
        try (Trainer trainer = TinyRun.start(kept, corpus, tooMany)) {
            message(trainer::run);
        }
        try (Stream<Path> files = Files.list(kept)) {
            assertEquals(List.of(note), files.toList());
        }
        try (Trainer trainer = TinyRun.start(kept, corpus, Map.of("steps", "1"))) {
            assertTrue(trainer.run().finished());
        }
    }

    @Test
    void whatOthersWroteIsNotOverwritten() throws IOException {
        Path project = Files.createDirectory(folder.resolve("project"));
        Path data = Files.createDirectory(project.resolve("data"));
        assertTrue(message(() -> TinyRun.start(project, corpus, Map.of())).contains("holds data"));
        try (Stream<Path> files = Files.list(project)) {
            assertEquals(List.of(data), files.toList());
        }
    }

    @Test
    void aRunThatDivergesStopsAndSavesNothingOfIt() throws IOException {
        Path out = folder.resolve("diverged");
        assertTrue(divergence(out, "0").contains("the losses of step 2 are"));
        assertFalse(Files.exists(out.resolve("checkpoints")));
        Path saving = folder.resolve("saving");
        assertTrue(divergence(saving, "1").contains("the weights after step 1 have no finite norm"));
        assertFalse(Files.exists(saving.resolve("checkpoints")));
    }

    private static String divergence(Path out, String checkpointEvery) {
        Map<String, String> steep =
                Map.of("learning_rate", "1e30", "warmup_share", "0", "checkpoint_every", checkpointEvery);
        try (Trainer trainer = TinyRun.start(out, corpus, steep)) {
            return Thrown.message(IllegalStateException.class, trainer::run);
        }
    }

    /// @return a copy of the run that is through its twelve steps, cut off after the eighth
    private Path cutOff(String name) throws IOException {
        Path copy = folder.resolve(name);
        try (Stream<Path> files = Files.walk(whole)) {
            for (Path file : files.toList()) {
                Path to = copy.resolve(whole.relativize(file));
                if (Files.isDirectory(file)) {
                    Files.createDirectories(to);
                } else {
                    Files.copy(file, to);
                }
            }
        }
        unfinish(copy);
        return copy;
    }

    private static void unfinish(Path run) throws IOException {
        Durable.delete(run.resolve("checkpoints/step-00000012"));
        Durable.delete(run.resolve("model"));
        Files.delete(run.resolve("result.json"));
    }

    /// Damages a bit in the middle of a file that leaves it well-formed as far as its format can tell.
    private static void flip(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        int at = bytes.length / 2;
        while (file.toString().endsWith(".json") && !Character.isDigit(bytes[at])) {
            at++;
        }
        bytes[at] ^= 1;
        Files.write(file, bytes);
    }

    private static String refusalToResume(Path run, Map<String, String> options) {
        try (Trainer trainer = TinyRun.resume(run, options)) {
            return message(trainer::run);
        }
    }

    @Test
    void aCheckpointThatLostAPartIsRefused() throws IOException {
        Path run = cutOff("lost");
        try (Trainer trainer = TinyRun.resume(run, Map.of())) {
            trainer.run();
        }
        assertSameRun(whole, run);
        Path lost = cutOff("part");
        Files.delete(lost.resolve("checkpoints/step-00000008/mtp.safetensors"));
        assertTrue(refusalToResume(lost, Map.of()).contains("step-00000008 is not whole: mtp.safetensors is missing"));
        for (String file : List.of("model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json")) {
            Path damaged = cutOff(file);
            flip(damaged.resolve("checkpoints/step-00000008").resolve(file));
            assertTrue(
                    refusalToResume(damaged, Map.of()).contains("step-00000008 to resume from the checkpoint before."),
                    file);
        }
        for (String file :
                List.of("data/train.tokens", "data/held_out.tokens", "data/corpus.json", "tokenizer/tokenizer.json")) {
            Path damaged = cutOff(file.replace('/', '-'));
            flip(damaged.resolve(file));
            assertTrue(refusalToResume(damaged, Map.of()).contains("damaged"), file);
        }
        Path edited = cutOff("edited");
        Path file = edited.resolve("run.json");
        Files.writeString(
                file, Files.readString(file).replaceFirst("\"num_hidden_layers\" : 2", "\"num_hidden_layers\" : 3"));
        assertTrue(refusalToResume(edited, Map.of()).contains("are not those of the first 8 steps"));
    }

    /// Whoever starts a run again without looking goes on from the newest checkpoint that is whole.
    @Test
    void damagedCheckpointsCanBePassedOver() throws IOException {
        Path run = folder.resolve("passed");
        try (Trainer trainer = TinyRun.start(run, corpus, Map.of("keep_checkpoints", "3"))) {
            assertTrue(trainer.run().finished());
        }
        unfinish(run);
        Path newest = run.resolve("checkpoints/step-00000008");
        flip(newest.resolve("optimizer.safetensors"));
        RecordingProgress progress = new RecordingProgress();
        try (Trainer trainer = restarted(run, progress)) {
            assertTrue(trainer.run().finished());
        }
        assertSameRun(whole, run);
        assertEquals(
                "%s is not whole: optimizer.safetensors is missing or damaged; it goes on from the checkpoint of step 4, and what is damaged is named *.damaged now."
                        .formatted(newest),
                progress.lines().getFirst());
        assertTrue(Files.exists(run.resolve("checkpoints/step-00000008.damaged/optimizer.safetensors")));

        unfinish(run);
        for (int step = 4; step <= 8; step += 4) {
            flip(run.resolve("checkpoints/step-%08d/state.json".formatted(step)));
        }
        try (Trainer trainer = restarted(run, Progress.silent())) {
            String refusal = message(trainer::run);
            assertTrue(refusal.startsWith("no checkpoint is whole: ") && refusal.contains("step-00000004"), refusal);
        }
        assertTrue(Files.exists(newest));
    }

    private static Trainer restarted(Path run, Progress progress) {
        Trainer trainer = Trainer.resume(
                run, null, Map.of(), List.of(), null, progress, (_, _, prompt, tokens) -> prompt + tokens);
        trainer.passDamagedCheckpoints();
        return trainer;
    }

    @Test
    void otherTextIsRefusedOnResume() throws IOException {
        Path run = cutOff("other-text");
        Files.delete(run.resolve("data/corpus.json"));
        Path own = Files.createDirectory(folder.resolve("own"));
        Path texts = TinyRun.corpus(own);
        Path file = run.resolve("run.json");
        Files.writeString(file, Files.readString(file).replace(corpus.toString(), texts.toString()));
        Files.writeString(texts.resolve("Text00.java"), "another text entirely, of one line\n".repeat(40));
        assertTrue(refusalToResume(run, Map.of()).contains("the text is not that of the first 8 steps"));
        Files.delete(run.resolve("data/corpus.json"));
        Files.writeString(file, Files.readString(file).replace(texts.toString(), corpus.toString()));
        try (Trainer trainer = TinyRun.resume(run, Map.of())) {
            trainer.run();
        }
        assertSameRun(whole, run);
    }

    @Test
    void aRunFileThatWasEditedIsRefused() throws IOException {
        Path run = cutOff("run-file");
        Path file = run.resolve("run.json");
        String text = Files.readString(file);
        for (String damaged : List.of(
                text.replaceFirst("\"data\" : \\[[^]]*]", "\"data\" : \"text\""),
                text.replaceFirst("\"init\" : null", "\"init\" : \"a\\\\u0000b\""),
                text.replaceFirst("\"seed\" : 1,", ""))) {
            Files.writeString(file, damaged);
            assertTrue(message(() -> TinyRun.resume(run, Map.of())).startsWith(file + " is not a run's file: "));
        }
    }

    @Test
    void aPromptThatDoesNotFitIsRefusedAtOnce() {
        Path out = folder.resolve("prompt");
        try (Trainer trainer = TinyRun.start(out, corpus, Map.of("sample_prompt", "xyz ".repeat(80)))) {
            assertTrue(message(trainer::run).startsWith("sample_prompt has "));
        }
        assertFalse(Files.exists(out));
    }

    @Test
    void aFileNamedLockIsNotOverwritten() throws IOException {
        Path project = Files.createDirectory(folder.resolve("locked"));
        Path lock = Files.writeString(project.resolve("lock"), "mine");
        assertTrue(message(() -> TinyRun.start(project, corpus, Map.of())).contains("holds lock"));
        assertEquals("mine", Files.readString(lock));
    }

    @Test
    void anotherModelIsTheStart() throws IOException {
        Path out = folder.resolve("init");
        try (Trainer trainer = Trainer.start(
                out,
                "nano",
                Settings.of("nano", TinyRun.OPTIONS),
                List.of(corpus),
                whole.resolve("model"),
                Progress.silent(),
                (_, _, p, _) -> p)) {
            assertTrue(trainer.run().finished());
        }
        JsonNode first = Logs.JSON.readTree(
                Files.readAllLines(out.resolve("metrics.jsonl")).getFirst());
        JsonNode last = Logs.JSON.readTree(
                Files.readAllLines(whole.resolve("metrics.jsonl")).getLast());
        assertEquals(last.required("loss").asDouble(), first.required("loss").asDouble(), 0.5);
    }

    @Test
    void theModelToStartFromDecidesTheShape() throws IOException {
        Path model = whole.resolve("model");
        Path out = folder.resolve("shape");
        Settings nano = Settings.of("nano", Map.of("sequence_length", "32"));
        try (Trainer trainer =
                Trainer.start(out, "nano", nano, List.of(corpus), model, Progress.silent(), (_, _, p, _) -> p)) {
            assertEquals("nano", trainer.preset());
            JsonNode settings = Logs.JSON
                    .readTree(Files.readAllBytes(out.resolve("run.json")))
                    .required("settings");
            assertEquals(16, settings.required("hidden_size").asInt());
            assertEquals(1, settings.required("num_nextn_predict_layers").asInt());
        }
        assertTrue(message(() -> start(model, Map.of("sequence_length", "32", "hidden_size", "24")))
                .contains("hidden_size 24"));
        assertTrue(message(() -> start(model, Map.of())).contains("the 64 positions of the model"));
        assertTrue(message(() -> start(folder.resolve("none"), Map.of())).contains("none"));
        assertFalse(Files.exists(folder.resolve("refused")));
    }

    private void start(Path init, Map<String, String> options) {
        Trainer.start(
                        folder.resolve("refused"),
                        "nano",
                        Settings.of("nano", options),
                        List.of(corpus),
                        init,
                        Progress.silent(),
                        (_, _, p, _) -> p)
                .close();
    }

    @Test
    void theBiasLevelsTheLoad() throws IOException {
        Map<String, String> longer =
                Map.of("steps", "150", "n_routed_experts", "8", "evaluate_every", "0", "sample_every", "0");
        assertTrue(tailViolation("0.02", longer) < 0.6 * tailViolation("0", longer));
    }

    /// Mean of MaxVio over the last third of a run.
    private double tailViolation(String gamma, Map<String, String> changes) throws IOException {
        Path out = folder.resolve("gamma-" + gamma);
        Map<String, String> all = new java.util.HashMap<>(changes);
        all.put("gamma", gamma);
        try (Trainer trainer = TinyRun.start(out, corpus, all)) {
            trainer.run();
        }
        List<String> lines = Files.readAllLines(out.resolve("metrics.jsonl"));
        return lines.subList(100, 150).stream()
                .mapToDouble(line ->
                        Logs.JSON.readTree(line).required("max_violation").asDouble())
                .average()
                .orElseThrow();
    }
}
