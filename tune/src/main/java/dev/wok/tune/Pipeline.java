package dev.wok.tune;

import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Durable;
import dev.wok.train.Logs;
import dev.wok.train.MachineMemory;
import dev.wok.train.Report;
import dev.wok.train.RunFolder;
import dev.wok.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Stages of training one after another, as a file in YAML describes them: DeepSeek-R1's pipeline
/// among others. Each stage has a folder, `01-name` and so on; one that is finished is not done
/// again, one that was interrupted goes on.
///
/// One thread runs it; [#requestStop] may come from any other.
public final class Pipeline {
    /// How a sitting ended.
    ///
    /// @param end of the last stage that ran
    /// @param stage its name
    /// @param reason why it was given up; empty otherwise
    public record Outcome(Run.End end, String stage, String reason) {}

    private static final String RECORD = "pipeline.json";

    private final PipelineFile file;
    private final Path out;
    private final Progress progress;
    private final StageRunner runner;
    private volatile boolean stopRequested;

    private Pipeline(PipelineFile file, Path out, Progress progress) {
        this.file = file;
        this.out = out;
        this.progress = progress;
        runner = new StageRunner(file, out, progress);
    }

    /// Reads a pipeline, and checks all of its stages.
    ///
    /// @param out the folder of its stages, or null for the one that the file names
    /// @throws BadInput with the line of what is wrong
    public static Pipeline open(Path file, @Nullable Path out, Progress progress) {
        PipelineFile read = PipelineFile.read(file);
        Path folder = out != null
                ? out
                : read.out()
                        .orElseThrow(() -> new BadInput(
                                "%s names no folder: add out: runs/r1, or give --out DIR.".formatted(file)));
        Pipeline pipeline = new Pipeline(read, folder, progress);
        pipeline.runner.check();
        return pipeline;
    }

    /// @return the folder of its stages
    public Path out() {
        return out;
    }

    /// @return a line for each stage: what it does, whether it is done, and what memory it takes
    public List<String> plan() {
        List<String> lines = new ArrayList<>();
        for (PipelineFile.Stage stage : file.stages()) {
            lines.add("%s  %s  %s%s"
                    .formatted(runner.folder(stage).getFileName(), stage.kind().text(), state(stage), memory(stage)));
        }
        return lines;
    }

    private String state(PipelineFile.Stage stage) {
        if (isDone(stage)) {
            return "done";
        }
        return Files.exists(runner.folder(stage)) ? "begun" : "to do";
    }

    private String memory(PipelineFile.Stage stage) {
        Optional<Settings<?>> settings = runner.settings(stage);
        Optional<ModelConfig> config = stage.model().flatMap(this::config);
        if (settings.isEmpty() || config.isEmpty()) {
            return "";
        }
        return settings.get().compute().with(Progress.silent(), kernels -> {
            MemoryPlan plan = MemoryPlan.of(
                    config.get(), kernels, settings.get(), stage.teacher().flatMap(this::teacher));
            MachineMemory.Room room = MachineMemory.room(kernels.stream().device());
            return "%n    %s%s"
                    .formatted(plan.line(), plan.bytes() + room.heap() > room.free() ? "; it does not fit" : "");
        });
    }

    /// @return the shape of a model that need not be there yet
    private Optional<ModelConfig> config(String model) {
        Optional<PipelineFile.Stage> made = runner.stage(model);
        if (made.isEmpty()) {
            return Optional.of(Model.config(runner.path(model), Progress.silent()));
        }
        PipelineFile.Stage stage = made.get();
        return stage.kind() == PipelineFile.Kind.TRAIN && stage.model().isEmpty()
                ? Optional.of(Trainer.architecture(StageRunner.trainSettings(stage), -1, -1))
                : stage.model().flatMap(this::config);
    }

    private Optional<MemoryPlan.Teacher> teacher(String model) {
        return runner.stage(model).isPresent()
                ? config(model).map(MemoryPlan.Teacher::of)
                : Optional.of(MemoryPlan.Teacher.of(runner.path(model)));
    }

    private boolean isDone(PipelineFile.Stage stage) {
        return Files.exists(runner.folder(stage).resolve("result.json"));
    }

    /// Asks the pipeline to save what its stage has, and return.
    ///
    /// @return whether there is anything to wait for
    public boolean requestStop() {
        stopRequested = true;
        return runner.requestStop();
    }

