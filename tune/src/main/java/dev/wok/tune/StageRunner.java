package dev.wok.tune;

import dev.wok.generate.Engine;
import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import dev.wok.train.Compute;
import dev.wok.train.Durable;
import dev.wok.train.Logs;
import dev.wok.train.RunFolder;
import dev.wok.train.Trainer;
import dev.wok.tune.PipelineFile.Kind;
import dev.wok.tune.PipelineFile.Stage;
import dev.wok.tune.StageSettings.EvalKeys;
import dev.wok.tune.StageSettings.SampleKeys;
import dev.wok.tune.StageSettings.TextKeys;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// Does what the stages of a pipeline say, each in its folder.
final class StageRunner {
    private static final String DATA = "data.jsonl";

    private final PipelineFile file;
    private final Path out;
    private final Progress progress;
    private volatile BooleanSupplier stopping = () -> false;

    StageRunner(PipelineFile file, Path out, Progress progress) {
        this.file = file;
        this.out = out;
        this.progress = progress;
    }

    Path folder(Stage stage) {
        return out.resolve("%02d-%s".formatted(file.stages().indexOf(stage) + 1, stage.name()));
    }

    Optional<Stage> stage(String name) {
        return file.stages().stream().filter(stage -> stage.name().equals(name)).findFirst();
    }

    Path path(String given) {
        return file.path().toAbsolutePath().resolveSibling(given);
    }

    boolean requestStop() {
        return stopping.getAsBoolean();
    }

    /// Looks at all that can be known before the first stage runs.
    ///
    /// @throws BadInput with the line of the first stage that is wrong
    void check() {
        for (Stage stage : file.stages()) {
            try {
                mark(stage);
                requireTasks(stage);
                require(
                        stage,
                        "model",
                        stage.model().stream().toList(),
                        switch (stage.kind()) {
                            case SFT, DPO, GRPO, SAMPLE, DISTILL, EVAL -> true;
                            case TEXT, TRAIN -> false;
                        });
                require(
                        stage,
                        "data",
                        stage.data(),
                        switch (stage.kind()) {
                            case SFT, DPO -> true;
                            case DISTILL -> distill(stage).onPolicyShare() < 1;
                            case TEXT, TRAIN, GRPO, SAMPLE, EVAL -> false;
                        });
                require(
                        stage,
                        "teacher",
                        stage.teacher().stream().toList(),
                        stage.kind() == Kind.DISTILL && !distill(stage).loss().equals("answers"));
            } catch (BadInput e) {
                throw file.refusal(stage, String.valueOf(e.getMessage()), e);
            }
        }
    }

    private void requireTasks(Stage stage) {
        switch (stage.kind()) {
            case TEXT -> text(stage).stage().tasks().forEach(this::generated);
            case GRPO -> {
                Settings.GrpoKeys keys = Settings.grpo(stage.settings()).method();
                requireRewards(keys.task(), keys.reward());
            }
            case SAMPLE -> {
                SampleKeys keys = sample(stage).stage();
                requireRewards(keys.task(), keys.reward());
            }
            case EVAL -> requireRewards(eval(stage).stage().task(), List.of("accuracy"));
            case DISTILL -> {
                Settings.DistillKeys keys = distill(stage);
                if (!keys.task().isEmpty()) {
                    requireRewards(keys.task(), keys.reward());
                }
            }
            case TRAIN, SFT, DPO -> {}
        }
    }

    private void requireRewards(String task, List<String> rewards) {
        Rewards.parse(Tasks.of(task, Progress.silent()), rewards, Progress.silent());
    }

    private GeneratedTask generated(String name) {
        if (Tasks.of(name, progress) instanceof GeneratedTask task) {
            return task;
        }
        throw new BadInput("the task %s is read from a file; texts are written of built-in ones.".formatted(name));
    }

    private static Settings.DistillKeys distill(Stage stage) {
        return Settings.distill(stage.settings()).method();
    }

