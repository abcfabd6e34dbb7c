package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.train.Durable;
import dev.wok.tune.Lora;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/// `wok merge`: writes a model with an adapter's changes in its weights.
@Command(
        name = "merge",
        description = "Writes a model with a LoRA adapter merged into its weights, which PEFT or Wok trained.",
        sortOptions = false,
        footer = {"", "Example:", "  wok merge Qwen2.5-0.5B runs/sft/adapter Qwen2.5-0.5B-sft"})
final class MergeCommand implements Callable<Integer> {
    private final Console console;
    private final Progress progress;

    @Parameters(index = "0", paramLabel = "MODEL", description = "A model folder or a GGUF file.")
    @Nullable
    Path model;

    @Parameters(
            index = "1",
            paramLabel = "ADAPTER",
            description = "A folder with adapter_config.json and adapter_model.safetensors.")
    @Nullable
    Path adapter;

    @Parameters(index = "2", paramLabel = "DST", description = "The folder to write, which does not exist yet.")
    @Nullable
    Path target;

    MergeCommand(Console console, Progress progress) {
        this.console = console;
        this.progress = progress;
    }

    @Override
    public Integer call() {
        Path from = Given.required(model);
        Path to = Given.required(target);
        if (Files.exists(to)) {
            throw new BadInput("%s exists already; give a folder that does not.".formatted(to));
        }
        try (Device device = Device.host(Runtime.getRuntime().availableProcessors());
                Model merged = Model.load(from, Kernels.on(device.stream()), DType.F32, progress)) {
            Lora.merge(merged, Given.required(adapter));
            Durable.folder(to, folder -> {
                merged.save(folder);
                dev.wok.api.Model.loadTokenizer(from).ifPresent(tokenizer -> tokenizer.save(folder));
            });
        }
        console.out().println(to);
        return 0;
    }
}
