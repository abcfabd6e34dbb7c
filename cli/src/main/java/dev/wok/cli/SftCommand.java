package dev.wok.cli;

import dev.wok.tune.Run;
import dev.wok.tune.Settings;
import dev.wok.tune.Sft;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `wok sft`: a model learns from examples.
@Command(
        name = "sft",
        description = {
            "Trains a model on conversations and other texts: what is answered becomes likelier, questions are only given.",
            "Ctrl-C finishes the step, saves, and says how to go on."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok sft runs/base/model --data chats.jsonl --out runs/chat"})
final class SftCommand extends TuneCommand {
    @Option(
            names = "--data",
            paramLabel = "PATH",
            description = {
                "Conversations in the form of OpenAI or ShareGPT, prompt and completion, instruction and output, or text:",
                "a .jsonl, .json or .parquet file, or a folder of such; may be given again."
            })
    List<Path> data = List.of();

    @Option(names = "--epochs", paramLabel = "N", description = "Times that all of the data are seen.")
    @Nullable
    String epochs;

    SftCommand(Console console, Display display) {
        super(console, display, Settings.Kind.SFT);
    }

    @Override
    void add(Map<String, String> options) {
        put(options, "epochs", "--epochs", epochs);
    }

    @Override
    Settings<?> settings(Map<String, String> options) {
        return Settings.sft(options);
    }

    @Override
    Run start(Path folder, Path from, Map<String, String> options, Display progress) {
        return Sft.start(folder, from, data, Settings.sft(options), progress);
    }

    @Override
    Run resume(Path folder, Map<String, String> options, Display progress) {
        return Sft.resume(folder, options, progress);
    }
}
