package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.TreeMap;

/// What a checkpoint folder or a GGUF file holds, without its weights being read.
///
/// @param config what the model is made of
/// @param tensors as they are stored, in the order of the files
public record Inspection(ModelConfig config, List<Entry> tensors) {
    /// What a tensor is for.
    public enum Part {
        EMBEDDING,
        ATTENTION,
        ROUTER,
        EXPERTS,
        SHARED_EXPERTS,
        FEED_FORWARD,
        NORMS,
        HEAD,
        MULTI_TOKEN_PREDICTION
    }

    /// A stored tensor.
    ///
    /// @param type of its elements, as the file calls it
    /// @param parameters how many weights it is: none where it holds the scales of others
    /// @param bytes in the file
    public record Entry(String name, String type, List<Long> shape, Part part, long parameters, long bytes) {}

    /// @param parameters weights
    /// @param bytes in the files, scales included
    public record Size(long parameters, long bytes) {
        Size plus(Entry entry) {
            return new Size(parameters + entry.parameters, bytes + entry.bytes);
        }
    }

    public Inspection {
        tensors = List.copyOf(tensors);
    }

    /// @throws BadInput where there is no model, or its tensors are not those of its configuration
    public static Inspection of(Path folderOrFile, Progress progress) {
        try (Source source = Source.open(folderOrFile)) {
            return new Inspection(source.config(progress), source.entries());
        }
    }

    static Part part(ModelConfig config, String name) {
        if (Weights.isMtp(config, name)) {
            return Part.MULTI_TOKEN_PREDICTION;
        } else if (name.contains(".mlp.experts.")) {
            return Part.EXPERTS;
        } else if (name.contains(".mlp.shared_experts.")) {
            return Part.SHARED_EXPERTS;
        } else if (name.contains(".mlp.gate.")) {
            return Part.ROUTER;
        } else if (name.contains(".mlp.")) {
            return Part.FEED_FORWARD;
        } else if (name.contains(".self_attn.")) {
            return Part.ATTENTION;
        } else if (name.contains("embed_tokens")) {
            return Part.EMBEDDING;
        }
        return name.startsWith("lm_head") ? Part.HEAD : Part.NORMS;
    }

    /// @return each part that there is
    public SequencedMap<Part, Size> parts() {
        EnumMap<Part, Size> parts = new EnumMap<>(Part.class);
        for (Entry entry : tensors) {
            parts.merge(entry.part, new Size(entry.parameters, entry.bytes), (sum, _) -> sum.plus(entry));
        }
        return new TreeMap<>(parts);
    }

    /// @return all parts together
    public Size total() {
        return tensors.stream().reduce(new Size(0, 0), Size::plus, (a, _) -> a);
    }

    /// @return the bytes in memory of the model opened to infer
    public long bytes(Storage storage) {
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            new Weights(config, Weights.Supply.of(memory), DType.F32, storage);
            return memory.bytes();
        }
    }

    /// @return the bytes of all layers' caches for each token of a text
    public long cacheBytesPerToken(DType dtype) {
        return (long) config.numHiddenLayers() * config.attention().cacheDim() * dtype.bytes();
    }
}
