package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// A folder as Hugging Face lays it out: config.json, and tensors in model.safetensors or in the shards that
/// model.safetensors.index.json names. Wok adds mtp.safetensors.
final class CheckpointFolder implements Source {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final String MTP = "mtp.safetensors";
    private static final String SHARED = ".mlp.shared_experts.";
    private static final String SCALE = "_scale_inv";
    private static final Pattern EXPERT = Pattern.compile("\\.experts\\.(\\d{1,6})\\.");

    private final Path folder;
    private final ModelConfig config;
    private final Floats.@Nullable Blocks blocks;
    private final List<Safetensors> files = new ArrayList<>();
    private final Map<String, Safetensors> byName = new LinkedHashMap<>();

    private CheckpointFolder(Path folder, ModelConfig config, Floats.@Nullable Blocks blocks) {
        this.folder = folder;
        this.config = config;
        this.blocks = blocks;
    }

    /// @param json its configuration
    static CheckpointFolder open(Path folder, ConfigJson json) {
        CheckpointFolder checkpoint = new CheckpointFolder(folder, json.model(), json.blocks());
        try {
            for (String name : fileNames(folder)) {
                checkpoint.add(folder.resolve(name));
            }
            return checkpoint;
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    private void add(Path path) {
        Safetensors file = Safetensors.open(path);
        files.add(file);
        for (String name : file.names()) {
            if (byName.putIfAbsent(name, file) != null) {
                throw new BadInput("%s: tensor %s is stored twice in the folder.".formatted(path, name));
            }
        }
    }

    private static Set<String> fileNames(Path folder) {
        Set<String> names = new LinkedHashSet<>();
        if (Files.exists(folder.resolve(SINGLE))) {
            names.add(SINGLE);
        } else if (Files.exists(folder.resolve(INDEX))) {
            names.addAll(shards(folder.resolve(INDEX)));
        } else {
            throw new BadInput("%s holds neither %s nor %s.".formatted(folder, SINGLE, INDEX));
        }
        if (Files.exists(folder.resolve(MTP))) {
            names.add(MTP);
        }
        return names;
    }

    private static Set<String> shards(Path index) {
        JsonNode map;
        try {
            map = new ObjectMapper().readTree(Files.readAllBytes(index)).path("weight_map");
        } catch (IOException e) {
            throw BadInput.reading(index, e);
        } catch (JacksonException e) {
            throw BadInput.notJson(index, e);
        }
        Set<String> names = new LinkedHashSet<>();
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            String name = entry.getValue().asString("");
            if (!name.matches("[\\w.-]+\\.safetensors")) {
                throw new BadInput("%s: tensor %s lies in \"%s\", expected the name of a safetensors file beside it."
                        .formatted(index, entry.getKey(), name));
            }
            names.add(name);
        }
        if (names.isEmpty()) {
            throw new BadInput("%s has no weight_map.".formatted(index));
        }
        return names;
    }

    @Override
    public ModelConfig config(Progress progress) {
        ModelConfig found = config;
        if (config.numNextnPredictLayers() > 0 && !hasMtp(config.numHiddenLayers())) {
            progress.say("%s announces %d layers of multi-token prediction but has none: loading without."
                    .formatted(folder, config.numNextnPredictLayers()));
            found = config.withoutMtp();
        }
        int experts = found.moe() == null ? 0 : found.moe().nRoutedExperts();
        requireEnough(folder, found, byName.size(), 3L * experts);
        try (DryDevice device = Device.dry()) {
            requireTensors(found, new Weights(found, device.memory(), DType.F32).places());
        }
        return found;
    }

    /// @return bfloat16 where most weights are that or E4M3 under scales, else float32
    @Override
    public Storage asStored() {
        DType most = usualType();
        return most == DType.BF16 || most == DType.F8_E4M3 ? Storage.bfloat16() : Storage.float32();
    }

    private DType usualType() {
        Map<DType, Long> elements = new EnumMap<>(DType.class);
        for (Map.Entry<String, Safetensors> entry : byName.entrySet()) {
            Tensor tensor = entry.getValue().tensor(entry.getKey());
            elements.merge(tensor.dtype(), tensor.elements(), Long::sum);
        }
        return elements.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse(DType.F32);
    }

    @Override
    public List<Inspection.Entry> entries() {
        List<Inspection.Entry> entries = new ArrayList<>();
        byName.forEach((name, file) -> {
            Tensor tensor = file.tensor(name);
            List<Long> shape = Arrays.stream(tensor.shape()).boxed().toList();
            long parameters = isScale(name) ? 0 : tensor.elements();
            Inspection.Part part = Inspection.part(config, name);
            entries.add(new Inspection.Entry(name, tensor.dtype().name(), shape, part, parameters, tensor.bytes()));
        });
        return entries;
    }

    private boolean hasMtp(int layer) {
        return byName.containsKey("model.layers.%d.eh_proj.weight".formatted(layer));
    }

    /// A configuration that announces more than is there is refused before anything is made for it.
    ///
    /// @param perMoe tensors of the experts of a layer
    static void requireEnough(Path folder, ModelConfig wanted, int tensors, long perMoe) {
        long experts = wanted.moe() == null ? 0 : perMoe * wanted.moeLayers().length;
        long least = wanted.numHiddenLayers() + wanted.numNextnPredictLayers() + experts;
        if (least > tensors) {
            throw new BadInput("%s holds %d tensors, a model with its config.json has at least %d."
                    .formatted(folder, tensors, least));
        }
    }

    private void requireTensors(ModelConfig config, SequencedMap<String, Place> wanted) {
        requireNothingElse(config, wanted.keySet());
        for (Map.Entry<String, Place> entry : wanted.entrySet()) {
            Stored stored = stored(entry.getKey());
            if (!Arrays.equals(stored.shape(), entry.getValue().shape())) {
                throw new BadInput("%s: tensor %s is %s, expected %s by config.json."
                        .formatted(
                                folder,
                                entry.getKey(),
                                tensor(entry.getKey()),
                                Arrays.toString(entry.getValue().shape())));
            }
        }
    }

    @Override
    public void read(Weights weights, Device device, Progress progress) {
        Filling.fill(weights, device, folder, this::stored, progress);
    }

    private Stored stored(String name) {
        Tensor tensor = tensor(name);
        if (tensor.dtype() != DType.F8_E4M3) {
            return Floats.of(tensor);
        }
        String scaleName = name + SCALE;
        if (blocks == null || tensor.rank() != 2 || !byName.containsKey(scaleName)) {
            throw new BadInput(
                    "%s: tensor %s holds F8_E4M3, expected a matrix with %s beside it and quantization_config in config.json."
                            .formatted(folder, name, scaleName));
        }
        Tensor scales = tensor(scaleName);
        long[] expected = {Math.ceilDiv(tensor.dim(0), blocks.rows()), Math.ceilDiv(tensor.dim(1), blocks.columns())};
        if (!Arrays.equals(scales.shape(), expected)) {
            throw new BadInput("%s: tensor %s is %s, expected %s by weight_block_size."
                    .formatted(folder, scaleName, scales, Arrays.toString(expected)));
        }
        return new Floats(tensor, scales, blocks.rows(), blocks.columns());
    }

    private Tensor tensor(String name) {
        Safetensors file = byName.get(name);
        if (file == null) {
            throw new BadInput("%s: tensor %s is missing.".formatted(folder, name));
        }
        Tensor stored = file.tensor(name);
        if (!stored.dtype().isFloating()) {
            throw new BadInput(
                    "%s: tensor %s holds %s, expected floating-point numbers.".formatted(folder, name, stored.dtype()));
        }
        return stored;
    }

    private void requireNothingElse(ModelConfig network, Set<String> wanted) {
        for (String name : byName.keySet()) {
            boolean superfluous = name.endsWith(".rotary_emb.inv_freq")
                    || (network.tieWordEmbeddings() && name.equals("lm_head.weight"))
                    || (name.contains(SHARED) && tensor(name).elements() == 0)
                    || isScale(name)
                    || (Weights.isMtp(network, name) && hasMtp(Weights.layer(name)));
            if (!wanted.contains(name) && !superfluous) {
                throw new BadInput("%s: tensor %s is not part of a %s model with this config.json."
                        .formatted(folder, name, network.family().modelType()));
            }
        }
    }

    private boolean isScale(String name) {
        return name.endsWith(SCALE) && byName.containsKey(name.substring(0, name.length() - SCALE.length()));
    }

    @Override
    public void close() {
        files.forEach(Safetensors::close);
    }

    static void write(Network network, Path folder) {
        SequencedMap<String, Tensor> main = new LinkedHashMap<>();
        SequencedMap<String, Tensor> mtp = new LinkedHashMap<>();
        try (Arena arena = Arena.ofShared()) {
            everything(network)
                    .forEach((name, tensor) -> (Weights.isMtp(network.config, name) ? mtp : main).put(name, tensor));
            for (int k = 0; k < network.config.numNextnPredictLayers(); k++) {
                String prefix = "model.layers.%d.".formatted(network.config.numHiddenLayers() + k);
                Tensor embedding = main.get("model.embed_tokens.weight");
                mtp.put(prefix + "embed_tokens.weight", embedding);
                mtp.put(prefix + "shared_head.head.weight", main.getOrDefault("lm_head.weight", embedding));
            }
            nameMissingExperts(network.config, arena, main);
            Files.createDirectories(folder);
            write(network, main, folder.resolve(SINGLE));
            if (!mtp.isEmpty()) {
                write(network, mtp, folder.resolve(MTP));
            }
            writeBeside(folder.resolve("config.json"), ConfigJson.write(network.config));
            writeBeside(folder.resolve("generation_config.json"), ConfigJson.generation(network.config));
        } catch (IOException e) {
            throw BadInput.writing(folder, e);
        }
    }

    /// @return the tensors of a checkpoint by name; of what other ranks have, the sizes alone
    private static SequencedMap<String, Tensor> everything(Network network) {
        SequencedMap<String, Tensor> own = network.weights.named();
        if (!network.ranks.share() && network.ranks.stages() == null) {
            return own;
        }
        try (DryDevice device = Device.dry()) {
            SequencedMap<String, Tensor> all = new Weights(network.config, device.memory(), DType.F32).named();
            all.replaceAll(own::getOrDefault);
            return all;
        }
    }

    private static void write(Network network, SequencedMap<String, Tensor> tensors, Path file) {
        Map<Tensor, Integer> elsewhere = new IdentityHashMap<>();
        tensors.forEach((name, tensor) -> {
            int rank = rank(network, name);
            if (rank != network.ranks.fabric().rank()) {
                elsewhere.put(tensor, rank);
            }
        });
        Safetensors.write(
                file,
                tensors,
                DType.F32,
                (here, host) -> {
                    Integer rank = elsewhere.get(here);
                    if (rank == null) {
                        network.device().download(here, host);
                    } else {
                        network.ranks.fabric().receive(host.memory().asSlice(0, host.bytes()), rank);
                    }
                },
                Map.of("format", "pt"));
    }

    /// @return who has a tensor of a checkpoint: this rank, of what all have alike
    private static int rank(Network network, String name) {
        Stages stages = network.ranks.stages();
        if (stages != null) {
            return stages.rankOfLayer(Weights.layer(name));
        }
        MoeConfig moe = network.config.moe();
        Matcher expert = EXPERT.matcher(name);
        return moe != null && network.ranks.share() && expert.find()
                ? network.placement(name)
                        .slotsOf(Integer.parseInt(expert.group(1)))
                        .getFirst()
                        .rank()
                : network.ranks.rank();
    }

    /// Gives the first rank, which [#write]s, the experts that are here, or the layers, in the order
    /// of its files.
    static void give(Network network) {
        everything(network).forEach((name, tensor) -> {
            boolean shared = network.ranks.stages() != null || Weights.isRouted(name);
            if (shared && rank(network, name) == network.ranks.fabric().rank()) {
                try (Arena arena = Arena.ofShared()) {
                    Tensor host = Tensor.allocate(arena, DType.F32, tensor.shape());
                    network.device().download(tensor, host);
                    network.ranks.fabric().send(host.memory().asSlice(0, host.bytes()), 0);
                }
            }
        });
    }

    /// Transformers expects the shared experts' tensors even where there are none: empty ones.
    private static void nameMissingExperts(ModelConfig config, Arena arena, SequencedMap<String, Tensor> main) {
        MoeConfig moe = config.moe();
        if (moe == null || moe.nSharedExperts() > 0 || !config.family().isDeepseek()) {
            return;
        }
        for (int layer : config.moeLayers()) {
            String prefix = "model.layers.%d%s".formatted(layer, SHARED);
            Tensor wide = Tensor.allocate(arena, DType.F32, 0, config.hiddenSize());
            main.put(prefix + "gate_proj.weight", wide);
            main.put(prefix + "up_proj.weight", wide);
            main.put(prefix + "down_proj.weight", Tensor.allocate(arena, DType.F32, config.hiddenSize(), 0));
        }
    }

    private static void writeBeside(Path file, byte[] bytes) throws IOException {
        Path beside = file.resolveSibling(file.getFileName() + ".part");
        try {
            Files.write(beside, bytes);
            Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw BadInput.writing(file, e, beside);
        }
    }
}