    private void require(Stage stage, String what, List<String> given, boolean needed) {
        if (needed && given.isEmpty()) {
            throw new BadInput("it needs %s: a path, or a stage before it.".formatted(what));
        }
        for (String one : given) {
            Optional<Stage> made = stage(one);
            if (made.isPresent()) {
                if (file.stages().indexOf(made.get()) >= file.stages().indexOf(stage)) {
                    throw new BadInput("its %s is stage %s, which does not come before it.".formatted(what, one));
                }
                boolean writes = switch (made.get().kind()) {
                    case TEXT, SAMPLE -> what.equals("data");
                    case TRAIN, SFT, DPO, GRPO, DISTILL -> !what.equals("data");
                    case EVAL -> false;
                };
                if (!writes) {
                    throw new BadInput("its %s is stage %s, a %s, which makes none."
                            .formatted(what, one, made.get().kind().text()));
                }
            } else if (!Files.exists(path(one))) {
                throw new BadInput("its %s is %s, which is neither a stage before it nor a file or folder %s."
                        .formatted(what, one, path(one)));
            }
        }
    }

    /// @return what decides about the numbers of a stage, in a line
    String mark(Stage stage) {
        String settings = switch (stage.kind()) {
            case TEXT -> text(stage).stage().toString() + text(stage).compute().seed();
            case TRAIN -> trainSettings(stage).fingerprint();
            case SAMPLE ->
                sample(stage).stage().toString() + sample(stage).compute().seed();
            case EVAL -> eval(stage).stage().toString() + eval(stage).compute().seed();
            case SFT, DPO, GRPO, DISTILL -> settings(stage).orElseThrow().fingerprint();
        };
        return "%s of %s, %s, %s: %s"
                .formatted(
                        stage.kind().text(),
                        stage.model().orElse("-"),
                        stage.data(),
                        stage.teacher().orElse("-"),
                        settings);
    }

    /// @return those of a method; empty where the stage is none
    Optional<Settings<?>> settings(Stage stage) {
        return switch (stage.kind()) {
            case SFT -> Optional.of(Settings.sft(stage.settings()));
            case DPO -> Optional.of(Settings.dpo(stage.settings()));
            case GRPO -> Optional.of(Settings.grpo(stage.settings()));
            case DISTILL -> Optional.of(Settings.distill(stage.settings()));
            case TEXT, TRAIN, SAMPLE, EVAL -> Optional.empty();
        };
    }

    /// @return those of a base model's training, without samples of text
    static dev.wok.train.Settings trainSettings(Stage stage) {
        SequencedMap<String, String> options = new LinkedHashMap<>(stage.settings());
        if (options.putIfAbsent("sample_tokens", "0") instanceof String given && !given.equals("0")) {
            throw new BadInput(
                    "sample_tokens is %s, but a stage takes no samples of text; leave it out.".formatted(given));
        }
        return dev.wok.train.Settings.of(preset(stage), options);
    }

    private static String preset(Stage stage) {
        return stage.preset().orElse(dev.wok.train.Settings.presets().getFirst());
    }

    private static StageSettings<TextKeys> text(Stage stage) {
        return StageSettings.of("text", TextKeys.class, stage.settings());
    }

    private static StageSettings<SampleKeys> sample(Stage stage) {
        return StageSettings.of("sample", SampleKeys.class, stage.settings());
    }

    private static StageSettings<EvalKeys> eval(Stage stage) {
        return StageSettings.of("eval", EvalKeys.class, stage.settings());
    }

    /// Does a stage, or goes on with it.
    Run.Outcome run(Stage stage) {
        try {
            return switch (stage.kind()) {
                case TEXT -> write(stage, text(stage));
                case TRAIN -> train(stage);
                case SFT -> learn(stage, Sft.KIND, Settings.sft(stage.settings()));
                case DPO -> learn(stage, Dpo.KIND, Settings.dpo(stage.settings()));
                case GRPO -> learn(stage, Grpo.KIND, Settings.grpo(stage.settings()));
                case DISTILL -> learn(stage, Distillation.KIND, Settings.distill(stage.settings()));
                case SAMPLE -> sample(stage, sample(stage));
                case EVAL -> evaluate(stage, eval(stage));
            };
        } finally {
            stopping = () -> false;
        }
    }

