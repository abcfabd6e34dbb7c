package dev.wok.cli;

import dev.wok.tune.Dpo;
import dev.wok.tune.Run;
import dev.wok.tune.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `wok dpo`: a model learns preferences.
@Command(
        name = "dpo",
        description = {
            "Trains a model on pairs of a better and a worse answer: the better one becomes likelier than the other.",
            "Ctrl-C finishes the step, saves, and says how to go on."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok dpo runs/chat/model --data pairs.jsonl --out runs/preferred"})
final class DpoCommand extends TuneCommand {
    @Option(
            names = "--data",
            paramLabel = "PATH",
            description = {
                "Pairs with prompt, chosen and rejected: a .jsonl, .json or .parquet file, or a folder of such;",
                "may be given again."
            })
    List<Path> data = List.of();

    @Option(names = "--epochs", paramLabel = "N", description = "Times that all of the data are seen.")
    @Nullable
    String epochs;

    DpoCommand(Console console, Display display) {
        super(console, display, Settings.Kind.DPO);
    }

    @Override
    void add(Map<String, String> options) {
        put(options, "epochs", "--epochs", epochs);
    }

    @Override
    Settings<?> settings(Map<String, String> options) {
        return Settings.dpo(options);
    }

    @Override
    Run start(Path folder, Path from, Map<String, String> options, Display progress) {
        return Dpo.start(folder, from, data, Settings.dpo(options), progress);
    }

    @Override
    Run resume(Path folder, Map<String, String> options, Display progress) {
        return Dpo.resume(folder, options, progress);
    }
}
