package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.CachePages;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.testkit.RecordingProgress;
import dev.wok.train.MachineMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongPredicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunTest {
    private static final int STEPS = 7;
    private static final Map<String, String> OPTIONS = Map.of(
            "micro_batch_tokens", "16",
            "checkpoint_every", "2",
            "evaluate_every", "3",
            "sample_every", "2",
            "learning_rate", "1e-3");

    @TempDir
    static Path shared;

    static Path model;
    static Path whole;

    @TempDir
    Path folder;

    @BeforeAll
    static void runOnce() {
        model = TinyModel.write(shared.resolve("model"), 5);
        whole = shared.resolve("whole");
        try (Run run = start(whole, _ -> {})) {
            assertEquals(Run.End.FINISHED, run.run().end());
        }
    }

    /// Makes logits small on texts that it draws itself, and counts what it has drawn.
    private static final class Shrinking implements Method {
        private final Learner learner;
        private final LongConsumer inStep;
        private final Consumer<Path> inSave;
        private long drawn;
        private double lossScale = 1;
        private double kl;

        Shrinking(Learner learner, LongConsumer inStep, Consumer<Path> inSave) {
            this.learner = learner;
            this.inStep = inStep;
            this.inSave = inSave;
        }

        @Override
        public String name() {
            return "shrinking";
        }

        @Override
        public long steps() {
            return STEPS;
        }

        @Override
        public SequencedMap<String, Object> step(long step, double learningRate) {
            inStep.accept(step);
            Rng rng = new Rng(9).split("texts");
            int[] ids = new int[9];
            boolean[] learn = new boolean[9];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = rng.below(drawn++, 200);
                learn[i] = i > 2;
            }
            double[] loss = new double[1];
            learner.begin();
            Packed.of(List.of(new Example(ids, learn)), learner.tokens())
                    .forEach(packed -> learner.accumulate(packed.batch(), (rows, logits) -> {
                        for (long i = 0; i < logits.elements(); i++) {
                            loss[0] += logits.get(i) * logits.get(i) / 2;
                            logits.set(i, logits.get(i) * lossScale);
                        }
                    }));
            double norm = learner.update(step, learningRate);
            SequencedMap<String, Object> figures = new LinkedHashMap<>();
            figures.put("loss", loss[0]);
            figures.put("grad_norm", norm);
            figures.put("drawn", drawn);
            if (kl > 0) {
                figures.put("kl", kl);
            }
            return figures;
        }

        @Override
        public List<SequencedMap<String, Object>> samples() {
            return List.of(
                    new LinkedHashMap<>(Map.of("text", "a" + drawn)), new LinkedHashMap<>(Map.of("text", "b" + drawn)));
        }

        @Override
        public SequencedMap<String, Object> evaluate() {
            return new LinkedHashMap<>(Map.of("pass_at_1", drawn / 100.0));
        }

        @Override
        public void save(Path to) throws IOException {
            inSave.accept(to);
            Files.writeString(to.resolve("drawn.txt"), Long.toString(drawn));
        }

        @Override
        public void restore(Path from) throws IOException {
            drawn = Long.parseLong(Files.readString(from.resolve("drawn.txt")));
        }

        @Override
        public void close() {}
    }

    private static Run.Kind<Settings.SftKeys> kind(LongConsumer inStep, Consumer<Path> inSave) {
        return new Run.Kind<>(Settings.SftKeys.class, place -> new Shrinking(place.learner(), inStep, inSave));
    }

    private static Run start(Path out, LongConsumer inStep) {
        return start(out, kind(inStep, _ -> {}));
    }

    private static Run start(Path out, Run.Kind<Settings.SftKeys> kind) {
        return Run.start(out, kind, Settings.sft(OPTIONS), model, Map.of(), Progress.silent());
    }

    private static Run resume(Path out) {
        return Run.resume(out, kind(_ -> {}, _ -> {}), Map.of(), Progress.silent());
    }

    private static List<String> metrics(Path run) throws IOException {
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll("\"seconds\":[0-9.Ee+-]+", ""))
                .toList();
    }

    private static void assertSame(Path run) throws IOException {
        assertEquals(metrics(whole), metrics(run));
        for (String file : List.of(
                "evaluations.jsonl",
                "samples.jsonl",
                "model/model.safetensors",
                "model/tokenizer.json",
                "checkpoints/step-00000007/optimizer.safetensors")) {
            assertArrayEquals(Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(run.resolve(file)), file);
        }
    }

    @Test
    void aRunLeavesWhatItPromised() throws IOException {
        assertEquals(STEPS, metrics(whole).size());
        List<String> evaluations = Files.readAllLines(whole.resolve("evaluations.jsonl"));
        assertEquals(
                List.of(0, 3, 6, 7),
                evaluations.stream()
                        .map(line -> Integer.parseInt(line.replaceAll("\\D*(\\d+).*", "$1")))
                        .toList());
        assertEquals(10, Files.readAllLines(whole.resolve("samples.jsonl")).size());
        try (Stream<Path> checkpoints = Files.list(whole.resolve("checkpoints"))) {
            assertEquals(
                    List.of("step-00000006", "step-00000007"),
                    checkpoints.map(p -> p.getFileName().toString()).sorted().toList());
        }
        String result = Files.readString(whole.resolve("result.json"));
        assertTrue(result.contains("\"steps\" : 7") && result.contains("\"held_out/pass_at_1\" : 0.63"), result);
        assertTrue(Files.readString(whole.resolve("report.html")).contains("Finished after 7 steps."));
    }

    @Test
    void aFinishedRunSaysSo() {
        RecordingProgress progress = new RecordingProgress();
        try (Run run = Run.resume(whole, kind(_ -> {}, _ -> {}), Map.of(), progress)) {
            Run.Outcome outcome = run.run();
            assertEquals(Run.End.FINISHED, outcome.end());
            assertEquals(STEPS, outcome.steps());
            assertEquals(0.63, outcome.result().get("held_out/pass_at_1"));
        }
        assertTrue(progress.lines().getLast().endsWith("is finished already."));
    }

    /// What is killed has no time to save.
    @Test
    void aRunThatIsCutOffAtAnyStepEndsAsOneThatWasNot() throws IOException {
        for (int at = 1; at <= STEPS; at++) {
            int killed = at;
            Path out = folder.resolve("killed" + at);
            try (Run run = start(out, step -> {
                if (step == killed) {
                    throw new OutOfMemoryError("as if killed");
                }
            })) {
                assertThrows(OutOfMemoryError.class, run::run);
            }
            try (Run run = resume(out)) {
                assertEquals(Run.End.FINISHED, run.run().end());
            }
            assertSame(out);
        }
    }

    @Test
    void adaptersAreKeptApartAndGoOnWithTheSameBits() throws IOException {
        Map<String, String> options = new LinkedHashMap<>(OPTIONS);
        options.putAll(Map.of("lora_rank", "2", "lora_targets", "q_proj,experts"));
        Path left = folder.resolve("left");
        try (Run run =
                Run.start(left, kind(_ -> {}, _ -> {}), Settings.sft(options), model, Map.of(), Progress.silent())) {
            assertEquals(Run.End.FINISHED, run.run().end());
        }
        Path killed = folder.resolve("killed");
        LongConsumer kill = step -> {
            if (step == 6) {
                throw new OutOfMemoryError("as if killed");
            }
        };
        try (Run run =
                Run.start(killed, kind(kill, _ -> {}), Settings.sft(options), model, Map.of(), Progress.silent())) {
            assertThrows(OutOfMemoryError.class, run::run);
        }
        assertFalse(Files.exists(killed.resolve("checkpoints/step-00000004/model.safetensors")));
        try (Run run = resume(killed)) {
            assertEquals(Run.End.FINISHED, run.run().end());
        }
        assertEquals(metrics(left), metrics(killed));
        for (String file : List.of(
                "adapter/adapter_model.safetensors",
                "model/model.safetensors",
                "checkpoints/step-00000007/optimizer.safetensors")) {
            assertArrayEquals(Files.readAllBytes(left.resolve(file)), Files.readAllBytes(killed.resolve(file)), file);
        }
    }

    @Test
    void aStoppedRunSavesAndGoesOn() throws IOException {
        Path out = folder.resolve("stopped");
        Run[] running = new Run[1];
        try (Run run = start(out, step -> {
            if (step == 3) {
                assertTrue(running[0].requestStop(), "there is a step to wait for");
            }
        })) {
            running[0] = run;
            Run.Outcome outcome = run.run();
            assertEquals(Run.End.STOPPED, outcome.end());
            assertEquals(3, outcome.steps());
            assertTrue(Files.exists(out.resolve("checkpoints/step-00000003")));
            assertFalse(Files.exists(out.resolve("model")));
        }
        try (Run run = resume(out)) {
            assertEquals(Run.End.FINISHED, run.run().end());
        }
        assertSame(out);
    }

    @Test
    void aStepThatIsNoNumberChangesNothingAndEndsTheRun() throws IOException {
        Path out = folder.resolve("diverged");
        Shrinking[] made = new Shrinking[1];
        Run.Kind<Settings.SftKeys> diverging = new Run.Kind<>(Settings.SftKeys.class, place -> {
            made[0] = new Shrinking(place.learner(), step -> made[0].lossScale = step == 4 ? Double.NaN : 1, _ -> {});
            return made[0];
        });
        try (Run run = start(out, diverging)) {
            Run.Outcome outcome = run.run();
            assertEquals(Run.End.GIVEN_UP, outcome.end());
            assertEquals(3, outcome.steps());
            assertTrue(
                    outcome.reason().startsWith("grad_norm of step 4 is NaN")
                            && outcome.reason().contains("The checkpoint of step 2 in"),
                    outcome.reason());
        }
        try (Run run = resume(out)) {
            assertEquals(Run.End.FINISHED, run.run().end());
        }
        assertSame(out);
    }

    private Run.Outcome withHighKl(Path out, LongPredicate isHigh) {
        Map<String, String> options = new LinkedHashMap<>(OPTIONS);
        options.putAll(Map.of("max_kl", "0.5", "patience", "3", "keep_checkpoints", "9"));
        Shrinking[] made = new Shrinking[1];
        Run.Kind<Settings.SftKeys> kind = new Run.Kind<>(Settings.SftKeys.class, place -> {
            made[0] = new Shrinking(place.learner(), step -> made[0].kl = isHigh.test(step) ? 1 : 0.1, _ -> {});
            return made[0];
        });
        try (Run run = Run.start(out, kind, Settings.sft(options), model, Map.of(), Progress.silent())) {
            return run.run();
        }
    }

    private static List<String> checkpoints(Path run) throws IOException {
        try (Stream<Path> checkpoints = Files.list(run.resolve("checkpoints"))) {
            return checkpoints.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void theLastCheckpointIsBeforeWhatStopsARun() throws IOException {
        Run.Outcome outcome = withHighKl(folder.resolve("away"), step -> step >= 4);
        assertEquals(Run.End.GIVEN_UP, outcome.end());
        assertEquals(6, outcome.steps());
        assertTrue(outcome.reason().contains("The checkpoint of step 2 in"), outcome.reason());
        assertEquals(List.of("step-00000002"), checkpoints(folder.resolve("away")));
    }

    @Test
    void aCheckpointWaitsUntilNoGuardCounts() throws IOException {
        assertEquals(
                Run.End.FINISHED,
                withHighKl(folder.resolve("late"), step -> step == 2).end());
        assertEquals(
                List.of("step-00000003", "step-00000004", "step-00000006", "step-00000007"),
                checkpoints(folder.resolve("late")));
        assertEquals(
                Run.End.FINISHED,
                withHighKl(folder.resolve("end"), step -> step >= 6).end());
        assertEquals(List.of("step-00000002", "step-00000004", "step-00000007"), checkpoints(folder.resolve("end")));
    }

    @Test
    void aFullDiskLeavesTheCheckpointBefore() throws IOException {
        Path out = folder.resolve("full");
        int[] saves = new int[1];
        try (Run run = start(out, kind(_ -> {}, to -> {
            if (++saves[0] == 2) {
                throw new java.io.UncheckedIOException(new IOException("No space left on device"));
            }
        }))) {
            assertThrows(java.io.UncheckedIOException.class, run::run);
        }
        try (Stream<Path> checkpoints = Files.list(out.resolve("checkpoints"))) {
            assertEquals(
                    List.of("step-00000002"),
                    checkpoints.map(p -> p.getFileName().toString()).toList());
        }
        try (Run run = resume(out)) {
            run.run();
        }
        assertSame(out);
    }

    @Test
    void aDamagedCheckpointIsNamed() throws IOException {
        Path out = folder.resolve("damaged");
        try (Run run = start(out, step -> {
            if (step == 5) {
                throw new OutOfMemoryError("as if killed");
            }
        })) {
            assertThrows(OutOfMemoryError.class, run::run);
        }
        Files.writeString(out.resolve("checkpoints/step-00000004/method/drawn.txt"), "35");
        try (Run run = resume(out)) {
            String message = message(run::run);
            assertTrue(message.contains("step-00000004 is not whole: method/drawn.txt is missing or damaged"), message);
            assertTrue(message.contains("step-00000004 to resume from the checkpoint before."), message);
        }
    }

    private static String message(org.junit.jupiter.api.function.Executable code) {
        return String.valueOf(assertThrows(BadInput.class, code).getMessage());
    }

    @Test
    void whatIsRefusedBeforeTheFirstStepLeavesNothing() {
        Path out = folder.resolve("a").resolve("refused");
        Run.Kind<Settings.SftKeys> refusing = new Run.Kind<>(Settings.SftKeys.class, place -> {
            throw new BadInput("no such data in " + place.inputs().get("data"));
        });
        try (Run run = Run.start(
                out, refusing, Settings.sft(OPTIONS), model, Map.of("data", List.of("x.jsonl")), Progress.silent())) {
            assertEquals("no such data in [x.jsonl]", message(run::run));
        }
        assertFalse(Files.exists(out.getParent()));
        assertTrue(message(() -> Run.start(
                        out, refusing, Settings.sft(OPTIONS), folder.resolve("none"), Map.of(), Progress.silent()))
                .contains("none"));
        assertFalse(Files.exists(out.getParent()));
    }

    @Test
    void anotherMethodsRunIsNotResumed() {
        Run.Kind<Settings.DpoKeys> dpo = new Run.Kind<>(Settings.DpoKeys.class, _ -> {
            throw new AssertionError("nothing is to be made");
        });
        String message = message(() -> Run.resume(whole, dpo, Map.of(), Progress.silent()));
        assertTrue(message.contains("it is a run of sft"), message);
        message = message(() -> start(whole, _ -> {}));
        assertTrue(message.contains("holds a run already"), message);
        message = message(() -> Run.resume(folder, dpo, Map.of(), Progress.silent()));
        assertTrue(message.contains("holds no run to resume"), message);
    }

    @Test
    void whatDoesNotFitIsRefusedWithTheNearestRemedy() {
        try (HostDevice device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream());
            Settings<Settings.GrpoKeys> settings = Settings.grpo(Map.of("micro_batch_tokens", "4096"));
            MemoryPlan plan = MemoryPlan.of(TinyModel.config(), kernels, settings, Optional.empty());
            plan.require(new MachineMemory.Room("a machine", plan.bytes(), 0), settings);
            String message =
                    message(() -> plan.require(new MachineMemory.Room("a machine", plan.bytes() - 1, 0), settings));
            assertTrue(message.startsWith("the run does not fit, a machine has"), message);
            assertTrue(message.contains("reference") && message.contains("drawing answers"), message);
            assertTrue(message.endsWith("lower micro_batch_tokens 4,096 to 2,048."), message);
            message = message(() -> plan.require(new MachineMemory.Room("a machine", 0, 0), settings));
            assertTrue(message.endsWith("take a smaller model."), message);
        }
    }

    private static MemoryPlan distilling(Optional<MemoryPlan.Teacher> teacher, Map<String, String> options) {
        try (HostDevice device = Device.host(1)) {
            return MemoryPlan.of(TinyModel.config(), Kernels.on(device.stream()), Settings.distill(options), teacher);
        }
    }

    private static long bytes(MemoryPlan plan, String part) {
        return plan.parts().stream()
                .filter(p -> p.name().equals(part))
                .mapToLong(MemoryPlan.Part::bytes)
                .sum();
    }

    @Test
    void aTeacherTakesMemory() {
        MemoryPlan.Teacher teacher = MemoryPlan.Teacher.of(model);
        assertEquals(MemoryPlan.Teacher.of(TinyModel.config()), teacher);
        MemoryPlan plan = distilling(Optional.of(teacher), Map.of());
        assertTrue(bytes(plan, "teacher") > teacher.bytes(), plan.line());
        assertEquals(0, bytes(distilling(Optional.empty(), Map.of()), "teacher"));
        Settings<?> settings = Settings.distill(Map.of("micro_batch_tokens", "2"));
        String message = message(() ->
                plan.require(new MachineMemory.Room("a machine", plan.bytes() - bytes(plan, "teacher"), 0), settings));
        assertTrue(message.endsWith("learn from its answers without it: loss=answers."), message);
    }

    @Test
    void aStudentTakesMemoryForWhatItWrites() {
        Map<String, String> none = Map.of("task", "", "on_policy_share", "0", "held_out_problems", "5");
        assertEquals(0, bytes(distilling(Optional.empty(), none), "drawing answers"));
        long[] drawn = new long[2];
        for (int i = 0; i < 2; i++) {
            drawn[i] = bytes(
                    distilling(
                            Optional.empty(),
                            Map.of("on_policy_share", "0.5", "batch_examples", Integer.toString(4 + 4 * i))),
                    "drawing answers");
        }
        try (HostDevice device = Device.host(1);
                Model tiny = TinyModel.create(Kernels.on(device.stream()), 1)) {
            assertEquals(4 * CachePages.pages(512) * tiny.pageBytes(), drawn[1] - drawn[0]);
        }
    }
}
