package dev.wok.tune;

import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.text.Tokenizer;
import dev.wok.train.Checkpoint;
import dev.wok.train.Durable;
import dev.wok.train.Logs;
import dev.wok.train.MachineMemory;
import dev.wok.train.Report;
import dev.wok.train.RunFolder;
import dev.wok.train.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A run of post-training in a folder, whatever its method: it keeps checkpoints, and ends with a
/// model folder, figures and a report. The same settings give the same bits on the same machine,
/// whatever the number of threads and however often the run was cut off and resumed.
///
/// What is refused before the first step of a new run leaves nothing behind. One thread runs it;
/// [#requestStop] may come from any other.
public final class Run implements AutoCloseable {
    /// How a sitting ended.
    public enum End {
        /// The run is done.
        FINISHED,
        /// It was asked to stop, and can be resumed.
        STOPPED,
        /// It led nowhere and was stopped; it can be resumed from its last checkpoint with other
        /// limits.
        GIVEN_UP
    }

    /// What came of a sitting.
    ///
    /// @param steps done so far
    /// @param result the figures of result.json, empty where the run is not finished
    /// @param reason why it was given up, or finished early; empty otherwise
    public record Outcome(End end, long steps, SequencedMap<String, Object> result, String reason) {}

    /// What a method is made from.
    ///
    /// @param settings of the run
    /// @param model the folder of the model that the run began with
    /// @param inputs what else it reads, by name, such as `data`: paths or addresses
    /// @param folder where it may keep what it prepares, the run's `data`; not made yet
    /// @param learner has the weights of the newest checkpoint; stays the run's
    record Place<K extends Record>(
            Settings<K> settings,
            Path model,
            Map<String, List<String>> inputs,
            Path folder,
            Tokenizer tokenizer,
            Learner learner,
            Progress progress) {}

    /// A kind of method.
    ///
    /// @param keys the record of its settings
    /// @param maker makes it; [BadInput] for what is wrong with its data
    record Kind<K extends Record>(Class<K> keys, Maker<K> maker) {}

    /// Makes methods.
    @FunctionalInterface
    interface Maker<K extends Record> {
        /// @throws BadInput for data that cannot be learnt from
        Method make(Place<K> place);
    }

    private static final String METHOD = "method";
    private static final String TEACHER = "teacher";

    private final Sitting<?> sitting;

    private Run(Sitting<?> sitting) {
        this.sitting = sitting;
    }

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param model a model folder
    /// @param inputs what else is read, by name
    /// @throws BadInput where the folder holds a run already or is in use, or there is no model
    static <K extends Record> Run start(
            Path out,
            Kind<K> kind,
            Settings<K> settings,
            Path model,
            Map<String, List<String>> inputs,
            Progress progress) {
        RunJson<K> file = new RunJson<>(settings.decided(), model.toAbsolutePath(), inputs);
        Model.config(model, Progress.silent());
        RunFolder folder = RunFolder.begin(out);
        try {
            file.write(folder.run());
            return new Run(new Sitting<>(folder, true, file, kind, progress));
        } catch (RuntimeException e) {
            folder.discard(e);
            throw e;
        }
    }

