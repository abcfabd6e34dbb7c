package dev.wok.tune;

import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Reads adapters that PEFT wrote, on transformers 5 or, where each expert's linears were modules, on
/// 4; see [PeftWriter] for the names. What is adapted is what the file has tensors of.
final class PeftReader {
    private static final Pattern NAME = Pattern.compile("base_model\\.model\\.(.+)\\.lora_([AB])\\.weight");
    private static final Pattern EXPERT = Pattern.compile("(.+\\.experts)\\.(\\d{1,6})\\.(gate|up|down)_proj");
    private static final String COPY = ".base_layer.weight";

    /// @param adapters in the order of the model's linears
    record Read(Lora lora, List<LowRank> adapters) {}

    /// Factors as a file has them.
    private static final class Pair {
        private @Nullable Tensor a;
        private @Nullable Tensor b;
    }

    /// Factors of one linear, in the order in which a device has them.
    ///
    /// @param a `[rank, k]`, or `[experts, rank, k]`
    /// @param b `[n, rank]`, or `[experts, n, rank]`
    private record Factors(Linear linear, int rank, double alpha, Tensor a, Tensor b) {}

    private final Path file;
    private final PeftConfig config;
    private final Model model;
    private final Arena arena;
    private final SequencedMap<String, Linear> linears;
    private final SequencedMap<String, Pair> modules = new LinkedHashMap<>();

    private PeftReader(Path file, PeftConfig config, Model model, Arena arena) {
        this.file = file;
        this.config = config;
        this.model = model;
        this.arena = arena;
        linears = Linear.of(model);
    }

    /// @param memory for the adapters
    static Read read(Path folder, Model model, Memory memory) {
        PeftConfig config = PeftConfig.read(folder.resolve(PeftWriter.CONFIG));
        Path file = folder.resolve(PeftWriter.TENSORS);
        if (!Files.exists(file)) {
            throw new BadInput("there is no %s in %s; let PEFT save it there with safe_serialization=True."
                    .formatted(PeftWriter.TENSORS, folder));
        }
        try (Safetensors tensors = Safetensors.open(file);
                Arena arena = Arena.ofShared()) {
            PeftReader reader = new PeftReader(file, config, model, arena);
            SequencedMap<String, Factors> found = reader.factors(tensors);
            Kernels kernels = model.kernels();
            List<LowRank> adapters = new ArrayList<>();
            for (String name : reader.linears.keySet()) {
                Factors factors = found.get(name);
                if (factors != null) {
                    LowRank adapter =
                            new LowRank(factors.linear, factors.rank, factors.alpha, config.rslora(), kernels, memory);
                    kernels.stream().device().upload(factors.a, adapter.a());
                    kernels.stream().device().upload(factors.b, adapter.b());
                    adapters.add(adapter);
                }
            }
            return new Read(config.lora(List.copyOf(found.keySet())), adapters);
        }
    }

    private SequencedMap<String, Factors> factors(Safetensors tensors) {
        for (String name : tensors.names()) {
            Matcher matcher = NAME.matcher(name);
            if (matcher.matches()) {
                Pair pair = modules.computeIfAbsent(matcher.group(1), _ -> new Pair());
                if (matcher.group(2).equals("A")) {
                    pair.a = matrix(tensors, name);
                } else {
                    pair.b = matrix(tensors, name);
                }
            } else {
                requireCopy(tensors, name);
            }
        }
        SequencedMap<String, Factors> found = new LinkedHashMap<>();
        SequencedMap<String, Set<String>> byExpert = new LinkedHashMap<>();
        for (String module : modules.keySet()) {
            Matcher matcher = EXPERT.matcher(module);
            if (matcher.matches()) {
                requireExpert(module, matcher.group(1), Integer.parseInt(matcher.group(2)));
                byExpert.computeIfAbsent(matcher.group(1), _ -> new LinkedHashSet<>())
                        .add(matcher.group(3));
            } else {
                add(found, plain(module));
            }
        }
        byExpert.forEach((experts, parts) -> {
            if (parts.contains("down")) {
                add(found, joined(experts, ".down_proj", List.of("down_proj")));
            }
            if (parts.contains("gate") || parts.contains("up")) {
                add(found, joined(experts, ".gate_up_proj", List.of("gate_proj", "up_proj")));
            }
        });
        if (found.isEmpty()) {
            throw refused("adapts nothing");
        }
        return found;
    }

    private void add(SequencedMap<String, Factors> found, Factors factors) {
        if (found.put(factors.linear.name(), factors) != null) {
            throw refused("adapts %s twice".formatted(factors.linear.name()));
        }
    }

    private BadInput refused(String what) {
        return new BadInput("%s %s; expected a LoRA of PEFT on linears of this model.".formatted(file, what));
    }

    private Tensor matrix(Safetensors tensors, String name) {
        Tensor tensor = tensors.tensor(name);
        if (!tensor.dtype().isFloating() || tensor.rank() != 2 || tensor.elements() == 0) {
            throw refused("has %s as %s, expected a matrix of floating-point numbers".formatted(name, tensor));
        }
        return tensor;
    }

