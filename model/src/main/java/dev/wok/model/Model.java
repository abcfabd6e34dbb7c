package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.FilePages;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.device.Replays;
import dev.wok.device.Workspace;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A language model on one device, DeepSeek-style or of a family that it was distilled into: the door
/// of this room. It is trained through [#training] and generates through [#extend]; both run the same
/// layers. One thread at a time.
public final class Model implements AutoCloseable {
    /// The most tokens that pass through the layers at once when a prompt is read. Who shares a model
    /// with others reads no more at a time.
    public static final int CHUNK = 512;

    /// Tokens that take little longer than one.
    private static final int FEW = 2;

    /// Rows of logits that exist at once where all of a text's are wanted: a vocabulary is wide.
    private static final int LOGITS_AT_ONCE = 32;

    private final Network network;
    private final Memory memory;
    private final @Nullable Source mapped;
    /// For steps of so many tokens, up to [#FEW]; none where there is nothing to choose.
    private final List<StepThreads> stepThreads;

    /// What the last step was computed on, where that was chosen.
    private @Nullable StepThreads lastThreads;

    /// Steps that come again with the same sizes.
    private final Replays replays;

    private @Nullable Memory scratch;
    private @Nullable Workspace workspace;
    private @Nullable Guests visitors;
    private Consumer<ReadKind> onRead = _ -> {};

    /// `[CHUNK, hidden]`: what was read last, after the final norm, for [#draft].
    private @Nullable Tensor hidden;

    /// How many of its rows.
    private int hiddenRows;

    /// What a model that is larger than memory read from its file, since it was opened.
    ///
    /// @param tokens that were read or computed
    /// @param chosen experts, once for each layer and pass
    /// @param held how many of those were in memory
    /// @param bytes that were missing of others when they were asked for
    /// @param guessed experts that were asked for ahead
    /// @param right how many of those were chosen then
    public record DiskReads(long tokens, long chosen, long held, long bytes, long guessed, long right) {}

    private Model(ModelConfig config, Kernels kernels, DType dtype) {
        this(config, kernels, dtype, (Storage) null);
    }

    private Model(ModelConfig config, Kernels kernels, DType dtype, @Nullable Storage storage) {
        memory = kernels.stream().device().memory();
        network = new Network(config, kernels, memory, dtype, storage, Weights.Supply.of(memory));
        stepThreads = StepThreads.of(network.device(), FEW);
        replays = Replays.on(kernels.stream());
        mapped = null;
    }

    /// This rank's share, of routed experts or of layers.
    private Model(ModelConfig config, Kernels kernels, DType dtype, Ranks ranks) {
        ranks.require(config, kernels.stream().device(), dtype);
        memory = kernels.stream().device().memory();
        Weights.Supply supply = FlatMemory.of(config, ranks, memory, dtype);
        network = new Network(config, kernels, memory, dtype, null, supply, ranks);
        stepThreads = StepThreads.of(network.device(), FEW);
        replays = ranks.exchange() ? Replays.never() : Replays.on(kernels.stream());
        mapped = null;
    }

    /// @param mapped holds the weights, and is closed with this model
    private Model(ModelConfig config, Kernels kernels, Storage storage, ConvertedFolder mapped) {
        memory = kernels.stream().device().memory();
        network = new Network(config, kernels, memory, DType.F32, storage, mapped::tensor);
        stepThreads = StepThreads.of(network.device(), FEW);
        replays = Replays.on(kernels.stream());
        this.mapped = mapped;
        if (packedBytes() < Device.usableMemory()) {
            mapped.enlarge();
        } else if (config.moe() != null && FilePages.known()) {
            readExperts();
        }
    }

    /// Takes the experts for more than memory holds.
    void readExperts() {
        network.reads = new ExpertReads();
    }

    /// A fresh model: matrices are drawn from a normal distribution with standard deviation
    /// `initializer_range`, each by its own name so that one does not move another; norms are one;
    /// biases zero.
    ///
    /// @param dtype F32, or F64 on the reference kernels
    /// @param seed of the weights
    public static Model create(ModelConfig config, Kernels kernels, DType dtype, long seed) {
        Model model = new Model(config, kernels, dtype);
        model.draw(seed);
        return model;
    }

    private void draw(long seed) {
        Rng rng = new Rng(seed).split("weights");
        try (Arena arena = Arena.ofShared()) {
            for (Parameter parameter : parameters()) {
                Tensor host =
                        Tensor.allocate(arena, DType.F32, parameter.value().shape());
                if (parameter.decayed()) {
                    drawMatrices(parameter.name(), host, rng.split(parameter.name()));
                } else if (!parameter.name().endsWith(".bias")) {
                    fillOnes(host);
                }
                network.device().upload(host, parameter.value());
            }
        }
        weightsChanged();
    }

    private void drawMatrices(String name, Tensor host, Rng rng) {
        double deviation = config().initializerRange();
        if (!Weights.isRouted(name)) {
            fillNormal(host, 0, rng, deviation);
            return;
        }
        int[] slots = network.placement(name).slots()[network.ranks.rank()];
        for (int slot = 0; slot < slots.length; slot++) {
            fillNormal(host.select(0, slot), host.stride(0) * slots[slot], rng, deviation);
        }
    }