    /// Goes on with a run where its last checkpoint was.
    ///
    /// @param options settings by key that were given again; only those that change no number may
    ///     differ
    /// @throws BadInput where there is no run of this kind, or an option contradicts it
    static <K extends Record> Run resume(Path out, Kind<K> kind, Map<String, String> options, Progress progress) {
        if (!RunFolder.holdsRun(out)) {
            throw new BadInput("%s holds no run to resume; start one without --resume.".formatted(out));
        }
        RunFolder folder = RunFolder.open(out);
        try {
            RunJson<K> file = RunJson.read(folder.run(), kind.keys).with(options);
            return new Run(new Sitting<>(folder, false, file, kind, progress));
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /// Asks the run to finish its step, save and return.
    ///
    /// @return whether there is anything to wait for; before the first step there is not
    public boolean requestStop() {
        sitting.stopRequested = true;
        return sitting.learning;
    }

    /// Learns until the run is done, is asked to stop, or leads nowhere.
    ///
    /// @throws BadInput where data, settings and this machine do not fit together
    public Outcome run() {
        return sitting.run();
    }

    @Override
    public void close() {
        sitting.folder.close();
    }

    private static final class Sitting<K extends Record> {
        private final RunFolder folder;
        private final boolean fresh;
        private final RunJson<K> file;
        private final Kind<K> kind;
        private final Progress progress;
        private volatile boolean learning;
        private volatile boolean stopRequested;
        private boolean begun;

        Sitting(RunFolder folder, boolean fresh, RunJson<K> file, Kind<K> kind, Progress progress) {
            this.folder = folder;
            this.fresh = fresh;
            this.file = file;
            this.kind = kind;
            this.progress = progress;
        }

        Outcome run() {
            Optional<Outcome> before = finished();
            if (before.isPresent()) {
                progress.say("%s is finished already.".formatted(folder.root()));
                return before.get();
            }
            try {
                return file.settings().compute().with(progress, this::prepareAndLearn);
            } catch (RuntimeException | Error e) {
                if (fresh && !begun) {
                    folder.discard(e);
                }
                throw e;
            }
        }

        private Optional<Outcome> finished() {
            if (!Files.exists(folder.result())) {
                return Optional.empty();
            }
            try {
                JsonNode root = Logs.JSON.readTree(Files.readAllBytes(folder.result()));
                if (!root.path("steps").isIntegralNumber()) {
                    throw new BadInput("%s is damaged; remove it to finish the run again.".formatted(folder.result()));
                }
                SequencedMap<String, Object> result = new LinkedHashMap<>();
                root.properties()
                        .forEach(e -> result.put(e.getKey(), Logs.JSON.treeToValue(e.getValue(), Object.class)));
                return Optional.of(new Outcome(
                        End.FINISHED,
                        root.path("steps").asLong(),
                        result,
                        root.path("ended_early").asString("")));
            } catch (IOException | JacksonException e) {
                throw new BadInput(
                        "%s cannot be read; remove it to finish the run again.".formatted(folder.result()), e);
            }
        }

        private Outcome prepareAndLearn(Kernels kernels) {
            Settings<K> settings = file.settings();
            Optional<Checkpoint> checkpoint = Checkpoint.newest(folder.checkpoints(), progress);
            checkpoint.ifPresent(this::requireSame);
            requireModel();
            // Adapters are added to the weights that the run began with.
            Path from = settings.adapter().lora().isPresent()
                    ? file.model()
                    : checkpoint.map(Checkpoint::folder).orElse(file.model());
            MemoryPlan plan = MemoryPlan.of(Model.config(from, Progress.silent()), kernels, settings, teacher());
            plan.require(MachineMemory.room(kernels.stream().device()), settings);
            progress.say(plan.line());
            Tokenizer tokenizer = Tokenizer.load(file.model());
            try (Model model = Model.load(from, kernels, DType.F32, progress);
                    Learner learner = learner(model);
                    Method method = kind.maker.make(new Place<>(
                            settings, file.model(), file.inputs(), folder.data(), tokenizer, learner, progress))) {
                checkpoint.ifPresent(c -> restore(c, learner, method));
                try (Loop loop = new Loop(tokenizer, learner, method, checkpoint.map(Checkpoint::state))) {
                    return loop.run();
                }
            }
        }

        private Optional<MemoryPlan.Teacher> teacher() {
            return file.inputs().getOrDefault(TEACHER, List.of()).stream()
                    .map(folder -> MemoryPlan.Teacher.of(Path.of(folder)))
                    .findFirst();
        }

        private Learner learner(Model model) {
            Settings<K> settings = file.settings();
            Adapters adapters = settings.adapter()
                    .lora()
                    .map(lora -> Adapters.fresh(model, lora, settings.compute().seed()))
                    .orElse(null);
            return new Learner(
                    model,
                    adapters,
                    settings.run().microBatchTokens(),
                    MemoryPlan.asSampled(settings),
                    settings.optimizer().constants());
        }

        private void requireModel() {
            if (!Files.isDirectory(file.model())) {
                throw new BadInput(
                        "the model folder %s, with which the run began, is gone; put it back.".formatted(file.model()));
            }
        }

        private void requireSame(Checkpoint checkpoint) {
            Checkpoint.State state = checkpoint.state();
            if (!state.settings().equals(file.settings().fingerprint())) {
                throw new BadInput("the settings in %s are not those of the first %,d steps; put them back."
                        .formatted(folder.run(), state.step()));
            }
        }

        private static void restore(Checkpoint checkpoint, Learner learner, Method method) {
            checkpoint.restore(
                    learner.state(), learner.model().kernels().stream().device());
            learner.restored();
            Path kept = checkpoint.folder().resolve(METHOD);
            if (Files.isDirectory(kept)) {
                try {
                    method.restore(kept);
                } catch (IOException e) {
                    throw BadInput.reading(kept, e);
                }
            }
        }

        /// The steps from a checkpoint, or from the first, to the last or to a stop.
        private final class Loop implements AutoCloseable {
            private final Settings.RunKeys often = file.settings().run();
            private final Schedule schedule = Schedule.of(file.settings().optimizer());
            private final Guards guards = new Guards(file.settings().limits());
            private final Tokenizer tokenizer;
            private final Learner learner;
            private final Method method;
            private final long total;
            private final Logs logs;
            private SequencedMap<String, Object> lastFigures = new LinkedHashMap<>();
            private SequencedMap<String, Object> lastEvaluation = new LinkedHashMap<>();
            private Guards.Verdict verdict = new Guards.Verdict.GoOn();
            private long step;
            private long tokens;
            private double elapsed;
            private long savedAt = -1;
            private boolean saveDue;
            private long evaluatedAt = -1;

            Loop(Tokenizer tokenizer, Learner learner, Method method, Optional<Checkpoint.State> from) {
                this.tokenizer = tokenizer;
                this.learner = learner;
                this.method = method;
                total = method.steps();
                step = from.map(Checkpoint.State::step).orElse(0L);
                tokens = from.map(Checkpoint.State::tokens).orElse(0L);
                elapsed = from.map(Checkpoint.State::elapsedSeconds).orElse(0.0);
                savedAt = from.isPresent() ? step : -1;
                logs = Logs.open(folder.root(), from.map(Checkpoint.State::logs).orElse(Logs.Lengths.EMPTY));
                if (step > 0) {
                    recall();
                }
            }

            /// Shows the guards what was before, and remembers the newest figures.
            private void recall() {
                for (SequencedMap<String, Object> line : logs.metrics()) {
                    verdict = guards.watch(((Number) line.getOrDefault("step", 0L)).longValue(), line);
                    lastFigures = line;
                }
                logs.evaluations().forEach(line -> lastEvaluation = line);
            }

            Outcome run() {
                if (step > 0) {
                    progress.say("going on after step %,d.".formatted(step));
                }
                if (step == 0) {
                    evaluate();
                }
                begun = true;
                learning = true;
                try (Progress.Task task = progress.start(method.name(), total, "steps")) {
                    task.advance(step);
                    while (goesOn() && !stopRequested) {
                        if (one(task)) {
                            betweenSteps();
                        }
                    }
                    return end();
                } finally {
                    learning = false;
                }
            }

            private boolean goesOn() {
                return step < total && verdict instanceof Guards.Verdict.GoOn;
            }

            /// @return whether the step counts
            private boolean one(Progress.Task task) {
                long begin = System.nanoTime();
                double rate = schedule.rate((step + 1.0) / total);
                SequencedMap<String, Object> found = method.step(step + 1, rate);
                verdict = guards.watch(step + 1, found);
                if (!finite(found)) {
                    return false;
                }
                elapsed += (System.nanoTime() - begin) * 1e-9;
                step++;
                tokens += found.get("tokens") instanceof Number number ? number.longValue() : 0;
                SequencedMap<String, Object> line = new LinkedHashMap<>();
                line.put("step", step);
                line.putAll(found);
                line.put("learning_rate", rate);
                line.put("seconds", Math.rint(elapsed * 1000) / 1000);
                logs.metric(line);
                lastFigures = line;
                task.advance(1);
                task.detail(detail(found));
                return true;
            }

            private boolean finite(Map<String, Object> found) {
                return List.of("loss", "grad_norm").stream()
                        .allMatch(key ->
                                !(found.get(key) instanceof Number number) || Double.isFinite(number.doubleValue()));
            }

            private String detail(Map<String, Object> found) {
                StringBuilder text = new StringBuilder();
                for (String key : List.of("reward", "loss", "kl", "length")) {
                    if (found.get(key) instanceof Number number) {
                        text.append(text.isEmpty() ? "" : "  ")
                                .append("%s %s".formatted(key, short4(number.doubleValue())));
                    }
                }
                return text.toString();
            }

            private String short4(double value) {
                return String.format(Locale.ROOT, "%.4g", value);
            }

            private void betweenSteps() {
                if (often.sampleEvery() > 0 && (step == 1 || step % often.sampleEvery() == 0 || step == total)) {
                    sample();
                }
                if (!goesOn()) {
                    return;
                }
                if (often.evaluateEvery() > 0 && step % often.evaluateEvery() == 0) {
                    evaluate();
                }
                saveDue |= often.checkpointEvery() > 0 && step % often.checkpointEvery() == 0;
                // What a guard may yet stop is no place to go back to.
                if (saveDue && !guards.isCounting()) {
                    save();
                    saveDue = false;
                }
            }

            private void sample() {
                for (SequencedMap<String, Object> sample : method.samples()) {
                    SequencedMap<String, Object> line = new LinkedHashMap<>();
                    line.put("step", step);
                    line.putAll(sample);
                    logs.sample(line);
                }
            }

            /// Measures once per step; a checkpoint of this step has the record already.
            private void evaluate() {
                if (evaluatedAt == step || savedAt == step) {
                    return;
                }
                evaluatedAt = step;
                SequencedMap<String, Object> figures = method.evaluate();
                if (!figures.isEmpty()) {
                    SequencedMap<String, Object> line = new LinkedHashMap<>();
                    line.put("step", step);
                    line.putAll(figures);
                    logs.evaluation(line);
                    lastEvaluation = line;
                }
            }

            private void save() {
                if (savedAt == step || step == 0) {
                    return;
                }
                if (!learner.isFinite()) {
                    verdict = new Guards.Verdict.Stop(
                            "the weights after step %,d have no finite norm: the run diverged. Lower learning_rate."
                                    .formatted(step));
                    return;
                }
                Checkpoint.State state = new Checkpoint.State(
                        step, tokens, elapsed, 0, file.settings().fingerprint(), logs.force());
                Checkpoint.write(
                        folder.checkpoints(),
                        state,
                        learner.state(),
                        learner.model().kernels().stream().device(),
                        this::write);
                savedAt = step;
                Checkpoint.keep(folder.checkpoints(), often.keepCheckpoints());
            }

            private void write(Path part) throws IOException {
                if (learner.adapters().isEmpty()) {
                    writeModel(part);
                }
                Path kept = Files.createDirectory(part.resolve(METHOD));
                method.save(kept);
            }

            private void writeModel(Path part) throws IOException {
                learner.model().save(part);
                tokenizer.save(part);
            }

            private Outcome end() {
                boolean over = !goesOn();
                if (over && !(verdict instanceof Guards.Verdict.Stop)) {
                    evaluate();
                }
                if (!(verdict instanceof Guards.Verdict.Stop)) {
                    save();
                }
                return switch (verdict) {
                    case Guards.Verdict.Stop stop -> {
                        String line = "%s %s".formatted(stop.line(), wholeCheckpoints());
                        progress.say(line);
                        report();
                        yield new Outcome(End.GIVEN_UP, step, new LinkedHashMap<>(), line);
                    }
                    case Guards.Verdict.Done done -> {
                        progress.say(done.line());
                        yield new Outcome(End.FINISHED, step, finish(done.line()), done.line());
                    }
                    case Guards.Verdict.GoOn _ -> {
                        if (over) {
                            yield new Outcome(End.FINISHED, step, finish(""), "");
                        }
                        report();
                        yield new Outcome(End.STOPPED, step, new LinkedHashMap<>(), "");
                    }
                };
            }

            private String wholeCheckpoints() {
                return savedAt < 0
                        ? "No checkpoint was made yet."
                        : "The checkpoint of step %,d in %s is whole.".formatted(savedAt, folder.checkpoints());
            }

            private SequencedMap<String, Object> finish(String early) {
                learner.adapters().ifPresent(adapters -> Durable.folder(folder.adapter(), adapters::save));
                Durable.folder(folder.model(), this::writeModel);
                SequencedMap<String, Object> result = new LinkedHashMap<>(lastFigures);
                result.remove("step");
                lastEvaluation.forEach((key, value) -> {
                    if (!key.equals("step")) {
                        result.put("held_out/" + key, value);
                    }
                });
                result.putFirst("steps", step);
                if (tokens > 0) {
                    result.put("tokens", tokens);
                }
                if (!early.isEmpty()) {
                    result.put("ended_early", early);
                }
                Durable.write(
                        folder.result(),
                        Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(result));
                report();
                return result;
            }

            private void report() {
                try {
                    Report.write(folder.root(), List.of());
                } catch (BadInput e) {
                    progress.say("the run is whole, but it has no report: %s Then: wok report %s"
                            .formatted(e.getMessage(), folder.root()));
                }
            }

            @Override
            public void close() {
                logs.close();
            }
        }
    }
}