    /// Runs the stages that are not done, until all are, one leads nowhere, or it is asked to stop.
    ///
    /// @throws BadInput where a stage is refused, or one that has begun is now described differently
    public Outcome run() {
        Outcome outcome = new Outcome(Run.End.FINISHED, file.stages().getLast().name(), "");
        try (RunFolder lock = RunFolder.open(out)) {
            SequencedMap<String, Object> record = record();
            for (PipelineFile.Stage stage : file.stages()) {
                if (!isDone(stage) || !record.containsKey(stage.name())) {
                    requireSame(stage, record);
                    record.put(stage.name(), runner.mark(stage));
                    Durable.write(
                            lock.root().resolve(RECORD),
                            Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
                    outcome = run(stage);
                    index();
                    if (outcome.end() != Run.End.FINISHED) {
                        return outcome;
                    }
                } else {
                    requireSame(stage, record);
                    say(stage, "done before");
                }
            }
            index();
        }
        return outcome;
    }

    private Outcome run(PipelineFile.Stage stage) {
        if (stopRequested) {
            return new Outcome(Run.End.STOPPED, stage.name(), "");
        }
        say(stage, stage.kind().text());
        try {
            Run.Outcome ended = runner.run(stage);
            return new Outcome(ended.end(), stage.name(), ended.end() == Run.End.GIVEN_UP ? ended.reason() : "");
        } catch (BadInput e) {
            throw file.refusal(stage, String.valueOf(e.getMessage()), e);
        }
    }

    private void say(PipelineFile.Stage stage, String what) {
        progress.say("stage %d of %d, %s: %s"
                .formatted(file.stages().indexOf(stage) + 1, file.stages().size(), stage.name(), what));
    }

    private SequencedMap<String, Object> record() {
        Path path = out.resolve(RECORD);
        SequencedMap<String, Object> record = new LinkedHashMap<>();
        if (Files.exists(path)) {
            try {
                JsonNode root = Logs.JSON.readTree(Files.readAllBytes(path));
                root.properties()
                        .forEach(e -> record.put(e.getKey(), e.getValue().asString("")));
            } catch (IOException e) {
                throw BadInput.reading(path, e);
            } catch (JacksonException e) {
                throw BadInput.notJson(path, e);
            }
        }
        return record;
    }

    private void requireSame(PipelineFile.Stage stage, Map<String, Object> record) {
        Path folder = runner.folder(stage);
        Object before = record.get(stage.name());
        if (before != null && Files.exists(folder) && !before.equals(runner.mark(stage))) {
            throw new BadInput(
                    "%s, line %d: stage %s was begun with other settings or inputs; put them back, or remove %s and the stages that follow from it."
                            .formatted(file.path(), stage.line(), stage.name(), folder));
        }
    }

    private void index() {
        List<Report.Row> rows = new ArrayList<>();
        for (PipelineFile.Stage stage : file.stages()) {
            Path folder = runner.folder(stage);
            String page = folder.getFileName() + "/report.html";
            rows.add(new Report.Row(
                    stage.name(),
                    stage.kind().text(),
                    state(stage),
                    figures(folder.resolve("result.json")),
                    Files.exists(out.resolve(page)) ? Optional.of(page) : Optional.empty()));
        }
        Report.index(out.resolve("index.html"), String.valueOf(file.path().getFileName()), rows);
    }

    private static String figures(Path result) {
        if (!Files.exists(result)) {
            return "";
        }
        StringBuilder figures = new StringBuilder();
        try {
            JsonNode root = Logs.JSON.readTree(Files.readAllBytes(result));
            for (String key : List.of(
                    "steps", "held_out/pass_at_1", "pass_at_1", "reward", "loss", "held_out_bits_per_byte", "kept")) {
                JsonNode value = root.path(key);
                if (value.isNumber()) {
                    figures.append(figures.isEmpty() ? "" : ", ")
                            .append(key.replace('_', ' '))
                            .append(' ')
                            .append(
                                    value.isIntegralNumber()
                                            ? value.asString()
                                            : String.format(Locale.ROOT, "%.4g", value.asDouble()));
                }
            }
        } catch (IOException | JacksonException e) {
            return "damaged";
        }
        return figures.toString();
    }
}