    /// As [#create(ModelConfig, Kernels, DType, long)], this rank's share of the model: its routed
    /// experts and everything else, laid out [#flat]. It has the values that the whole model has.
    ///
    /// @param fabric all of whose ranks make this call; stays the caller's
    /// @throws BadInput where there are more ranks than routed experts
    public static Model create(ModelConfig config, Kernels kernels, DType dtype, long seed, Fabric fabric) {
        return create(config, kernels, dtype, seed, Sharing.among(fabric));
    }

    /// As [#create(ModelConfig, Kernels, DType, long, Fabric)]. Where tokens travel narrower than
    /// they are computed, those that stay on a rank are rounded alike.
    ///
    /// @throws BadInput where there are more ranks than routed experts, or a pipeline has fewer layers
    ///     than two for each rank
    public static Model create(ModelConfig config, Kernels kernels, DType dtype, long seed, Sharing sharing) {
        Model model = new Model(config, kernels, dtype, Ranks.of(sharing, config));
        model.draw(seed);
        return model;
    }

    /// As [#load(Path, Kernels, DType, Progress)], this rank's share of the model: its routed
    /// experts and everything else, laid out [#flat]. Nothing else is read.
    ///
    /// @param fabric all of whose ranks make this call; stays the caller's
    /// @throws BadInput where something is missing, malformed or of another shape, or there are
    ///     more ranks than routed experts
    public static Model load(Path folder, Kernels kernels, DType dtype, Fabric fabric, Progress progress) {
        return load(folder, kernels, dtype, Sharing.among(fabric), progress);
    }

    /// As [#load(Path, Kernels, DType, Fabric, Progress)]. Where tokens travel narrower than they
    /// are computed, those that stay on a rank are rounded alike.
    ///
    /// @throws BadInput where something is missing, malformed or of another shape, there are more ranks
    ///     than routed experts, or a pipeline has fewer layers than two for each rank
    public static Model load(Path folder, Kernels kernels, DType dtype, Sharing sharing, Progress progress) {
        try (Source source = Source.open(folder)) {
            ModelConfig config = source.config(progress);
            Model model = new Model(config, kernels, dtype, Ranks.of(sharing, config));
            read(source, model, progress);
            model.repeat();
            return model;
        }
    }

    /// What was read into the first slot of an expert here goes into its others.
    private void repeat() {
        if (network.ranks.replicas() == 0) {
            return;
        }
        for (Parameter parameter : expertParameters()) {
            int[] slots = network.placement(parameter.name()).slots()[network.ranks.rank()];
            for (int slot = 0; slot < slots.length; slot++) {
                int first = 0;
                while (slots[first] != slots[slot]) {
                    first++;
                }
                if (first < slot) {
                    Tensor value = parameter.value();
                    network.mirrors.copy(value.select(0, first), value.select(0, slot));
                }
            }
        }
        weightsChanged();
    }

    /// A model of zeros: on a dry device, it measures.
    ///
    /// @param dtype F32, or F64 on the reference kernels
    public static Model zeros(ModelConfig config, Kernels kernels, DType dtype) {
        return new Model(config, kernels, dtype);
    }

    /// @param first the number of the first element
    private static void fillNormal(Tensor tensor, long first, Rng rng, double deviation) {
        int block = 1 << 14;
        long elements = tensor.elements();
        IntStream.range(0, Math.toIntExact((elements + block - 1) / block))
                .parallel()
                .forEach(b -> {
                    for (long i = (long) b * block; i < Math.min(elements, (b + 1L) * block); i++) {
                        tensor.set(i, deviation * rng.normal(first + i));
                    }
                });
    }

