package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok logits`: what a model computes at every position, for comparison with other software.
@Command(
        name = "logits",
        description = "Writes the logits of every position of given token sequences.",
        sortOptions = false,
        footer = {"", "Example:", "  wok logits runs/nano/model --ids ids.json --out logits.safetensors"})
final class LogitsCommand implements Callable<Integer> {
    private final Progress progress;

    @Parameters(paramLabel = "MODEL", description = "A model folder or a GGUF file.")
    @Nullable
    Path model;

    @Option(names = "--ids", required = true, paramLabel = "FILE", description = "JSON: a list of lists of token ids.")
    @Nullable
    Path ids;

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FILE",
            description = "Safetensors: logits.0, logits.1, ... as F32 [positions, vocabulary].")
    @Nullable
    Path out;

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    LogitsCommand(Progress progress) {
        this.progress = progress;
    }

    @Override
    public Integer call() {
        List<int[]> sequences = Json.idsOf(Given.required(ids));
        Path target = Given.required(out);
        Given.requireFolderOf(target);
        try (Model loaded = Model.load(
                        Given.required(model), compute.options(progress).withoutText());
                Arena arena = Arena.ofShared();
                Progress.Task task = progress.start("computing logits", sequences.size(), "sequences")) {
            SequencedMap<String, Tensor> logits = new LinkedHashMap<>();
            for (int[] sequence : sequences) {
                Tensor found = loaded.logits(sequence);
                Tensor kept = Tensor.allocate(arena, DType.F32, found.shape());
                kept.copyFrom(found);
                logits.put("logits." + logits.size(), kept);
                task.advance(1);
            }
            Safetensors.write(target, logits, Map.of("format", "pt"));
        }
        return 0;
    }
}