    /// PEFT stores the head beside its adapter: as it is, or with changes that are no adapter.
    private void requireCopy(Safetensors tensors, String name) {
        String module = name.endsWith(COPY) && name.startsWith(PeftWriter.PREFIX)
                ? name.substring(PeftWriter.PREFIX.length(), name.length() - COPY.length())
                : "";
        Linear linear = linears.get(module);
        if (linear == null || linear.isExperts()) {
            throw refused("has a tensor %s, which is none of a linear's adapter".formatted(name));
        }
        Tensor here = Tensor.allocate(arena, DType.F32, linear.weight().shape());
        model.kernels().stream().device().download(linear.weight(), here);
        Tensor copy = tensors.tensor(name);
        if (!Arrays.equals(copy.shape(), here.shape()) || !Arrays.equals(copy.toFloats(), here.toFloats())) {
            throw refused("has %s, which is not this model's %s".formatted(name, module));
        }
    }

    private Pair pair(String module) {
        Pair pair = modules.get(module);
        if (pair == null || pair.a == null || pair.b == null) {
            throw refused("lacks lora_A or lora_B of %s".formatted(module));
        }
        return pair;
    }

    private Factors plain(String module) {
        Pair pair = pair(module);
        Tensor a = required(pair.a);
        Tensor b = required(pair.b);
        Linear linear = linears.get(module);
        if (linear == null) {
            linear = experts(module, a, b);
        }
        int count = linear.count();
        long rank = a.dim(0) / count;
        requireShapes(module, linear, rank, a, b);
        if (!linear.isExperts()) {
            return new Factors(linear, (int) rank, alpha(linear.name(), (int) rank), a, b);
        }
        Tensor lefts = Tensor.allocate(arena, DType.F32, count, rank, linear.k());
        lefts.reshape(a.shape()).copyFrom(a);
        Tensor rights = Tensor.allocate(arena, DType.F32, count, linear.n(), rank);
        rights.copyFrom(b.split(1, count).swap(1, 2).swap(0, 1));
        return new Factors(linear, (int) rank, alpha(linear.name(), (int) rank), lefts, rights);
    }

    /// Both parameters of experts have such a name; their sizes say which one it is.
    private Linear experts(String module, Tensor a, Tensor b) {
        String experts = module.endsWith(PeftWriter.INNER)
                ? module.substring(0, module.length() - PeftWriter.INNER.length())
                : module;
        for (String leaf : List.of(".gate_up_proj", ".down_proj")) {
            Linear linear = linears.get(experts + leaf);
            if (linear != null && a.dim(1) == linear.k() && b.dim(0) == linear.n()) {
                return linear;
            }
        }
        throw refused("adapts %s with %s and %s, and this model has no such linear".formatted(module, a, b));
    }

    private void requireShapes(String module, Linear linear, long rank, Tensor a, Tensor b) {
        long all = rank * linear.count();
        if (rank < 1 || a.dim(0) != all || a.dim(1) != linear.k() || b.dim(0) != linear.n() || b.dim(1) != all) {
            throw refused("adapts %s with %s and %s, expected [r, %d] and [%d, r] with r a multiple of %d"
                    .formatted(module, a, b, linear.k(), linear.n(), linear.count()));
        }
    }

    private double alpha(String name, int rank) {
        int announced = config.rank(name);
        if (announced != rank) {
            throw refused(
                    "adapts %s with rank %d, %s announces %d".formatted(name, rank, PeftWriter.CONFIG, announced));
        }
        return config.alpha(name);
    }

    private void requireExpert(String module, String experts, int index) {
        Linear down = linears.get(experts + ".down_proj");
        if (down == null || index >= down.experts()) {
            throw refused("adapts %s, which this model does not have".formatted(module));
        }
    }

    /// Joins what transformers 4 had for each expert alone. Gate and up as one have both ranks: A below
    /// each other, B in blocks.
    private Factors joined(String experts, String leaf, List<String> parts) {
        Linear linear = linears.get(experts + leaf);
        if (linear == null) {
            throw refused("adapts %s, which this model does not have".formatted(experts + leaf));
        }
        int rows = linear.n() / parts.size();
        String first = "%s.0.%s".formatted(experts, parts.getFirst());
        int rank = Math.toIntExact(required(pair(first).a).dim(0));
        double alpha = alpha(first, rank);
        int all = rank * parts.size();
        Tensor lefts = Tensor.allocate(arena, DType.F32, linear.count(), all, linear.k());
        Tensor rights = Tensor.allocate(arena, DType.F32, linear.count(), linear.n(), all);
        for (int e = 0; e < linear.count(); e++) {
            for (int i = 0; i < parts.size(); i++) {
                String module = "%s.%d.%s".formatted(experts, e, parts.get(i));
                Tensor a = required(pair(module).a);
                Tensor b = required(pair(module).b);
                if (a.dim(0) != rank || a.dim(1) != linear.k() || b.dim(0) != rows || b.dim(1) != rank) {
                    throw refused("adapts %s with %s and %s, expected [%d, %d] and [%d, %d]"
                            .formatted(module, a, b, rank, linear.k(), rows, rank));
                }
                if (alpha(module, rank) != alpha) {
                    throw refused("has another alpha for %s than for %s".formatted(module, first));
                }
                long column = (long) i * rank;
                lefts.select(0, e).slice(0, column, column + rank).copyFrom(a);
                rights.select(0, e)
                        .slice(0, (long) i * rows, (i + 1L) * rows)
                        .slice(1, column, column + rank)
                        .copyFrom(b);
            }
        }
        // The factor stays what it was with the rank of one part.
        double more = config.rslora() ? Math.sqrt(parts.size()) : parts.size();
        return new Factors(linear, all, alpha * more, lefts, rights);
    }

    private Tensor required(@Nullable Tensor tensor) {
        if (tensor == null) {
            throw refused("lacks lora_A or lora_B");
        }
        return tensor;
    }
}
