package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed.Element;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Gguf;
import dev.wok.tensor.GgufType;
import dev.wok.tensor.Shape;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/// A GGUF file as llama.cpp's converter writes it, or the first part of one that was split. Its tensors
/// are found by the names that they have in a checkpoint folder.
final class GgufModel implements Source {
    private final Path file;
    private final Gguf gguf;
    private final ModelConfig config;

    private GgufModel(Path file, Gguf gguf, ModelConfig config) {
        this.file = file;
        this.gguf = gguf;
        this.config = config;
    }

    static GgufModel open(Path file) {
        Gguf gguf = Gguf.open(file);
        try {
            return new GgufModel(file, gguf, GgufConfig.of(file, gguf));
        } catch (RuntimeException e) {
            gguf.close();
            throw e;
        }
    }

    @Override
    public ModelConfig config(Progress progress) {
        if (gguf.names().stream().anyMatch(this::isMtp)) {
            progress.say("%s has layers of multi-token prediction, which are not read from GGUF files: loading without."
                    .formatted(file));
        }
        requireEnough();
        SequencedMap<String, Place> wanted = places();
        requireNothingElse(wanted.keySet());
        wanted.forEach((name, place) -> {
            long[] found = stored(name).shape();
            if (!Arrays.equals(found, place.shape())) {
                throw new BadInput("%s: %s is %s, expected %s by the metadata."
                        .formatted(
                                file,
                                String.join(" with ", tensors(name)),
                                Shape.text(found),
                                Shape.text(place.shape())));
            }
        });
        return config;
    }

    private SequencedMap<String, Place> places() {
        try (DryDevice device = Device.dry()) {
            return new Weights(config, device.memory(), DType.F32).places();
        }
    }

    /// What metadata promises is there before anything is made for each of it.
    private void requireEnough() {
        if (config.numHiddenLayers() > gguf.names().size()) {
            throw new BadInput("%s has %d tensors, too few for %d layers."
                    .formatted(file, gguf.names().size(), config.numHiddenLayers()));
        }
        MoeConfig moe = config.moe();
        if (moe != null) {
            for (int layer : config.moeLayers()) {
                requireExperts("blk.%d.ffn_down_exps.weight".formatted(layer), moe.nRoutedExperts());
            }
        }
    }

    private GgufRows requireExperts(String tensor, int experts) {
        GgufRows all = rows(tensor);
        if (all.shape().length != 3 || all.shape()[0] != experts) {
            throw new BadInput("%s: tensor %s is %s, expected %d matrices, one for each expert."
                    .formatted(file, tensor, all, experts));
        }
        return all;
    }

    private void requireNothingElse(Set<String> wanted) {
        SequencedMap<String, String> read = names(wanted);
        for (String tensor : gguf.names()) {
            boolean superfluous = isMtp(tensor)
                    || tensor.equals(GgufNames.ROPE_FACTORS) && config.family() == ModelConfig.Family.LLAMA
                    || tensor.endsWith(".attn_k_b.weight") && read.containsKey(tensor.replace("_k_b", "_kv_b"))
                    || tensor.endsWith(".attn_v_b.weight") && read.containsKey(tensor.replace("_v_b", "_kv_b"));
            if (!read.containsKey(tensor) && !superfluous) {
                throw new BadInput("%s: tensor %s is not part of a %s model with this metadata."
                        .formatted(file, tensor, config.family().modelType()));
            }
        }
    }

    /// @return the tensors of the file that are read, each with the name of one that it is in a checkpoint
    private SequencedMap<String, String> names(Set<String> wanted) {
        SequencedMap<String, String> read = new LinkedHashMap<>();
        for (String name : wanted) {
            tensors(name).forEach(tensor -> read.putIfAbsent(tensor, name));
        }
        return read;
    }

    private boolean isMtp(String tensor) {
        return GgufNames.layer(tensor) >= config.numHiddenLayers();
    }

    /// @return the tensors of the file that a checkpoint's is read from
    private List<String> tensors(String name) {
        GgufNames.Expert expert = GgufNames.expert(name);
        if (expert != null) {
            return List.of(expert.tensor());
        }
        return isApart(name) ? List.of(GgufNames.keys(name), GgufNames.values(name)) : List.of(GgufNames.of(name));
    }