    private static void fillOnes(Tensor tensor) {
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.set(i, 1);
        }
    }

    /// Takes the weights of another model of the same configuration, on the same kernels.
    public void become(Model other) {
        if (!network.config.equals(other.network.config) || network.storage != null || other.network.storage != null) {
            throw new IllegalArgumentException(
                    "a model takes the weights of one of the same shape, both to be trained");
        }
        SequencedMap<String, Tensor> theirs = other.tensors();
        tensors()
                .forEach((name, tensor) ->
                        network.kernels.elementwise().cast(Objects.requireNonNull(theirs.get(name)), tensor));
        weightsChanged();
    }

    /// Loads a checkpoint folder, which is config.json, safetensors in one file or sharded with an index,
    /// and mtp.safetensors where multi-token prediction lies apart; or a GGUF file, without it.
    ///
    /// @param dtype what the weights are converted to: F32, or F64 on the reference kernels
    /// @throws BadInput where something is missing, malformed or of another shape
    public static Model load(Path folder, Kernels kernels, DType dtype, Progress progress) {
        try (Source source = Source.open(folder)) {
            return read(source, new Model(source.config(progress), kernels, dtype), progress);
        }
    }

    /// Opens a model to infer: its weights are held once, in the order in which products read them. It
    /// cannot be trained or saved.
    ///
    /// A folder that [#convert] wrote with such storage is mapped: nothing of it is read before it is
    /// used, and what was not used for long need not stay in memory.
    ///
    /// @param storage what the weights are converted to while they are read
    /// @throws BadInput where something is missing, malformed or of another shape
    public static Model open(Path folder, Kernels kernels, Storage storage, Progress progress) {
        return open(Source.open(folder), kernels, Optional.of(storage), progress);
    }

    /// As [#open(Path, Kernels, Storage, Progress)], with weights held as they are stored, as nearly as
    /// packed weights can: bfloat16 where most are that or E4M3 under scales, whole numbers in groups
    /// of 32 where most are quantised (4 bits for Q4_0, 8 for Q8_0, Q4_K, Q5_K and Q6_K), else float32.
    public static Model open(Path folder, Kernels kernels, Progress progress) {
        return open(Source.open(folder), kernels, Optional.empty(), progress);
    }

    private static Model open(Source source, Kernels kernels, Optional<Storage> asked, Progress progress) {
        try {
            ModelConfig main = source.config(progress);
            Storage storage = asked.orElseGet(source::asStored);
            boolean fits = source instanceof ConvertedFolder folder && storage.packsAs(folder.asStored());
            if (fits && kernels.stream().device() instanceof HostDevice) {
                return new Model(main, kernels, storage, (ConvertedFolder) source);
            }
            Model model = read(source, new Model(main, kernels, DType.F32, storage), progress);
            source.close();
            return model;
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
    }

    /// Writes a model as a folder that [#open] maps: config.json, generation_config.json and
    /// model.safetensors. The model may be larger than memory. The folder is made beside its name and
    /// renamed: it is there as a whole or not at all, also where the process is ended.
    ///
    /// @param target a folder that does not exist yet
    /// @param storage what the weights are converted to
    /// @param further writes what else belongs into the folder that it is given
    /// @throws BadInput where the source is no model, or the target exists or cannot be written
    public static void convert(Path source, Path target, Storage storage, Consumer<Path> further, Progress progress) {
        try (Source from = Source.open(source)) {
            WholeFolder.write(target, folder -> {
                ConvertedFolder.write(from, storage, folder, progress);
                further.accept(folder);
            });
        }
    }

    /// Writes such a folder for a model that nobody trained, to measure with.
    ///
    /// @param target a folder that does not exist yet
    /// @throws BadInput where it exists or cannot be written
    public static void draw(ModelConfig config, long seed, Path target, Storage storage, Progress progress) {
        Source source = RandomWeights.of(config, seed);
        WholeFolder.write(target, folder -> ConvertedFolder.write(source, storage, folder, progress));
    }

    /// A model that nobody trained, opened to infer, to measure with.
    ///
    /// @param storage what its weights are held as
    public static Model drawn(ModelConfig config, long seed, Kernels kernels, Storage storage, Progress progress) {
        return read(RandomWeights.of(config, seed), new Model(config, kernels, DType.F32, storage), progress);
    }

    private static Model read(Source source, Model model, Progress progress) {
        try {
            source.read(model.network.weights, model.network.device(), progress);
            return model;
        } catch (RuntimeException | Error e) {
            model.close();
            throw e;
        }
    }

    /// @return what a checkpoint folder or a GGUF file holds: its configuration, without multi-token
    ///     prediction where its weights are missing
    /// @throws BadInput where something is missing, malformed or of another shape
    public static ModelConfig config(Path folder, Progress progress) {
        try (Source source = Source.open(folder)) {
            return source.config(progress);
        }
    }

    /// @return the bytes of such a model's weights, multi-token prediction's included
    public static long bytes(ModelConfig config, DType dtype) {
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            new Weights(config, memory, dtype);
            return memory.bytes();
        }
    }

    /// @param ranks how many share the model
    /// @param expertReplicas see [Sharing]
    /// @return the bytes of the weights of a rank, of the one that has the most
    public static long bytes(ModelConfig config, DType dtype, int ranks, int expertReplicas) {
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            Ranks first = Ranks.dry(ranks, expertReplicas);
            new Weights(config, FlatMemory.of(config, first, memory, dtype), dtype, null, first);
            return memory.bytes();
        }
    }

    /// @param ranks of a pipeline
    /// @param rank which of them
    /// @return the bytes of its weights, in float32
    /// @throws BadInput where there are fewer layers than two for each rank
    public static long pipelineBytes(ModelConfig config, int ranks, int rank) {
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            Ranks one = Ranks.dry(Stages.of(config, ranks), rank);
            new Weights(config, FlatMemory.of(config, one, memory, DType.F32), DType.F32, null, one);
            return memory.bytes();
        }
    }

    /// @param kernels that such a model is to run on
    /// @param forms how many orientations of a weight its passes use: 1 to infer, 2 to train
    /// @return the bytes of what the kernels keep of the weights beside their values
    public static long formBytes(ModelConfig config, Kernels kernels, DType dtype, int forms) {
        try (DryDevice device = Device.dry()) {
            return new Weights(config, device.memory(), dtype)
                    .matrices().stream()
                            .mapToLong(weight -> kernels.formBytes(weight, forms))
                            .sum();
        }
    }

    /// Writes a checkpoint folder that transformers loads: config.json, generation_config.json,
    /// model.safetensors in F32. Multi-token prediction goes to mtp.safetensors, since transformers has
    /// no place for it.
    ///
    /// Of a model that ranks share, the first of them saves it while the others [#giveTensors].
    ///
    /// @param folder is made where it is missing
    /// @throws BadInput where it cannot be written
    public void save(Path folder) {
        if (network.storage != null) {
            throw new IllegalStateException("this model was opened to infer, load it to save");
        }
        CheckpointFolder.write(network, folder);
    }

    /// @return what its matrices are held as
    /// @throws IllegalStateException where the model was not opened to infer
    public Storage storage() {
        if (network.storage == null) {
            throw new IllegalStateException("this model was loaded to train, open it to infer");
        }
        return network.storage;
    }

    /// @return the bytes of all packed weights
    public long packedBytes() {
        return network.weights.packed().values().stream()
                .mapToLong(Packed::bytes)
                .sum();
    }

    /// @return the bytes of packed weights that a token is multiplied with, without multi-token prediction: of the
    ///     experts those it chooses
    public long bytesPerToken() {
        MoeConfig moe = network.config.moe();
        double chosen = moe == null ? 1 : moe.numExpertsPerTok() / (double) moe.nRoutedExperts();
        return network.weights.packed().entrySet().stream()
                .filter(weight -> !Weights.isMtp(network.config, weight.getKey()))
                .mapToLong(weight -> {
                    double share = weight.getKey().contains(".experts.") ? chosen : 1;
                    return Math.round(share * weight.getValue().bytes());
                })
                .sum();
    }

    /// @return what was read of experts from disk, or nothing where memory holds them all
    public Optional<DiskReads> diskReads() {
        return Optional.ofNullable(network.reads).map(ExpertReads::total);
    }

    /// Waits for the device.
    ///
    /// @return `[layers, experts]` of the main model: how often each routed expert was chosen by tokens
    ///     that were read or computed since it was made; a layer without experts has none
    public List<long[]> expertUse() {
        return network.use.total();
    }

    /// @return what it is made of
    public ModelConfig config() {
        return network.config;
    }

    /// @return the operations it runs on
    public Kernels kernels() {
        return network.kernels;
    }

    /// @return what an optimizer moves, in an order that only the configuration decides
    public List<Parameter> parameters() {
        return Collections.unmodifiableList(network.weights.parameters());
    }

    /// @return all tensors of a checkpoint by name, router biases included: views of [#parameters],
    ///     over this model's memory; without those that only a model that was opened to infer has
    ///     packed
    public SequencedMap<String, Tensor> tensors() {
        return Collections.unmodifiableSequencedMap(network.weights.named());
    }

    /// @return where each tensor of a checkpoint lies
    SequencedMap<String, Place> places() {
        return Collections.unmodifiableSequencedMap(network.weights.places());
    }

    /// @return the ranks that share this model; a group of one where nobody else does
    public Fabric fabric() {
        return network.ranks.fabric();
    }

    /// @return whether tokens on their way between GPUs pass through memory of the host, or would if there
    ///     were other ranks
    public boolean exchangesThroughHost() {
        return network.ranks.exchange() && network.mirrors.copies() && network.peers == null;
    }

    /// @return what all ranks have alike
    /// @throws IllegalStateException where the model was not made with a [Fabric]
    public Flat flat() {
        return network.flat();
    }

    /// Where the routed experts of each layer lie: layers that have experts in their order, multi-token
    /// prediction's last.
    public List<Placement> placements() {
        return Collections.unmodifiableList(network.placements());
    }

    /// Says that a layer's experts were moved among the ranks' slots, which all ranks say together,
    /// between passes.
    ///
    /// @param layer its place in [#placements]
    /// @param placement with as many slots on each rank as before
    public void place(int layer, Placement placement) {
        network.place(layer, placement);
    }

    /// @return this rank's routed experts, `[slots, ..]` each, in the order of [#parameters]: of each
    ///     layer of [#placements] two, gate and up in one, then down
    public List<Parameter> expertParameters() {
        return parameters().stream()
                .filter(parameter -> Weights.isRouted(parameter.name()))
                .toList();
    }

    /// A parameter of the whole model, and who has it.
    ///
    /// @param shape in the whole model
    /// @param routed whether it is routed experts'
    /// @param rank that has it
    public record Holding(String name, long[] shape, boolean routed, int rank) {}

    /// @return whether the layers are dealt to the ranks of a pipeline, which have each parameter once
    public boolean isPipeline() {
        return network.ranks.stages() != null;
    }

    /// @return all parameters in the order of a whole model's [#parameters]
    /// @throws IllegalStateException where the layers are not dealt to ranks
    public List<Holding> holdings() {
        Stages stages = network.ranks.stages();
        if (stages == null) {
            throw new IllegalStateException("this model's layers are not dealt to ranks");
        }
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            return new Weights(config(), memory, DType.F32)
                    .parameters().stream()
                            .map(parameter -> new Holding(
                                    parameter.name(),
                                    parameter.value().shape(),
                                    Weights.isRouted(parameter.name()),
                                    stages.rankOfLayer(Weights.layer(parameter.name()))))
                            .toList();
        }
    }

    /// A pass through the layers that reads into a cache.
    public enum ReadKind {
        /// Of the main model, as [#extend] and [#embed] do.
        READ,
        /// Of multi-token prediction, as [#draft] does.
        DRAFT
    }

    /// Says before each pass that reads into a cache which one follows, so that other ranks can
    /// [#serve] it.
    public void onRead(Consumer<ReadKind> listener) {
        onRead = listener;
    }

    /// Takes part with this rank's experts in a pass that another rank makes.
    public void serve(ReadKind kind) {
        if (isPipeline()) {
            servePipeline(kind);
            return;
        }
        try (var _ = workspace().scope()) {
            Pass p = visited(network.pass(workspace(), new int[0], new int[0]));
            switch (kind) {
                case READ -> network.serve(p);
                case DRAFT -> network.serveDraft(p);
            }
        }
    }

    private void servePipeline(ReadKind kind) {
        switch (kind) {
            case READ -> {
                try (var _ = workspace().scope()) {
                    StageReads.serve(network, workspace());
                }
            }
            case DRAFT -> {}
        }
    }

    /// @return the pass with room for tokens of other ranks, where there are any
    private Pass visited(Pass p) {
        if (network.ranks.exchange() && visitors == null) {
            visitors = new Guests(network.device());
        }
        return p.with(p.parts(), visitors);
    }

    /// Gives rank 0 this rank's experts, or its layers, while it does [#save].
    public void giveTensors() {
        CheckpointFolder.give(network);
    }

    /// Says that values of [#parameters] were written: whoever writes them calls it before the next pass.
    public void weightsChanged() {
        network.weights.changed();
        replays.forget();
    }

    /// @return memory and methods to train this model
    public Training training(Training.Settings settings) {
        if (network.storage != null) {
            throw new IllegalStateException("this model was opened to infer, load it to train");
        }
        return new Training(network, settings);
    }

    /// An empty cache for one sequence.
    ///
    /// @param capacity the largest number of tokens, 1 to `max_position_embeddings`
    /// @throws BadInput where it is not
    public Cache cache(int capacity) {
        int longest = network.config.maxPositionEmbeddings();
        if (capacity < 1 || capacity > longest) {
            throw new BadInput("a context of %d tokens is asked for, expected 1 to max_position_embeddings (%d)."
                    .formatted(capacity, longest));
        }
        return new Cache(cachePages(CachePages.pages(capacity)), capacity);
    }

    /// Pages of a cache for many sequences.
    ///
    /// @param pages how many, 1 or more
    public CachePages cachePages(int pages) {
        return new CachePages(network.config, network.kernels, network.device().memory(), network.cacheType(), pages);
    }

    /// @return the bytes of a page of such a cache
    public long pageBytes() {
        return CachePages.layers(network.config)
                * (long) network.config.attention().cacheDim()
                * CachePages.TOKENS
                * network.cacheType().bytes();
    }

    /// What a cache's contents depend on beside the tokens: the weights, and how this machine computes with them. It is
    /// found by reading all weights and some tokens.
    ///
    /// @return the same for the same, in 32 hexadecimal digits
    /// @throws IllegalStateException where the model was not opened to infer, so that its weights may change
    public String fingerprint(Progress progress) {
        return Fingerprint.of(this, network.weights, storage(), progress);
    }

    /// Reads tokens into a cache.
    ///
    /// @param ids one or more
    /// @return `[vocab]`: the logits that predict the token after the last, on the host
    /// @throws BadInput where an id is not in the vocabulary or the cache is too small
    public float[] extend(Cache cache, int... ids) {
        requireIds(ids);
        if (ids.length > cache.capacity() - cache.length()) {
            throw new BadInput("%d tokens do not fit after the %d in a context of %d; ask for fewer tokens."
                    .formatted(ids.length, cache.length(), cache.capacity()));
        }
        float[] logits = new float[0];
        for (int from = 0; from < ids.length; from += CHUNK) {
            int to = Math.min(ids.length, from + CHUNK);
            Chunk chunk = cache.chunk(Arrays.copyOfRange(ids, from, to), to == ids.length ? 1 : 0);
            List<float[]> found = extend(cache.pages(), List.of(chunk));
            cache.grow(to - from);
            logits = found.isEmpty() ? logits : found.getFirst();
        }
        return logits;
    }

    /// Reads tokens of many sequences at once. What comes of a sequence does not depend on the others, nor
    /// on how its tokens are cut into chunks, bit for bit.
    ///
    /// @param chunks of different sequences, [#CHUNK] tokens at most in all
    /// @return `[vocab]` each, on the host: for the tokens whose logits are wanted, in their order, those
    ///     that predict the one after
    /// @throws BadInput where an id is not in the vocabulary or the context is too small
    public List<float[]> extend(CachePages cache, List<Chunk> chunks) {
        List<float[]> all = new ArrayList<>();
        extend(cache, chunks, (some, _) -> all.addAll(some));
        return all;
    }

    /// As [#extend(CachePages, List)], where many logits are wanted, so that few of them exist at once.
    ///
    /// @param each is given some of the logits, and how many there were before them
    public void extend(CachePages cache, List<Chunk> chunks, ObjIntConsumer<List<float[]>> each) {
        int tokens = 0;
        for (Chunk chunk : chunks) {
            requireIds(chunk.ids());
            tokens += chunk.ids().length;
            requireContext(chunk.to());
        }
        if (tokens == 0 || tokens > CHUNK) {
            throw new IllegalArgumentException("%d tokens are read at once, expected 1 to %d".formatted(tokens, CHUNK));
        }
        lastThreads = tokens <= stepThreads.size() ? stepThreads.get(tokens - 1) : null;
        int _ = lastThreads == null
                ? extendChunks(cache, chunks, each)
                : lastThreads.run(network.device(), () -> extendChunks(cache, chunks, each));
    }

    /// A step that is the same work whatever the tokens are.
    ///
    /// @param cache where its pages begin
    private record Step(Reading.Shape shape, long cache) {}

    /// @return how many logits there were
    private int extendChunks(CachePages cache, List<Chunk> chunks, ObjIntConsumer<List<float[]>> each) {
        try (var _ = workspace().scope()) {
            int[] wanted = Reading.wanted(chunks);
            boolean isShort = wanted.length <= LOGITS_AT_ONCE;
            Reading reading = Reading.of(chunks, isShort ? wanted : new int[0], replays.keeps());
            network.use.reads(reading.shape().tokens());
            Tensor all = network.ints(workspace(), reading.values());
            hiddenRows = drafts() ? reading.shape().tokens() : 0;
            if (isShort) {
                Step step = new Step(reading.shape(), cache.address());
                Tensor logits = replays.run(step, () -> {
                    Reading.Here here = reading.on(all);
                    return head(infer(cache, reading, here), here.wanted());
                });
                each.accept(floats(logits), 0);
            } else {
                eachLogits(
                        infer(cache, reading, reading.on(all)),
                        wanted,
                        (some, before) -> each.accept(floats(some), before));
            }
            return wanted.length;
        }
    }

    /// @return whether this model has multi-token prediction, so that [#draft] is for it
    public boolean drafts() {
        return network.config.numNextnPredictLayers() > 0;
    }

    /// Predicts the tokens after those that follow (multi-token prediction, DeepSeek-V3 §5.4.3), for tokens that
    /// [#extend(CachePages, List)] has just read.
    ///
    /// @param chunks with the tokens' pages and the place of the first; `ids` are the ones that follow each of them
    /// @param rows the first token of each chunk, counted over all tokens that were read then
    /// @return `[vocab]` each, on the host: for the tokens whose logits are wanted, in their order, those that
    ///     predict the token after the one that follows
    /// @throws IllegalStateException where the model does not [#drafts]
    /// @throws IndexOutOfBoundsException where so many tokens were not read
    public List<float[]> draft(CachePages cache, List<Chunk> chunks, int... rows) {
        if (!drafts()) {
            throw new IllegalStateException("this model has no multi-token prediction");
        }
        int[] ids = ids(chunks);
        requireIds(ids);
        return lastThreads == null
                ? draft(cache, chunks, ids, rows)
                : lastThreads.like(network.device(), () -> draft(cache, chunks, ids, rows));
    }

    private List<float[]> draft(CachePages cache, List<Chunk> chunks, int[] ids, int[] rows) {
        try (var _ = workspace().scope()) {
            int[] from = new int[ids.length];
            int count = 0;
            for (int i = 0; i < rows.length; i++) {
                int length = chunks.get(i).ids().length;
                Objects.checkFromIndexSize(rows[i], length, hiddenRows);
                for (int row = 0; row < length; row++) {
                    from[count++] = rows[i] + row;
                }
            }
            Tensor picked = workspace().tensor(network.dtype, ids.length, network.config.hiddenSize());
            network.kernels.embedding().forward(network.ints(workspace(), from), hidden(), picked);
            Reading reading = Reading.of(chunks, new int[0], false);
            Reading.Here here = reading.on(network.ints(workspace(), reading.values()));
            onRead.accept(ReadKind.DRAFT);
            Pass p = visited(network.pass(workspace(), here));
            Tensor normed;
            try (var _ = Guests.scope(visitors)) {
                normed = network.draft(p, picked, here.ids(), cache);
            }
            return logits(normed, Reading.wanted(chunks));
        }
    }

    private Tensor hidden() {
        if (hidden == null) {
            hidden = memory.tensor(network.dtype, CHUNK, network.config.hiddenSize());
        }
        return hidden;
    }

    /// @return `[vocab]` for each of these rows, on the host
    private List<float[]> logits(Tensor normed, int... wanted) {
        List<float[]> logits = new ArrayList<>();
        eachLogits(normed, wanted, (some, _) -> logits.addAll(floats(some)));
        return logits;
    }

    /// @param here `[rows, vocab]`
    private List<float[]> floats(Tensor here) {
        int vocabulary = here.size(1);
        float[] values = values(here);
        return here.size(0) == 1
                ? List.of(values)
                : IntStream.range(0, here.size(0))
                        .mapToObj(row -> Arrays.copyOfRange(values, row * vocabulary, (row + 1) * vocabulary))
                        .toList();
    }

    private float[] values(Tensor here) {
        float[] values = new float[Math.toIntExact(here.elements())];
        network.device().download(here, Tensor.of(MemorySegment.ofArray(values), DType.F32, here.shape()));
        return values;
    }

    /// Computes logits, as many at once as there is room for.
    ///
    /// @param rows of `normed`
    /// @param each is given logits, `[some, vocab]` in the workspace, and how many rows there were before them
    private void eachLogits(Tensor normed, int[] rows, ObjIntConsumer<Tensor> each) {
        for (int from = 0; from < rows.length; from += LOGITS_AT_ONCE) {
            int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + LOGITS_AT_ONCE));
            try (var _ = workspace().scope()) {
                each.accept(head(normed, network.ints(workspace(), some)), from);
            }
        }
    }

    /// @param rows of `normed`, [#LOGITS_AT_ONCE] at most
    /// @return `[rows, vocab]`, in the workspace
    private Tensor head(Tensor normed, Tensor rows) {
        Tensor picked = workspace().tensor(network.dtype, rows.size(0), network.config.hiddenSize());
        network.kernels.embedding().forward(rows, normed, picked);
        Tensor logits = workspace().tensor(network.dtype, rows.size(0), network.config.vocabSize());
        network.kernels.matmul().linear(picked, network.weights.head, logits, false);
        return logits;
    }

    /// Reads chunks into a cache.
    ///
    /// @return `[tokens, hidden]`, after the final norm, in the workspace
    private Tensor infer(CachePages cache, Reading reading, Reading.Here here) {
        onRead.accept(ReadKind.READ);
        Pass p = visited(network.pass(workspace(), here));
        Tensor normed = isPipeline()
                ? StageReads.infer(network, p, reading, here.ids(), cache)
                : network.infer(p, here.ids(), cache);
        if (drafts()) {
            network.kernels.elementwise().cast(normed, hidden().slice(0, 0, p.tokens()));
        }
        if (network.reads != null) {
            network.reads.count(p.tokens());
        }
        return normed;
    }

    /// As [#infer], of which no logits are wanted.
    private Tensor states(CachePages cache, List<Chunk> chunks) {
        Reading reading = Reading.of(chunks, new int[0], false);
        network.use.reads(reading.shape().tokens());
        return infer(cache, reading, reading.on(network.ints(workspace(), reading.values())));
    }

    private static int[] ids(List<Chunk> chunks) {
        return chunks.stream().flatMapToInt(chunk -> Arrays.stream(chunk.ids())).toArray();
    }

    private Workspace workspace() {
        if (workspace == null) {
            scratch = network.device().memory();
            workspace = Workspace.of(scratch, inferenceBytes(network.config, network.dtype, network.storage));
        }
        return workspace;
    }

    /// @return the bytes that reading into a cache takes beside the weights and the cache
    public static long inferenceBytes(ModelConfig config, DType dtype) {
        return inferenceBytes(config, dtype, null);
    }

    private static long inferenceBytes(ModelConfig config, DType dtype, @Nullable Storage storage) {
        try (DryDevice device = Device.dry()) {
            Memory memory = device.memory();
            Weights.Supply supply = Weights.Supply.of(memory);
            Network dry = new Network(config, Kernels.on(device.stream()), memory, dtype, storage, supply);
            Workspace measuring = Workspace.measuring(device);
            int longest = CachePages.pages(config.maxPositionEmbeddings());
            CachePages pages = new CachePages(config, dry.kernels, device.memory(), dtype, longest);
            Chunk most = new Chunk(new int[longest], config.maxPositionEmbeddings() - 1, new int[1], 1);
            Reading reading = Reading.of(Collections.nCopies(CHUNK, most), new int[LOGITS_AT_ONCE], true);
            Reading.Here here = reading.on(dry.ints(measuring, reading.values()));
            Pass p = dry.pass(measuring, here);
            Tensor normed = dry.infer(p, here.ids(), pages);
            if (config.numNextnPredictLayers() > 0) {
                dry.ints(measuring, new int[CHUNK]);
                dry.draft(p, normed, here.ids(), pages);
            }
            p.tensor(LOGITS_AT_ONCE, config.hiddenSize());
            p.tensor(LOGITS_AT_ONCE, config.vocabSize());
            dry.ints(measuring, new int[LOGITS_AT_ONCE]);
            return measuring.peakBytes();
        }
    }

    private Tensor host(Tensor here) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), here.dtype(), here.shape());
        network.device().download(here, host);
        return host;
    }

    /// The logits of every position of a text, without a cache: the form that training uses.
    ///
    /// @param ids one or more
    /// @return `[ids, vocab]`, on the host
    /// @throws BadInput where an id is not in the vocabulary
    public Tensor logits(int... ids) {
        requireIds(ids);
        if (network.storage != null || isPipeline()) {
            return cachedLogits(ids);
        }
        try (Memory values = network.device().memory();
                DryDevice device = Device.dry()) {
            Workspace measuring = Workspace.measuring(device);
            Network dry = new Network(network.config, Kernels.on(device.stream()), device.memory(), network.dtype);
            logits(dry, pass(dry, measuring, ids), ids);
            Pass p = visited(pass(network, Workspace.of(values, measuring.peakBytes()), ids));
            onRead.accept(ReadKind.READ);
            return host(logits(network, p, ids));
        }
    }

    private Tensor cachedLogits(int... ids) {
        int vocabulary = network.config.vocabSize();
        Tensor all = Tensor.allocate(Arena.ofAuto(), DType.F32, ids.length, vocabulary);
        try (Cache cache = new Cache(cachePages(CachePages.pages(ids.length)), ids.length)) {
            for (int from = 0; from < ids.length; from += CHUNK) {
                int[] chunk = Arrays.copyOfRange(ids, from, Math.min(ids.length, from + CHUNK));
                Tensor text = all.slice(0, from, from + (long) chunk.length);
                try (var _ = workspace().scope()) {
                    Tensor normed = states(cache.pages(), List.of(cache.chunk(chunk, 0)));
                    cache.grow(chunk.length);
                    int[] rows = IntStream.range(0, chunk.length).toArray();
                    eachLogits(
                            normed,
                            rows,
                            (logits, first) ->
                                    network.device().download(logits, text.slice(0, first, first + logits.dim(0))));
                }
            }
        }
        return all;
    }

    /// What texts are about, as vectors: final hidden states after the last norm, pooled, made 1 long. A
    /// text's does not depend on the others.
    ///
    /// @param texts ids, one or more each; a cache for all of them is made meanwhile
    /// @return `[hidden]` for each, on the host
    /// @throws BadInput where an id is not in the vocabulary, a text is longer than the context, or the
    ///     model gives no numbers
    public List<float[]> embed(List<int[]> texts, Pooling pooling) {
        for (int[] ids : texts) {
            requireIds(ids);
            requireContext(ids.length);
        }
        List<Embedding> found = texts.stream()
                .map(ids -> new Embedding(pooling, ids.length, network.config.hiddenSize()))
                .toList();
        int pages = texts.stream().mapToInt(ids -> CachePages.pages(ids.length)).sum();
        try (CachePages cache = cachePages(Math.max(1, pages))) {
            List<Chunk> chunks = new ArrayList<>();
            List<Embedding> theirs = new ArrayList<>();
            int room = CHUNK;
            int page = 0;
            for (int text = 0; text < texts.size(); text++) {
                int[] ids = texts.get(text);
                int[] own = IntStream.range(page, page + CachePages.pages(ids.length))
                        .toArray();
                page += own.length;
                for (int from = 0; from < ids.length; ) {
                    int to = Math.min(ids.length, from + room);
                    chunks.add(new Chunk(own, from, Arrays.copyOfRange(ids, from, to), 0));
                    theirs.add(found.get(text));
                    room -= to - from;
                    from = to;
                    if (room == 0) {
                        embed(cache, chunks, theirs);
                        chunks.clear();
                        theirs.clear();
                        room = CHUNK;
                    }
                }
            }
            if (!chunks.isEmpty()) {
                embed(cache, chunks, theirs);
            }
        }
        return found.stream().map(Embedding::direction).toList();
    }

    /// @param theirs what each chunk's states are added to
    private void embed(CachePages cache, List<Chunk> chunks, List<Embedding> theirs) {
        int width = network.config.hiddenSize();
        try (var _ = workspace().scope()) {
            Tensor normed = states(cache, chunks);
            float[] values = values(normed);
            int row = 0;
            for (int i = 0; i < chunks.size(); i++) {
                Chunk chunk = chunks.get(i);
                for (int position = chunk.from(); position < chunk.to(); position++) {
                    theirs.get(i).add(position, values, row++ * width);
                }
            }
        }
    }

    private static Pass pass(Network network, Workspace workspace, int[] ids) {
        int[] positions = IntStream.range(0, ids.length).toArray();
        return network.pass(workspace, positions, new int[ids.length]);
    }

    private static Tensor logits(Network network, Pass p, int[] ids) {
        network.use.reads(ids.length);
        Tensor normed = network.infer(p, network.ints(p.workspace(), ids), null);
        return p.linear(normed, network.weights.head);
    }

    private void requireContext(int tokens) {
        if (tokens > network.config.maxPositionEmbeddings()) {
            throw new BadInput("a text of %d tokens is longer than max_position_embeddings (%d)."
                    .formatted(tokens, network.config.maxPositionEmbeddings()));
        }
    }

    private void requireIds(int... ids) {
        if (ids.length == 0) {
            throw new BadInput("there are no tokens to read, expected one or more.");
        }
        for (int id : ids) {
            if (id < 0 || id >= network.config.vocabSize()) {
                throw new BadInput("token id %d is not in the model's vocabulary of %d."
                        .formatted(id, network.config.vocabSize()));
            }
        }
    }

    /// Gives the weights' memory back.
    @Override
    public void close() {
        replays.forget();
        if (visitors != null) {
            visitors.close();
        }
        if (scratch != null) {
            scratch.close();
        }
        if (network.peers != null) {
            network.peers.close();
        }
        network.mirrors.close();
        memory.close();
        if (mapped != null) {
            mapped.close();
        }
    }
}