    private Path model(String given) {
        return stage(given).map(made -> folder(made).resolve("model")).orElseGet(() -> path(given));
    }

    private List<Path> data(Stage stage) {
        return stage.data().stream()
                .map(given ->
                        stage(given).map(made -> folder(made).resolve(DATA)).orElseGet(() -> path(given)))
                .toList();
    }

    private <K extends Record> Run.Outcome learn(Stage stage, Run.Kind<K> kind, Settings<K> settings) {
        SequencedMap<String, List<String>> inputs = new LinkedHashMap<>();
        List<Path> data = data(stage);
        if (!data.isEmpty()) {
            inputs.put(
                    "data",
                    data.stream().map(path -> path.toAbsolutePath().toString()).toList());
        }
        stage.teacher()
                .ifPresent(given -> inputs.put(
                        "teacher", List.of(model(given).toAbsolutePath().toString())));
        Path model = model(stage.model().orElseThrow());
        Path folder = folder(stage);
        try (Run run = RunFolder.holdsRun(folder)
                ? Run.resume(folder, kind, stage.settings(), progress)
                : Run.start(folder, kind, settings, model, inputs, progress)) {
            stopping = run::requestStop;
            return run.run();
        }
    }

    private Run.Outcome train(Stage stage) {
        Path folder = folder(stage);
        Path init = stage.model().map(this::model).orElse(null);
        Trainer.Sampler none = (_, _, prompt, _) -> prompt;
        dev.wok.train.Settings settings = trainSettings(stage);
        try (Trainer trainer = RunFolder.holdsRun(folder)
                ? Trainer.resume(folder, preset(stage), stage.settings(), data(stage), init, progress, none)
                : Trainer.start(folder, preset(stage), settings, data(stage), init, progress, none)) {
            stopping = trainer::requestStop;
            Trainer.Outcome outcome = trainer.run();
            return new Run.Outcome(
                    outcome.finished() ? Run.End.FINISHED : Run.End.STOPPED, outcome.steps(), outcome.result(), "");
        }
    }

