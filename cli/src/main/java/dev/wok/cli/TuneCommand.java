package dev.wok.cli;

import dev.wok.device.DeviceName;
import dev.wok.notice.BadInput;
import dev.wok.tune.Run;
import dev.wok.tune.Settings;
import dev.wok.tune.Tasks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// What the commands of post-training share: a model, a run's folder, settings.
abstract class TuneCommand implements Callable<Integer> {
    private static final Path RUNS = Path.of("runs");
    private static final List<String> FIGURES = List.of(
            "reward",
            "loss",
            "kl",
            "entropy",
            "length",
            "accuracy",
            "held_out/pass_at_1",
            "held_out/loss",
            "held_out/accuracy");

    /// Options of commands that say how a run begins, and no setting.
    private static final List<String> OF_BEGINNINGS = List.of(
            "--data",
            "--teacher",
            "--teacher-model",
            "--teacher-form",
            "--key-variable",
            "--connections",
            "--timeout",
            "--answers",
            "--answers-only");

    private final Console console;
    private final Display display;
    private final Settings.Kind kind;

    @Spec
    @Nullable
    CommandSpec spec;

    @Parameters(paramLabel = "MODEL", arity = "0..1", description = "The model folder to begin with.")
    @Nullable
    Path model;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The run's folder (default: runs/METHOD, or the next free runs/METHOD-N).")
    @Nullable
    Path out;

    @Option(names = "--resume", description = "Go on with the run in --out from its last checkpoint.")
    boolean resume;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Change any setting; may be given again.")
    Map<String, String> set = Map.of();

    @Option(names = "--seed", paramLabel = "N", description = "Of all draws.")
    @Nullable
    String seed;

    @Option(names = "--device", paramLabel = "D", description = ComputeOptions.DEVICES)
    @Nullable
    String device;

    @Option(names = "--settings", description = "List all settings and what they mean; train nothing.")
    boolean settings;

    @Option(names = "--json", description = "Print the figures of result.json at the end.")
    boolean json;

    TuneCommand(Console console, Display display, Settings.Kind kind) {
        this.console = console;
        this.display = display;
        this.kind = kind;
    }

    /// @param options by key
    abstract Settings<?> settings(Map<String, String> options);

    /// @param from the model folder
    abstract Run start(Path folder, Path from, Map<String, String> options, Display progress);

    abstract Run resume(Path folder, Map<String, String> options, Display progress);

    /// Adds what further options of the command stand for.
    ///
    /// @param options by key
    void add(Map<String, String> options) {}

    @Override
    public Integer call() {
        Map<String, String> options = options();
        if (settings) {
            settings(options).help().forEach(console.out()::println);
            return 0;
        }
        if (device != null) {
            DeviceName.parse("--device", device).requireHere();
        }
        if (resume) {
            requireNoBeginning();
        }
        Path folder = folder();
        String again = "wok %s --resume --out %s".formatted(kind.text(), Given.quoted(folder));
        try (Run run = resume ? resume(folder, options, display) : start(folder, given(), options, display)) {
            return Stopping.during(run::requestStop, display, again, () -> {
                int code = say(folder, again, run.run());
                // On Ctrl-C the process ends as soon as the hook is let go.
                console.out().flush();
                return code;
            });
        }
    }

    /// @return all that were given, by key
    final Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>(set);
        put(options, "seed", "--seed", seed);
        put(options, "device", "--device", device);
        add(options);
        // A run goes on wherever it is resumed.
        options.computeIfPresent("task", (_, task) -> Tasks.located(task, Path.of("")));
        return options;
    }

    static void put(Map<String, String> options, String key, String option, @Nullable String value) {
        if (value == null) {
            return;
        }
        String before = options.put(key, value);
        if (before != null && !before.equals(value)) {
            throw new BadInput("%s is given twice: %s %s and --set %s=%s.".formatted(key, option, value, key, before));
        }
    }

    private void requireNoBeginning() {
        List<String> given = new ArrayList<>();
        if (model != null) {
            given.add("MODEL");
        }
        CommandLine.ParseResult parsed =
                Objects.requireNonNull(spec).commandLine().getParseResult();
        OF_BEGINNINGS.stream().filter(parsed::hasMatchedOption).forEach(given::add);
        if (!given.isEmpty()) {
            throw new BadInput(
                    "--resume goes on with what the run began with; leave %s out.".formatted(String.join(", ", given)));
        }
    }

    private Path given() {
        if (model == null) {
            throw new BadInput("no model is given; name a model folder, such as runs/nano/model.");
        }
        return model;
    }

    private Path folder() {
        if (out != null) {
            return out;
        }
        if (resume) {
            throw new BadInput(
                    "--resume needs the run's folder: --out DIR, such as --out runs/%s.".formatted(kind.text()));
        }
        Path folder = RUNS.resolve(kind.text());
        for (int n = 2; Files.exists(folder); n++) {
            folder = RUNS.resolve("%s-%d".formatted(kind.text(), n));
        }
        return folder;
    }

    private int say(Path folder, String again, Run.Outcome outcome) {
        switch (outcome.end()) {
            case STOPPED -> {
                display.say("stopped after step %d; go on with: %s".formatted(outcome.steps(), again));
                return 130;
            }
            case GIVEN_UP -> {
                // What the reason is was said when it was found.
                return 1;
            }
            case FINISHED -> {}
        }
        if (json) {
            console.out().println(Json.text(outcome.result()));
            return 0;
        }
        console.out().println();
        for (String key : FIGURES) {
            if (outcome.result().get(key) instanceof Number figure) {
                console.out().printf("%-24s %.4f%n", key, figure.doubleValue());
            }
        }
        console.out().printf("%nmodel:  %s%nreport: %s%n", folder.resolve("model"), folder.resolve("report.html"));
        return 0;
    }
}