    private boolean isApart(String name) {
        return GgufNames.isUp(name) && !gguf.names().contains(GgufNames.of(name));
    }

    private Stored stored(String name) {
        GgufNames.Expert expert = GgufNames.expert(name);
        if (expert != null) {
            return stored(expert);
        }
        if (isApart(name)) {
            return up(name);
        }
        GgufRows rows = rows(GgufNames.of(name));
        return config.attention() instanceof GqaConfig gqa && isTurned(name)
                ? new GgufTurned(rows, gqa.headDim())
                : rows;
    }

    private Stored stored(GgufNames.Expert expert) {
        int experts = config.moe() == null ? 0 : config.moe().nRoutedExperts();
        GgufRows all = requireExperts(expert.tensor(), experts);
        long[] shape = all.shape();
        return all.slice(expert.index() * shape[1], new long[] {shape[1], shape[2]});
    }

    private Stored up(String name) {
        GgufRows keys = rows(GgufNames.keys(name));
        GgufRows values = rows(GgufNames.values(name));
        MlaConfig mla = (MlaConfig) config.attention();
        requireShape(name, keys, config.numAttentionHeads(), mla.kvLoraRank(), mla.qkNopeHeadDim());
        requireShape(name, values, config.numAttentionHeads(), mla.vHeadDim(), mla.kvLoraRank());
        return new GgufUp(keys, values);
    }

    private void requireShape(String name, GgufRows found, long... expected) {
        if (!Arrays.equals(found.shape(), expected)) {
            throw new BadInput("%s: one of %s is %s, expected %s by the metadata."
                    .formatted(file, String.join(" and ", tensors(name)), found, Shape.text(expected)));
        }
    }

    private boolean isTurned(String name) {
        return config.family() == ModelConfig.Family.LLAMA && (name.contains(".q_proj.") || name.contains(".k_proj."));
    }

    private GgufRows rows(String tensor) {
        if (!gguf.names().contains(tensor)) {
            throw new BadInput("%s: tensor %s is missing.".formatted(file, tensor));
        }
        return new GgufRows(gguf.type(tensor), gguf.data(tensor), gguf.shape(tensor));
    }

    /// @return whole numbers of 4 bits where most weights are Q4_0, of 8 bits where they are Q8_0 or of
    ///     a type that has no counterpart here: Q4_K and Q5_K have minima, Q6_K smaller groups, all of
    ///     which 4 bits would lose; bfloat16 where most are that, else float32. What is not of the most
    ///     common type is rounded to it too.
    @Override
    public Storage asStored() {
        return switch (usualType()) {
            case Q4_0 -> new Storage(Element.INT4, GgufRows.GROUP, Activations.INT8);
            case Q8_0, Q4_K, Q5_K, Q6_K -> new Storage(Element.INT8, GgufRows.GROUP, Activations.INT8);
            case BF16 -> Storage.bfloat16();
            case F32, F16 -> Storage.float32();
        };
    }

    private GgufType usualType() {
        Map<GgufType, Long> elements = new EnumMap<>(GgufType.class);
        for (String tensor : gguf.names()) {
            elements.merge(gguf.type(tensor), Shape.elements(gguf.shape(tensor)), Long::sum);
        }
        return elements.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse(GgufType.F32);
    }

    @Override
    public List<Inspection.Entry> entries() {
        SequencedMap<String, String> read = names(places().keySet());
        return gguf.names().stream().map(tensor -> entry(tensor, read)).toList();
    }

    private Inspection.Entry entry(String tensor, Map<String, String> read) {
        String name = read.get(tensor);
        Inspection.Part part = isMtp(tensor)
                ? Inspection.Part.MULTI_TOKEN_PREDICTION
                : Inspection.part(config, name == null ? tensor : name);
        GgufRows rows = rows(tensor);
        long parameters = name == null && !isMtp(tensor) ? 0 : Shape.elements(rows.shape());
        List<Long> shape = Arrays.stream(rows.shape()).boxed().toList();
        return new Inspection.Entry(tensor, rows.type().name(), shape, part, parameters, rows.bytes());
    }

    @Override
    public void read(Weights weights, Device device, Progress progress) {
        Filling.fill(weights, device, file, this::stored, progress);
    }

    @Override
    public void close() {
        gguf.close();
    }
}
