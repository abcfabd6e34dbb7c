package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.model.Inspection;
import dev.wok.model.ModelConfig;
import dev.wok.model.Storage;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok inspect`: what a model is, and what of it fits here.
@Command(
        name = "inspect",
        description = "Says what a model is made of, how large it is, and what of it fits into this machine's memory.",
        sortOptions = false,
        footer = {"", "Example:", "  wok inspect runs/nano/model"})
final class InspectCommand implements Callable<Integer> {
    private final Console console;
    private final Progress progress;

    @Parameters(paramLabel = "MODEL", description = "A model folder or a GGUF file.")
    @Nullable
    Path model;

    @Option(names = "--tensors", description = "List the tensors as well: name, type, sizes, bytes.")
    boolean tensors;

    @Option(names = "--json", description = "Print one JSON object.")
    boolean json;

    InspectCommand(Console console, Progress progress) {
        this.console = console;
        this.progress = progress;
    }

    @Override
    public Integer call() {
        Inspection found = Inspection.of(Given.required(model), progress);
        if (json) {
            console.out().println(Json.text(facts(found)));
        } else {
            print(found);
        }
        return 0;
    }

    private SequencedMap<String, Object> facts(Inspection found) {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("model_type", found.config().family().modelType());
        facts.put("num_hidden_layers", found.config().numHiddenLayers());
        facts.put("hidden_size", found.config().hiddenSize());
        facts.put("vocab_size", found.config().vocabSize());
        facts.put("max_position_embeddings", found.config().maxPositionEmbeddings());
        facts.put("parameters", found.total().parameters());
        facts.put("active_parameters", found.config().activeMatmulParameters());
        facts.put("stored_bytes", found.total().bytes());
        SequencedMap<String, Object> parts = new LinkedHashMap<>();
        found.parts().forEach((part, size) -> {
            SequencedMap<String, Object> own = new LinkedHashMap<>();
            own.put("parameters", size.parameters());
            own.put("bytes", size.bytes());
            parts.put(part.name().toLowerCase(Locale.ROOT), own);
        });
        facts.put("parts", parts);
        SequencedMap<String, Object> memory = new LinkedHashMap<>();
        Storage.byName().forEach((name, storage) -> memory.put(name, found.bytes(storage)));
        facts.put("memory_bytes", memory);
        facts.put("cache_bytes_per_token_bf16", found.cacheBytesPerToken(DType.BF16));
        facts.put("cache_bytes_per_token_f32", found.cacheBytesPerToken(DType.F32));
        facts.put("machine_memory_bytes", Device.hostMemory());
        if (tensors) {
            List<Object> list = new ArrayList<>();
            for (Inspection.Entry entry : found.tensors()) {
                SequencedMap<String, Object> own = new LinkedHashMap<>();
                own.put("name", entry.name());
                own.put("dtype", entry.type());
                own.put("shape", entry.shape());
                own.put("bytes", entry.bytes());
                list.add(own);
            }
            facts.put("tensors", list);
        }
        return facts;
    }

    private void print(Inspection found) {
        PrintStream out = console.out();
        ModelConfig config = found.config();
        line(
                "model",
                "%s, %s, hidden size %d, vocabulary %d, context %d"
                        .formatted(
                                config.family().modelType(),
                                Amounts.of(config.numHiddenLayers(), "layers"),
                                config.hiddenSize(),
                                config.vocabSize(),
                                config.maxPositionEmbeddings()));
        line(
                "parameters",
                "%s, %s of them active for a token"
                        .formatted(
                                count(found.total().parameters()),
                                count(found.config().activeMatmulParameters())));
        found.parts()
                .forEach((part, size) -> line(
                        "  " + part.name().toLowerCase(Locale.ROOT).replace('_', ' '),
                        "%-12s%s".formatted(count(size.parameters()), Amounts.of(size.bytes(), "bytes"))));
        line(
                "stored",
                "%s: %s"
                        .formatted(
                                Amounts.of(found.total().bytes(), "bytes"),
                                found.tensors().stream()
                                        .map(entry -> entry.type())
                                        .distinct()
                                        .collect(Collectors.joining(", "))));
        line(
                "cache for a token",
                "%s in bfloat16, %s in float32"
                        .formatted(
                                Amounts.of(found.cacheBytesPerToken(DType.BF16), "bytes"),
                                Amounts.of(found.cacheBytesPerToken(DType.F32), "bytes")));
        line("this machine", Amounts.of(Device.hostMemory(), "bytes") + " of memory");
        Storage.byName().forEach((name, storage) -> {
            long bytes = found.bytes(storage);
            long left = Device.usableMemory() - bytes;
            long room = left / found.cacheBytesPerToken(DType.BF16);
            line(
                    "  --weights " + name,
                    "%-12s%s"
                            .formatted(
                                    Amounts.of(bytes, "bytes"),
                                    left <= 0
                                            ? "does not fit"
                                            : "fits, with %s in the cache"
                                                    .formatted(Amounts.of(
                                                            Math.min(room, config.maxPositionEmbeddings()),
                                                            "tokens"))));
        });
        if (tensors) {
            for (Inspection.Entry entry : found.tensors()) {
                out.printf(
                        "%-72s %-8s %-20s %s%n",
                        entry.name(), entry.type(), entry.shape(), Amounts.of(entry.bytes(), "bytes"));
            }
        }
    }

    private void line(String label, String text) {
        console.out().printf("%-24s%s%n", label, text);
    }

    private static String count(long parameters) {
        double billions = parameters / 1e9;
        return billions >= 1
                ? String.format(Locale.ROOT, "%.2f B", billions)
                : parameters >= 1_000_000
                        ? String.format(Locale.ROOT, "%.1f M", parameters / 1e6)
                        : String.format(Locale.ROOT, "%,d", parameters);
    }
}
