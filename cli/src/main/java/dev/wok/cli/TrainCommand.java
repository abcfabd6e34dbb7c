package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.device.DeviceName;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Membership;
import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import dev.wok.train.Follower;
import dev.wok.train.Ranks;
import dev.wok.train.RunFolder;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Option;

/// `wok train`: from text to a model folder.
@Command(
        name = "train",
        description = {
            "Trains a tokenizer and a model on text, and writes a model folder and a report.",
            "Without --data the text is the Java sources that come with a JDK.",
            "Ctrl-C finishes the step, saves, and says how to go on."
        },
        sortOptions = false,
        footer = {
            "",
            "With WOK_RANK, WOK_SIZE, WOK_RENDEZVOUS (HOST:PORT of rank 0) and WOK_SECRET set, this process is one rank of a group that somebody else starts: Slurm, Kubernetes, a shell loop.",
            "",
            "Example:",
            "  wok train --preset nano --data book.txt --out runs/book --on processes:2"
        })
final class TrainCommand implements Callable<Integer> {
    private static final Sampling SAMPLING =
            Sampling.atTemperature(0.7).withTopK(50).withTopP(0.95);
    private static final Path RUNS = Path.of("runs");
    private static final int DONE = 0;
    private static final int INTERRUPTED = 130;

    private final Console console;
    private final Display display;

    @Option(names = "--preset", paramLabel = "P", description = "nano (the default), mini or small.")
    @Nullable
    String preset;

    @Option(
            names = "--data",
            paramLabel = "PATH",
            description = "Text: a file, a folder, a .zip, .gz or .jsonl; may be given again.")
    List<Path> data = List.of();

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The run's folder (default: runs/PRESET, or the next free runs/PRESET-N).")
    @Nullable
    Path out;

    @Option(names = "--steps", paramLabel = "N", description = "Optimizer steps.")
    @Nullable
    String steps;

    @Option(
            names = "--minutes",
            paramLabel = "M",
            description = "Minutes of training, in place of steps or beside them. Such a run is not repeatable.")
    @Nullable
    String minutes;

    @Option(names = "--seed", paramLabel = "N", description = "Of weights, order and split.")
    @Nullable
    String seed;

    @Option(names = "--resume", description = "Go on with the run in --out from its last checkpoint.")
    boolean resume;

    @Option(
            names = "--restartable",
            description = "Start the run in --out, or go on with it where there is one: for who starts this again.")
    boolean restartable;

    @Option(names = "--on", paramLabel = "WHERE", description = "Share the work among ranks: " + On.EXPECTED + ".")
    @Nullable
    String on;

    @Option(
            names = "--ranks",
            paramLabel = "N",
            description = "How many, with --on spark://HOST:PORT (docs/how-to/spark.md).")
    @Nullable
    String ranks;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Change any setting; may be given again.")
    Map<String, String> set = Map.of();

    @Option(
            names = "--init",
            paramLabel = "MODEL",
            description = "Start from a model folder, its shape and its tokenizer included.")
    @Nullable
    Path init;

    @Option(
            names = "--dtype",
            paramLabel = "T",
            description = "What matrix products multiply in: f32 or bf16 (default: what the kernels prefer here).")
    @Nullable
    String dtype;

    @Option(names = "--device", paramLabel = "D", description = ComputeOptions.DEVICES)
    @Nullable
    String device;

    @Option(names = "--settings", description = "List all settings of the preset and what they mean; train nothing.")
    boolean settings;

    @Option(names = "--json", description = "Print the figures of result.json at the end.")
    boolean json;

    TrainCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Map<String, String> options = options();
        String name = preset == null ? Settings.presets().getFirst() : preset;
        if (settings) {
            Settings.of(name, options).help().forEach(console.out()::println);
            return 0;
        }
        Parent.watch(console);
        Optional<Membership> membership = Membership.of(console.environment());
        if (membership.isPresent() && on != null) {
            throw new BadInput(
                    "--on %s was given, but WOK_RANK says that this process is a rank of a group; leave one out."
                            .formatted(on));
        }
        if (membership.isEmpty()) {
            return lead(name, options, ranks());
        }
        if (restartable && out != null && RunFolder.isFinished(out)) {
            return alreadyFinished(membership.get().rank(), out, name, options);
        }
        if (!Parent.isThere(console)) {
            display.say("rank %d of %d looks for its group at %s."
                    .formatted(
                            membership.get().rank(),
                            membership.get().size(),
                            membership.get().rendezvous()));
        }
        if (membership.get().rank() > 0) {
            return follow(membership.get());
        }
        try (Fabric fabric = Fabric.join(membership.get(), display)) {
            return lead(name, options, Ranks.joined(fabric));
        }
    }

    /// A rank that is started again after the others are done finds no group any more.
    private int alreadyFinished(int rank, Path folder, String name, Map<String, String> options) {
        if (rank == 0) {
            return lead(name, options, Ranks.alone());
        }
        display.say("rank %d: %s is finished already.".formatted(rank, folder));
        return DONE;
    }

    private int lead(String name, Map<String, String> options, Ranks ranks) {
        if (device != null) {
            DeviceName.parse("--device", device).requireHere();
        }
        Path folder = folder(name);
        try (Trainer trainer = resume || (restartable && RunFolder.holdsRun(folder))
                ? Trainer.resume(folder, preset, options, data, init, display, TrainCommand::sample)
                : Trainer.start(
                        folder,
                        name,
                        Settings.of(name, options, ranks.size(), display),
                        data,
                        init,
                        display,
                        TrainCommand::sample)) {
            if (restartable) {
                trainer.passDamagedCheckpoints();
            }
            return Stopping.during(trainer::requestStop, display, resume(folder), () -> {
                Trainer.Outcome outcome = trainer.run(ranks);
                say(folder, trainer.preset(), outcome);
                // On Ctrl-C the process ends as soon as the hook is let go.
                console.out().flush();
                return outcome.finished() ? DONE : INTERRUPTED;
            });
        } catch (Departed e) {
            // Whoever started this rank starts it again.
            throw RunFolder.holdsRun(folder) && !Parent.isThere(console) ? withWay(e, folder) : e;
        }
    }

    private static Departed withWay(Departed e, Path folder) {
        Departed said = new Departed(e.rank(), "%s Go on with: %s".formatted(e.getMessage(), resume(folder)));
        said.initCause(e);
        return said;
    }

    private Ranks ranks() {
        if (ranks != null && (on == null || !(On.parse(on) instanceof On.Cluster))) {
            throw new BadInput(
                    "--ranks %s goes with --on spark://HOST:PORT; here their number is part of --on: threads:%s."
                            .formatted(ranks, ranks));
        }
        return switch (on == null ? new On.Threads(1) : On.parse(on)) {
            case On.Threads(int count) -> {
                Duration patience = Membership.patience(console.environment());
                Duration limit = Membership.limit(console.environment());
                yield count == 1 ? Ranks.alone() : Ranks.threads(count, patience, limit);
            }
            case On.Processes(int count, var transport) -> new RankProcesses(count, transport, console.environment());
            case On.Cluster(String master) ->
                throw new BadInput(
                        "--on %s: Spark is no part of this program; start wok with its launcher, where wok-spark is built too."
                                .formatted(master));
        };
    }

    private int follow(Membership membership) {
        String name = "rank %d: ".formatted(membership.rank());
        try {
            Fabric joined = Fabric.join(membership, Progress.silent());
            return Stopping.atTheEnd(() -> {
                try (Fabric fabric = joined) {
                    return Follower.run(fabric, display) ? DONE : INTERRUPTED;
                }
            });
        } catch (BadInput e) {
            throw new BadInput(name + e.getMessage(), e);
        } catch (Departed e) {
            if (e.rank() == 0 && !e.hung() && Parent.isThere(console)) {
                return ExitCode.SOFTWARE;
            }
            Departed said = new Departed(e.rank(), name + e.getMessage());
            said.initCause(e);
            throw said;
        }
    }

    private static String resume(Path folder) {
        return "wok train --resume --out " + Given.quoted(folder);
    }

    private Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>(set);
        put(options, "steps", "--steps", steps);
        put(options, "minutes", "--minutes", minutes);
        put(options, "seed", "--seed", seed);
        put(options, "precision", "--dtype", dtype);
        put(options, "device", "--device", device);
        return options;
    }

    private static void put(Map<String, String> options, String key, String option, @Nullable String value) {
        if (value == null) {
            return;
        }
        String before = options.put(key, value);
        if (before != null && !before.equals(value)) {
            throw new BadInput("%s is given twice: %s %s and --set %s=%s.".formatted(key, option, value, key, before));
        }
    }

    private Path folder(String name) {
        if (out != null) {
            return out;
        }
        if (resume || restartable) {
            throw new BadInput("%s needs the run's folder: --out DIR, such as --out runs/%s."
                    .formatted(resume ? "--resume" : "--restartable", name));
        }
        Path folder = RUNS.resolve(name);
        for (int n = 2; Files.exists(folder); n++) {
            folder = RUNS.resolve("%s-%d".formatted(name, n));
        }
        return folder;
    }

    private static String sample(Model model, Tokenizer tokenizer, String prompt, int tokens) {
        Answer.Options options = Answer.Options.defaults().withMaxTokens(tokens).withSampling(SAMPLING);
        try (var speaker = dev.wok.api.Model.of(model, tokenizer)) {
            return prompt + speaker.generate(prompt, options).text();
        }
    }

    private void say(Path folder, String preset, Trainer.Outcome outcome) {
        if (!outcome.finished()) {
            display.say("stopped after step %d; go on with: %s".formatted(outcome.steps(), resume(folder)));
            return;
        }
        if (json) {
            console.out().println(Json.text(outcome.result()));
            return;
        }
        console.out()
                .println("%nheld-out text: %.3f bits per byte (gzip -9 on the same text: %.3f)"
                        .formatted(figure(outcome, "held_out_bits_per_byte"), figure(outcome, "gzip_bits_per_byte")));
        console.out()
                .println("%,d steps, %,.0f tokens in %s, %,.0f tokens/s; MaxVio at the end %.2f"
                        .formatted(
                                outcome.steps(),
                                figure(outcome, "tokens"),
                                Amounts.duration(figure(outcome, "seconds")),
                                figure(outcome, "tokens_per_second"),
                                figure(outcome, "max_violation")));
        if (!outcome.sample().isEmpty()) {
            console.out().printf("%n%s%n%n", outcome.sample());
        }
        console.out().printf("report: %s%n", folder.resolve("report.html"));
        console.out().println("next:");
        console.out()
                .printf(
                        "  wok generate %s --prompt 'public static void main('%n",
                        Given.quoted(folder.resolve("model")));
        int larger = Settings.presets().indexOf(preset) + 1;
        console.out()
                .println(
                        larger < Settings.presets().size()
                                ? "  wok train --preset " + Settings.presets().get(larger)
                                : "  wok train --init %s --data PATH".formatted(Given.quoted(folder.resolve("model"))));
    }

    private static double figure(Trainer.Outcome outcome, String key) {
        return outcome.result().get(key) instanceof Number number ? number.doubleValue() : Double.NaN;
    }
}
