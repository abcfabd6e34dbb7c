package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.FilePages;
import dev.wok.kernel.Packed;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.SafetensorsDraft;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A folder that Wok wrote to be mapped: model.safetensors holds each weight as products read it, see
/// [Packed], under the name of what it fuses; `quantization_config` in config.json says what its
/// elements are. Norms and biases are F32, rows of the embedding BF16 or F32, and multi-token prediction
/// is left out.
///
/// ```
/// model.layers.0.self_attn.qkv_proj.weight          U8    values
/// model.layers.0.self_attn.qkv_proj.weight_scales   BF16  factors of groups, where elements have such
/// model.layers.0.input_layernorm.weight             F32
/// ```
final class ConvertedFolder implements Source {
    private static final String FILE = "model.safetensors";

    private final Path folder;
    private final ModelConfig config;
    private final Storage storage;
    private final Safetensors file;
    private @Nullable Weights weights;

    private ConvertedFolder(Path folder, ModelConfig config, Storage storage, Safetensors file) {
        this.folder = folder;
        this.config = config;
        this.storage = storage;
        this.file = file;
    }

    /// @param json its configuration
    /// @param storage what that says of its weights
    static ConvertedFolder open(Path folder, ConfigJson json, Storage storage) {
        ModelConfig config = json.model();
        return new ConvertedFolder(folder, config, storage, Safetensors.open(folder.resolve(FILE)));
    }

    @Override
    public ModelConfig config(Progress progress) {
        mapped();
        return config;
    }

    @Override
    public Storage asStored() {
        return storage;
    }

    /// @return a tensor of the file as it lies there
    Tensor tensor(String name, DType dtype, long... shape) {
        Tensor tensor = file.tensor(name);
        if (tensor.dtype() != dtype || !Arrays.equals(tensor.shape(), shape)) {
            throw new BadInput("%s: tensor %s is %s, expected %s%s by config.json."
                    .formatted(folder, name, tensor, dtype, Arrays.toString(shape)));
        }
        return tensor;
    }

    /// Says that memory is to hold all of it.
    void enlarge() {
        for (String name : file.names()) {
            FilePages.enlarge(file.tensor(name).memory());
        }
    }

    /// @return its weights over the mapped file
    private Weights mapped() {
        if (weights == null) {
            CheckpointFolder.requireEnough(folder, config, file.names().size(), 0);
            Set<String> used = new HashSet<>();
            weights = new Weights(
                    config,
                    (name, dtype, shape) -> {
                        used.add(name);
                        return tensor(name, dtype, shape);
                    },
                    DType.F32,
                    storage);
            for (String name : file.names()) {
                if (!used.contains(name)) {
                    throw new BadInput("%s: tensor %s is not part of a %s model with this config.json."
                            .formatted(folder, name, config.family().modelType()));
                }
            }
        }
        return weights;
    }

    @Override
    public List<Inspection.Entry> entries() {
        Map<String, Long> parameters = new HashMap<>();
        mapped().packed().forEach((name, packed) -> {
            boolean tied = config.tieWordEmbeddings() && name.equals(Weights.HEAD);
            parameters.put(name, tied ? 0 : packed.rows() * packed.k());
            parameters.put(name + Weights.SCALES, 0L);
        });
        List<Inspection.Entry> entries = new ArrayList<>();
        for (String name : file.names()) {
            Tensor tensor = file.tensor(name);
            List<Long> shape = Arrays.stream(tensor.shape()).boxed().toList();
            long own = parameters.getOrDefault(name, tensor.elements());
            Inspection.Part part = Inspection.part(config, name);
            entries.add(new Inspection.Entry(name, tensor.dtype().name(), shape, part, own, tensor.bytes()));
        }
        return entries;
    }

    @Override
    public void read(Weights to, Device device, Progress progress) {
        SequencedMap<String, Place> places = mapped().places();
        Filling.fill(to, device, folder, name -> stored(places, name), progress);
    }

    private static Stored stored(SequencedMap<String, Place> places, String name) {
        return switch (Objects.requireNonNull(places.get(name), name)) {
            case Place.Values(Tensor tensor) -> Floats.of(tensor);
            case Place.Both(Place.Values table, Place.Rows _) -> Floats.of(table.tensor());
            case Place.Rows rows -> new UnpackedRows(rows);
            case Place.Up up -> new UnpackedUp(up);
        };
    }

    /// A tensor of the checkpoint that this folder was converted from, as near as it was kept.
    private record UnpackedRows(Place.Rows place) implements Stored {
        @Override
        public long[] shape() {
            return place.shape();
        }

        @Override
        public long bytes() {
            return place.weight().bytes() / place.weight().rows() * place.count();
        }

        @Override
        public void row(long row, float[] to) {
            for (int p = 0; p < to.length; p++) {
                to[p] = element(place.weight(), place.from() + row, p);
            }
        }

        /// Rounding anew would move what stands under a scale of its neighbours' blocks.
        @Override
        public void put(long row, Packed to, long at) {
            if (to.isLike(place.weight())) {
                to.put(at, place.weight(), place.from() + row);
            } else {
                Stored.super.put(row, to, at);
            }
        }
    }

    /// The same of what expands latents.
    private record UnpackedUp(Place.Up place) implements Stored {
        @Override
        public long[] shape() {
            return place.shape();
        }

        @Override
        public long bytes() {
            return place.keys().bytes() + place.values().bytes();
        }

        @Override
        public void row(long row, float[] to) {
            Packed keys = place.keys();
            Packed values = place.values();
            long head = row / (keys.k() + values.n());
            int i = (int) (row % (keys.k() + values.n()));
            for (int r = 0; r < to.length; r++) {
                to[r] = i < keys.k()
                        ? element(keys, head * keys.n() + r, i)
                        : element(values, head * values.n() + i - keys.k(), r);
            }
        }
    }

    private static float element(Packed packed, long row, int p) {
        return (float) (packed.scale(row, p / packed.group()) * packed.value(row, p));
    }

    /// Converts a model, however large, without holding it in memory.
    ///
    /// @param folder exists; gets config.json, generation_config.json and model.safetensors
    static void write(Source source, Storage storage, Path folder, Progress progress) {
        ModelConfig config = source.config(progress);
        SequencedMap<String, SafetensorsDraft.Entry> entries = new LinkedHashMap<>();
        try (DryDevice dry = Device.dry()) {
            Weights.Supply memory = Weights.Supply.of(dry.memory());
            new Weights(
                    config,
                    (name, dtype, shape) -> {
                        entries.put(name, new SafetensorsDraft.Entry(dtype, shape));
                        return memory.tensor(name, dtype, shape);
                    },
                    DType.F32,
                    storage);
        }
        try (SafetensorsDraft draft = SafetensorsDraft.create(folder.resolve(FILE), entries, Map.of("format", "wok"));
                Device host = Device.host(1)) {
            Weights to = new Weights(config, (name, _, _) -> draft.tensor(name), DType.F32, storage);
            source.read(to, host, progress);
            draft.finish();
            Files.write(folder.resolve(ConfigJson.FILE), ConfigJson.write(config, storage));
            Files.write(folder.resolve(ConfigJson.GENERATION), ConfigJson.generation(config));
        } catch (IOException e) {
            throw BadInput.writing(folder, e);
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
