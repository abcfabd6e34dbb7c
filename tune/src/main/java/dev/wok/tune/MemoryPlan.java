package dev.wok.tune;

import dev.wok.generate.Engine;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.CachePages;
import dev.wok.model.Inspection;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Training;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.train.MachineMemory;
import dev.wok.tune.Settings.DistillKeys;
import dev.wok.tune.Settings.DpoKeys;
import dev.wok.tune.Settings.GrpoKeys;
import dev.wok.tune.Settings.SftKeys;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What a run will take of memory, counted before its first step.
///
/// @param parts what for
record MemoryPlan(List<Part> parts) {
    /// Orientations of a weight that training multiplies by: forward and backward.
    private static final int FORMS = 2;

    private static final int MOMENTS = 2;

    /// @param name a few words
    /// @param bytes how many it takes
    record Part(String name, long bytes) {}

    /// A model that is opened to infer beside the one that learns.
    ///
    /// @param bytes of its weights
    record Teacher(ModelConfig config, long bytes) {
        /// A model that there is. What is stored as bfloat16 or E4M3 is held as bfloat16, other floats
        /// as float32, and what is quantised as it is.
        static Teacher of(Path folder) {
            Inspection inspection = Inspection.of(folder, Progress.silent());
            return new Teacher(
                    inspection.config(),
                    inspection.tensors().stream().mapToLong(Teacher::held).sum());
        }

        /// A model that is yet to be trained, in float32.
        static Teacher of(ModelConfig config) {
            return new Teacher(config, Model.bytes(config, DType.F32));
        }

        private static long held(Inspection.Entry tensor) {
            if (tensor.type().startsWith("BF16") || tensor.type().startsWith("F8")) {
                return 2 * tensor.parameters();
            }
            return tensor.type().startsWith("F") ? Float.BYTES * tensor.parameters() : tensor.bytes();
        }
    }

    /// @param settings of the run, whose method says what else it holds
    /// @param teacher that it learns from; empty for none
    static MemoryPlan of(ModelConfig config, Kernels kernels, Settings<?> settings, Optional<Teacher> teacher) {
        int drawn = drawn(settings);
        long weights = Model.bytes(config, DType.F32);
        long batch =
                Training.bytes(config, DType.F32, batch(settings, settings.run().microBatchTokens()));
        List<Part> parts = new ArrayList<>();
        parts.add(new Part("weights", weights + Model.formBytes(config, kernels, DType.F32, FORMS)));
        parts.add(new Part("gradients", weights));
        parts.add(new Part("a micro-batch", Math.max(0, batch - weights)));
        parts.add(settings.adapter()
                .lora()
                .map(lora -> new Part("adapters", Adapters.bytes(config, DType.F32, lora)))
                .orElseGet(() -> new Part("optimizer", MOMENTS * weights)));
        if (settings.method() instanceof GrpoKeys grpo && grpo.beta() > 0) {
            boolean kept = grpo.keepsReference(settings.adapter().lora().isPresent());
            long reference = kept ? weights + Model.formBytes(config, kernels, DType.F32, 1) : 0;
            parts.add(new Part("reference", reference + scoring(config, kernels, settings)));
        }
        teacher.ifPresent(other ->
                parts.add(new Part("teacher", other.bytes() + scoring(other.config(), kernels, settings))));
        if (drawn > 0) {
            long cache = Math.min(
                    Engine.Settings.on(kernels.stream().device()).cacheBytes(),
                    (long) drawn * CachePages.pages(config.maxPositionEmbeddings()) * pageBytes(config, kernels));
            parts.add(new Part("drawing answers", Model.inferenceBytes(config, DType.F32) + cache));
        }
        return new MemoryPlan(parts);
    }

    /// @return what a [Scorer] takes at most: each text of a micro-batch begins a page
    private static long scoring(ModelConfig config, Kernels kernels, Settings<?> settings) {
        int tokens = settings.run().microBatchTokens();
        long pages = Math.min(tokens, (long) CachePages.pages(tokens) + texts(settings));
        return Model.inferenceBytes(config, DType.F32) + pages * pageBytes(config, kernels);
    }