    private Run.Outcome write(Stage stage, StageSettings<TextKeys> settings) {
        TextKeys keys = settings.stage();
        long seed = settings.compute().seed();
        List<GeneratedTask> tasks = keys.tasks().stream().map(this::generated).toList();
        Path file = made(stage).resolve(DATA);
        if (keys.form().equals("base")) {
            new BaseText(tasks, BaseText.usualShares(), seed).write(file, keys.documents(), progress);
        } else {
            Durable.write(file, out -> {
                for (long i = 0; i < keys.documents(); i++) {
                    GeneratedTask task = tasks.get((int) (i % tasks.size()));
                    Problem problem = task.problem(Task.Split.TRAIN, i, seed);
                    SequencedMap<String, Object> line = new LinkedHashMap<>();
                    line.put("prompt", problem.question());
                    line.put(
                            "completion",
                            " " + task.demonstration(problem, seed).orElseThrow());
                    out.write((Logs.JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
                }
            });
        }
        return finish(stage, Map.of("documents", keys.documents()));
    }

    private Path made(Stage stage) {
        try {
            return Files.createDirectories(folder(stage));
        } catch (IOException e) {
            throw BadInput.writing(folder(stage), e);
        }
    }

    private Run.Outcome finish(Stage stage, Map<String, ?> figures) {
        SequencedMap<String, Object> result = new LinkedHashMap<>(figures);
        Durable.write(
                folder(stage).resolve("result.json"),
                Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(result));
        return new Run.Outcome(Run.End.FINISHED, 0, result, "");
    }

    /// Lets a model answer.
    private <T> T answering(Path folder, Compute compute, Answerer.Options options, Function<Answerer, T> work) {
        return compute.with(progress, kernels -> {
            try (Model model = Model.open(folder, kernels, progress);
                    Engine engine = new Engine(
                            model, Engine.Settings.on(kernels.stream().device()))) {
                return work.apply(
                        new Answerer(engine, model.config(), Tokenizer.load(folder), options, folder.toString()));
            }
        });
    }

    private Run.Outcome sample(Stage stage, StageSettings<SampleKeys> settings) {
        SampleKeys keys = settings.stage();
        Task task = Tasks.of(keys.task(), progress);
        Prompts.Form form = Prompts.Form.of(keys.promptForm());
        Reward rewards = Rewards.parse(task, keys.reward(), progress);
        TeacherAnswers.Options options = new TeacherAnswers.Options(
                keys.task(),
                keys.problems(),
                keys.samples(),
                keys.language().isEmpty() ? rewards : within(Rewards.language(keys.language()), rewards),
                keys.keepReward(),
                form,
                settings.compute().seed());
        Path kept = made(stage).resolve("kept.jsonl");
        TeacherAnswers.Outcome outcome = answering(
                model(stage.model().orElseThrow()),
                settings.compute(),
                new Answerer.Options(form, keys.maxNewTokens(), Sampling.atTemperature(keys.temperature())),
                answerer -> TeacherAnswers.write(answerer, task, options, kept, progress));
        long lines = some(kept, folder(stage).resolve(DATA), keys.keepPerProblem());
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        figures.put("asked", outcome.asked());
        figures.put("right", outcome.kept());
        figures.put("kept", lines);
        return finish(stage, figures);
    }

    /// @return a reward that refuses what leaves a language
    private static Reward within(Reward language, Reward reward) {
        return (problem, completion) -> language.score(problem, completion).value() < 1
                ? new Reward.Score(Double.NEGATIVE_INFINITY, "mixed languages")
                : reward.score(problem, completion);
    }

    /// Keeps some answers to each problem, which follow each other.
    ///
    /// @param most of a problem; 0 for all
    /// @return how many in all
    private static long some(Path from, Path to, int most) {
        long[] count = new long[1];
        try (Stream<String> lines = Files.lines(from)) {
            Durable.write(to, out -> {
                String last = "";
                int same = 0;
                for (String line : (Iterable<String>) lines::iterator) {
                    JsonNode root = Logs.JSON.readTree(line);
                    String question = root.path("prompt").toString()
                            + root.path("messages").path(0).toString();
                    same = question.equals(last) ? same + 1 : 1;
                    last = question;
                    if (most == 0 || same <= most) {
                        out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
                        count[0]++;
                    }
                }
            });
        } catch (IOException e) {
            throw BadInput.reading(from, e);
        }
        return count[0];
    }

    private Run.Outcome evaluate(Stage stage, StageSettings<EvalKeys> settings) {
        EvalKeys keys = settings.stage();
        Task task = Tasks.of(keys.task(), progress);
        Path folder = made(stage);
        return answering(
                model(stage.model().orElseThrow()),
                settings.compute(),
                new Answerer.Options(
                        Prompts.Form.of(keys.promptForm()),
                        keys.maxNewTokens(),
                        Sampling.atTemperature(keys.temperature())),
                answerer -> {
                    SequencedMap<String, Object> figures = new LinkedHashMap<>();
                    Durable.write(folder.resolve("answers.jsonl"), out -> {
                        List<String> lines = new ArrayList<>();
                        Evaluation.Options asked = new Evaluation.Options(
                                keys.problems(),
                                keys.samples(),
                                settings.compute().seed());
                        figures.putAll(Evaluation.run(
                                        task,
                                        answerer,
                                        asked,
                                        progress,
                                        item -> lines.add(Logs.JSON.writeValueAsString(item.figures())))
                                .figures());
                        for (String line : lines) {
                            out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
                        }
                    });
                    return finish(stage, figures);
                });
    }
}
