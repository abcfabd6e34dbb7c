package dev.wok.cli;

import dev.wok.tune.Grpo;
import dev.wok.tune.Run;
import dev.wok.tune.Settings;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `wok grpo`: a model learns from rewards.
@Command(
        name = "grpo",
        description = {
            "Lets a model answer questions in groups, judges the answers by rules, and makes those likelier that are",
            "better than their group (GRPO). Ctrl-C finishes the step, saves, and says how to go on."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok grpo runs/base/model --task countdown --set steps=300 --out runs/zero"})
final class GrpoCommand extends TuneCommand {
    @Option(
            names = "--task",
            paramLabel = "NAME",
            description = "A built-in task, with parameters such as countdown:numbers=3, or a .jsonl file of problems.")
    @Nullable
    String task;

    @Option(names = "--reward", paramLabel = "R", description = "Rewards and weights, such as accuracy:1,format:0.2.")
    @Nullable
    String reward;

    @Option(names = "--steps", paramLabel = "N", description = "Batches of answers that are learnt from.")
    @Nullable
    String steps;

    GrpoCommand(Console console, Display display) {
        super(console, display, Settings.Kind.GRPO);
    }

    @Override
    void add(Map<String, String> options) {
        put(options, "task", "--task", task);
        put(options, "reward", "--reward", reward);
        put(options, "steps", "--steps", steps);
    }

    @Override
    Settings<?> settings(Map<String, String> options) {
        return Settings.grpo(options);
    }

    @Override
    Run start(Path folder, Path from, Map<String, String> options, Display progress) {
        return Grpo.start(folder, from, Settings.grpo(options), progress);
    }

    @Override
    Run resume(Path folder, Map<String, String> options, Display progress) {
        return Grpo.resume(folder, options, progress);
    }
}