    private static long pageBytes(ModelConfig config, Kernels kernels) {
        DType held = kernels.precision() == Precision.BF16 ? DType.BF16 : DType.F32;
        int layers = config.numHiddenLayers() + Math.min(1, config.numNextnPredictLayers());
        return (long) held.bytes() * config.attention().cacheDim() * layers * CachePages.TOKENS;
    }

    /// @return the most that a run's micro-batch is
    static Training.Settings batch(Settings<?> settings, int tokens) {
        return new Training.Settings(1, tokens, 0, 0, asSampled(settings), true);
    }

    /// @return whether logits have the bits of those that the engine samples from
    static boolean asSampled(Settings<?> settings) {
        return switch (settings.method()) {
            case GrpoKeys grpo -> grpo.deterministic();
            case SftKeys _, DpoKeys _, DistillKeys _ -> false;
            default -> throw new IllegalStateException("no method has " + settings.method());
        };
    }

    /// @return how many texts a step has that are drawn or scored by another model
    private static long texts(Settings<?> settings) {
        return switch (settings.method()) {
            case GrpoKeys grpo -> (long) grpo.promptsPerStep() * grpo.groupSize();
            case DistillKeys distill -> distill.batchExamples();
            case SftKeys _, DpoKeys _ -> 0;
            default -> throw new IllegalStateException("no method has " + settings.method());
        };
    }

    /// @return how many texts are drawn at once, at most
    private static int drawn(Settings<?> settings) {
        boolean draws = !(settings.method() instanceof DistillKeys distill)
                || distill.onPolicyShare() > 0
                || !distill.task().isEmpty() && distill.heldOutProblems() > 0;
        return draws ? (int) Math.min(texts(settings), Model.CHUNK) : 0;
    }

    long bytes() {
        return parts.stream().mapToLong(Part::bytes).sum();
    }

    /// @return a line for people
    String line() {
        StringBuilder line = new StringBuilder("memory: %,d MB".formatted(megabytes(bytes())));
        String separator = " = ";
        for (Part part : parts) {
            line.append("%s%s %,d".formatted(separator, part.name, megabytes(part.bytes)));
            separator = ", ";
        }
        return line.toString();
    }

    private static long megabytes(long bytes) {
        return Math.ceilDiv(bytes, 1L << 20);
    }

    private long bytes(String name) {
        return parts.stream()
                .filter(part -> part.name.equals(name))
                .mapToLong(Part::bytes)
                .sum();
    }

    /// @throws BadInput where the machine has less, with what would help first
    void require(MachineMemory.Room room, Settings<?> settings) {
        long missing = bytes() + room.heap() - room.free();
        if (missing > 0) {
            throw new BadInput("the run does not fit, %s has %,d MB free. %s, and %,d for Java; %s."
                    .formatted(
                            room.place(),
                            room.free() >> 20,
                            line(),
                            megabytes(room.heap()),
                            remedy(missing, settings)));
        }
    }

    /// A micro-batch takes about as much as it has tokens.
    private String remedy(long missing, Settings<?> settings) {
        int tokens = settings.run().microBatchTokens();
        double left = 1 - (double) missing / Math.max(1, bytes("a micro-batch"));
        if (left * tokens >= 2) {
            return "lower micro_batch_tokens %,d to %,d"
                    .formatted(tokens, Integer.highestOneBit((int) (left * tokens)));
        }
        if (missing <= bytes("reference")) {
            boolean adapters = settings.adapter().lora().isPresent();
            return adapters && settings.method() instanceof GrpoKeys grpo && grpo.keepsReference(true)
                    ? "set reference_every to 0: then the model without adapters is the reference"
                    : "set beta to 0, which needs no reference";
        }
        if (missing <= bytes("teacher")) {
            return "take a smaller teacher, or learn from its answers without it: loss=answers";
        }
        if (missing <= bytes("optimizer") / MOMENTS) {
            return "train adapters instead of all weights: lora_rank 16";
        }
        return "take a smaller model";
    }
}
