package dev.wok.model;

import dev.wok.device.Memory;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// All weights of a model where the layers find them, and the same by their names in a checkpoint. Their gradients are
/// another instance.
final class Weights {
    sealed interface Attention permits Latent, Grouped {}

    /// @param qA `[q_lora_rank, hidden]`, null where queries are not compressed
    /// @param qANorm `[q_lora_rank]`, null likewise
    /// @param q `[heads * qkHeadDim, q_lora_rank or hidden]`
    /// @param kvA `[kv_lora_rank + qk_rope_head_dim, hidden]`
    /// @param kvANorm `[kv_lora_rank]`
    /// @param up what expands latents
    /// @param o `[hidden, heads * v_head_dim]`
    record Latent(@Nullable Weight qA, @Nullable Tensor qANorm, Weight q, Weight kvA, Tensor kvANorm, Up up, Weight o)
            implements Attention {
        /// @return what expands latents, which training needs whole
        Dense kvB() {
            return switch (up) {
                case Up.Whole(Dense kvB) -> kvB;
                case Up.Apart(Packed keys, Packed _) -> dense(keys);
            };
        }
    }

    /// What expands latents into keys and values.
    sealed interface Up {
        /// @param kvB `[heads * (qk_nope_head_dim + v_head_dim), kv_lora_rank]`
        record Whole(Dense kvB) implements Up {}

        /// Taken apart for the absorbed form.
        ///
        /// @param keys `[heads, kv_lora_rank, qk_nope_head_dim]`, transposed
        /// @param values `[heads, v_head_dim, kv_lora_rank]`
        record Apart(Packed keys, Packed values) implements Up {}
    }

    /// @param qkv `[(heads + 2 * kvHeads) * headDim, hidden]`: rows of queries, of keys, of values
    /// @param qkvBias one for each row, or null
    /// @param qNorm `[headDim]`, null where queries are not normalised
    /// @param kNorm `[headDim]`, null likewise
    /// @param o `[hidden, heads * headDim]`
    /// @param oBias `[hidden]`, or null
    record Grouped(
            Weight qkv,
            @Nullable Tensor qkvBias,
            @Nullable Tensor qNorm,
            @Nullable Tensor kNorm,
            Weight o,
            @Nullable Tensor oBias)
            implements Attention {}

    sealed interface FeedForward permits Mlp, Moe {}

    /// @param gateUp `[2 * inner, hidden]`: gate rows, then up rows
    /// @param down `[hidden, inner]`
    record Mlp(Weight gateUp, Weight down) implements FeedForward {}

    /// @param gate `[experts, hidden]`, exact
    /// @param bias `[experts]`, null where the choice has none
    /// @param gateUp `[this rank's slots, 2 * inner, hidden]`
    /// @param down `[this rank's slots, hidden, inner]`
    /// @param shared null where there are none
    record Moe(
            Weight gate,
            @Nullable Tensor bias,
            Weight gateUp,
            Weight down,
            @Nullable Mlp shared) implements FeedForward {}

    record Layer(Tensor inputNorm, Attention attention, Tensor postNorm, FeedForward feedForward) {}

    /// @param projection `[hidden, 2 * hidden]`: columns of the embedding, then of the hidden state
    record Mtp(Tensor embeddingNorm, Tensor hiddenNorm, Weight projection, Layer layer, Tensor norm) {}

    static final String EMBEDDING = "model.embed_tokens.weight";
    static final String HEAD = "lm_head.weight";

    private static final String CORRECTION = "gate.e_score_correction_bias";

    /// What the name of a packed weight's scales ends in.
    static final String SCALES = "_scales";

    /// Where weights get their memory.
    interface Supply {
        /// @param name of what one tensor of the checkpoint is, or several next to each other are together
        Tensor tensor(String name, DType dtype, long... shape);

        static Supply of(Memory memory) {
            return (_, dtype, shape) -> memory.tensor(dtype, shape);
        }
    }

    /// Without rows, as the head and the final norm, where these lie on another rank.
    final Tensor embedding;

    /// Those that are here.
    final List<Layer> layers = new ArrayList<>();

    final Tensor norm;
    final Weight head;
    final List<Mtp> mtp = new ArrayList<>();

    private final ModelConfig config;
    private final Ranks ranks;
    private final Supply supply;
    private final DType dtype;
    private final @Nullable Storage storage;
    private final List<Weight> matrices = new ArrayList<>();
    private final List<Parameter> parameters = new ArrayList<>();
    private final SequencedMap<String, Place> places = new LinkedHashMap<>();
    private final SequencedMap<String, Packed> packed = new LinkedHashMap<>();

    /// Zeros for all of them, to be trained.
    Weights(ModelConfig config, Memory memory, DType dtype) {
        this(config, Supply.of(memory), dtype, null);
    }

    /// @param supply gives each its memory: zeros, or what they are
    /// @param dtype of all but packed matrices
    /// @param storage of packed matrices, or null for such as can be trained
    Weights(ModelConfig config, Supply supply, DType dtype, @Nullable Storage storage) {
        this(config, supply, dtype, storage, Ranks.alone());
    }

    /// @param ranks say which layers and which routed experts are here
    Weights(ModelConfig config, Supply supply, DType dtype, @Nullable Storage storage, Ranks ranks) {
        this.config = config;
        this.ranks = ranks;
        this.supply = supply;
        this.dtype = dtype;
        this.storage = storage;
        boolean narrow = storage != null && storage.matrices() != Packed.Element.F32;
        DType table = narrow ? DType.BF16 : dtype;
        embedding = ranks.hasEnds()
                ? tensor(EMBEDDING, table, config.vocabSize(), config.hiddenSize())
                : none(table, 0, config.hiddenSize());
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            if (ranks.has(i)) {
                layers.add(layer(i));
            }
        }
        if (!ranks.hasEnds()) {
            norm = none(dtype, 0);
            head = Weight.of(none(dtype, 0, config.hiddenSize()));
            return;
        }
        norm = parameter("model.norm", config.hiddenSize());
        head = head();
        for (int k = 0; k < config.numNextnPredictLayers(); k++) {
            mtp.add(mtp(config.numHiddenLayers() + k));
        }
    }

    private static Tensor none(DType dtype, long... shape) {
        return Tensor.of(MemorySegment.NULL, dtype, shape);
    }

    private Weight head() {
        if (!config.tieWordEmbeddings()) {
            return matrix("lm_head", config.vocabSize(), config.hiddenSize());
        }
        if (storage == null) {
            return add(Weight.of(embedding));
        }
        Part all = new Part(EMBEDDING, 0, config.vocabSize());
        Weight tied = matrix(HEAD, config.vocabSize(), config.hiddenSize(), all);
        Place.Rows packed = (Place.Rows) Objects.requireNonNull(places.get(EMBEDDING));
        places.put(EMBEDDING, new Place.Both(new Place.Values(embedding), packed));
        return tied;
    }

    /// @return whether a checkpoint's tensor belongs to multi-token prediction
    static boolean isMtp(ModelConfig config, String name) {
        return layer(name) >= config.numHiddenLayers();
    }

    /// @return whether a tensor is a routed expert's, or holds some of them
    static boolean isRouted(String name) {
        return name.contains(".experts.");
    }

    /// @return whether a tensor is a router's correction bias, which no optimizer moves
    static boolean isCorrection(String name) {
        return name.endsWith(CORRECTION);
    }

    /// @return the layer that a checkpoint's tensor belongs to, or -1
    static int layer(String name) {
        String prefix = "model.layers.";
        int end = name.indexOf('.', prefix.length());
        if (!name.startsWith(prefix) || end < 0) {
            return -1;
        }
        String index = name.substring(prefix.length(), end);
        return index.matches("\\d{1,6}") ? Integer.parseInt(index) : -1;
    }

    List<Parameter> parameters() {
        return parameters;
    }

    /// @return where each tensor of a checkpoint goes
    SequencedMap<String, Place> places() {
        return places;
    }

    /// @return the tensors of a checkpoint by name, but for packed ones
    SequencedMap<String, Tensor> named() {
        SequencedMap<String, Tensor> named = new LinkedHashMap<>();
        places.forEach((name, place) -> {
            if (place instanceof Place.Values(Tensor tensor)) {
                named.put(name, tensor);
            }
        });
        return named;
    }

    /// @return packed ones by the names of what they fuse
    SequencedMap<String, Packed> packed() {
        return packed;
    }

    /// @return those that enter products; a tied head beside the embedding that it is
    List<Weight> matrices() {
        return matrices;
    }

    /// Says that values were written.
    void changed() {
        matrices.forEach(weight -> dense(weight).changed());
    }

    /// @return the same weight, which training may change
    static Dense dense(Weight weight) {
        if (weight instanceof Dense dense) {
            return dense;
        }
        throw new IllegalStateException("packed weights are read only: " + weight);
    }

    private Layer layer(int index) {
        String prefix = "model.layers.%d.".formatted(index);
        Tensor inputNorm = parameter(prefix + "input_layernorm", config.hiddenSize());
        Attention attention = attention(prefix + "self_attn.");
        Tensor postNorm = parameter(prefix + "post_attention_layernorm", config.hiddenSize());
        MoeConfig moe = config.moe();
        FeedForward feedForward = moe != null && config.isMoe(index)
                ? moe(prefix + "mlp.", moe, config.moeNumber(index))
                : mlp(prefix + "mlp.", config.intermediateSize());
        return new Layer(inputNorm, attention, postNorm, feedForward);
    }

    private Attention attention(String prefix) {
        return switch (config.attention()) {
            case MlaConfig mla -> latent(prefix, mla);
            case GqaConfig gqa -> grouped(prefix, gqa);
        };
    }

    private Grouped grouped(String prefix, GqaConfig gqa) {
        int hidden = config.hiddenSize();
        int queries = config.numAttentionHeads() * gqa.headDim();
        int keys = gqa.numKeyValueHeads() * gqa.headDim();
        int all = gqa.inputDim(config.numAttentionHeads());
        return new Grouped(
                matrix(
                        prefix + "qkv_proj.weight",
                        all,
                        hidden,
                        new Part(prefix + "q_proj.weight", 0, queries),
                        new Part(prefix + "k_proj.weight", queries, keys),
                        new Part(prefix + "v_proj.weight", queries + keys, keys)),
                gqa.inputBias() ? inputBias(prefix, queries, keys) : null,
                gqa.qkNorm() ? parameter(prefix + "q_norm", gqa.headDim()) : null,
                gqa.qkNorm() ? parameter(prefix + "k_norm", gqa.headDim()) : null,
                matrix(prefix + "o_proj", hidden, queries),
                gqa.outputBias() ? tensor(prefix + "o_proj.bias", dtype, hidden) : null);
    }

    private Tensor inputBias(String prefix, int queries, int keys) {
        Tensor bias = fused(prefix + "qkv_proj.bias", dtype, queries + 2L * keys);
        places.put(prefix + "q_proj.bias", new Place.Values(bias.slice(0, 0, queries)));
        places.put(prefix + "k_proj.bias", new Place.Values(bias.slice(0, queries, queries + keys)));
        places.put(prefix + "v_proj.bias", new Place.Values(bias.slice(0, queries + keys, queries + 2L * keys)));
        return bias;
    }

    private Latent latent(String prefix, MlaConfig mla) {
        int hidden = config.hiddenSize();
        int heads = config.numAttentionHeads();
        int queries = heads * mla.qkHeadDim();
        boolean compressed = mla.qLoraRank() > 0;
        return new Latent(
                compressed ? matrix(prefix + "q_a_proj", mla.qLoraRank(), hidden) : null,
                compressed ? parameter(prefix + "q_a_layernorm", mla.qLoraRank()) : null,
                compressed
                        ? matrix(prefix + "q_b_proj", queries, mla.qLoraRank())
                        : matrix(prefix + "q_proj", queries, hidden),
                matrix(prefix + "kv_a_proj_with_mqa", mla.cacheDim(), hidden),
                parameter(prefix + "kv_a_layernorm", mla.kvLoraRank()),
                up(prefix + "kv_b_proj", mla),
                matrix(prefix + "o_proj", hidden, heads * mla.vHeadDim()));
    }

    private Up up(String name, MlaConfig mla) {
        int heads = config.numAttentionHeads();
        int rank = mla.kvLoraRank();
        if (storage == null) {
            return new Up.Whole(dense(matrix(name, heads * (mla.qkNopeHeadDim() + mla.vHeadDim()), rank)));
        }
        Packed keys = packed(name + ".keys", storage.latent(), heads, rank, mla.qkNopeHeadDim());
        Packed values = packed(name + ".values", storage.latent(), heads, mla.vHeadDim(), rank);
        places.put(name + ".weight", new Place.Up(keys, values));
        return new Up.Apart(keys, values);
    }

    private Mlp mlp(String prefix, int inner) {
        return new Mlp(
                matrix(
                        prefix + "gate_up_proj.weight",
                        2 * inner,
                        config.hiddenSize(),
                        new Part(prefix + "gate_proj.weight", 0, inner),
                        new Part(prefix + "up_proj.weight", inner, inner)),
                matrix(prefix + "down_proj", config.hiddenSize(), inner));
    }

    /// @param number of the layer, counted among those with experts
    private Moe moe(String prefix, MoeConfig moe, int number) {
        int experts = moe.nRoutedExperts();
        int inner = moe.moeIntermediateSize();
        int hidden = config.hiddenSize();
        Weight gate = gate(prefix + "gate.weight", experts);
        Tensor bias = moe.correctionBias() ? correction(prefix + CORRECTION, experts) : null;
        int here = ranks.slots(moe);
        int[] slots = ranks.first(moe, number).slots()[ranks.rank()];
        return new Moe(
                gate,
                bias,
                matrices(prefix + "experts.gate_up_proj.weight", here, 2 * inner, hidden, gateUp(prefix, inner, slots)),
                matrices(prefix + "experts.down_proj.weight", here, hidden, inner, down(prefix, hidden, slots)),
                moe.nSharedExperts() == 0 ? null : mlp(prefix + "shared_experts.", inner * moe.nSharedExperts()));
    }

    /// @param slots the expert in each
    private static List<Part> gateUp(String prefix, int inner, int... slots) {
        List<Part> parts = new ArrayList<>();
        for (int slot = 0; slot < slots.length; slot++) {
            String expert = "%sexperts.%d.".formatted(prefix, slots[slot]);
            long from = 2L * inner * slot;
            parts.add(new Part(expert + "gate_proj.weight", from, inner));
            parts.add(new Part(expert + "up_proj.weight", from + inner, inner));
        }
        return parts;
    }

    /// @param slots the expert in each
    private static List<Part> down(String prefix, int hidden, int... slots) {
        List<Part> parts = new ArrayList<>();
        for (int slot = 0; slot < slots.length; slot++) {
            String expert = "%sexperts.%d.".formatted(prefix, slots[slot]);
            parts.add(new Part(expert + "down_proj.weight", (long) hidden * slot, hidden));
        }
        return parts;
    }

    /// Calls the experts of a layer by other names: their values were moved.
    ///
    /// @param index the layer's
    /// @param slots the expert in each
    void rename(int index, int... slots) {
        String prefix = "model.layers.%d.mlp.".formatted(index);
        Layer layer = index < layers.size()
                ? layers.get(index)
                : mtp.get(index - layers.size()).layer();
        if (layer.feedForward() instanceof Moe moe) {
            places.keySet().removeIf(name -> name.startsWith(prefix + "experts."));
            Tensor gateUp = dense(moe.gateUp()).value();
            Tensor down = dense(moe.down()).value();
            putValues(gateUp, gateUp(prefix, gateUp.size(1) / 2, slots));
            putValues(down, down(prefix, down.size(1), slots));
        }
    }

    /// The balance of the experts moves it, no optimizer.
    private Tensor correction(String name, int experts) {
        Tensor bias = supply.tensor(name, dtype, experts);
        places.put(name, new Place.Values(bias));
        return bias;
    }

    private Weight gate(String name, int experts) {
        if (storage == null) {
            return add(Weight.exact(tensor(name, dtype, experts, config.hiddenSize())));
        }
        Packed gate = packed(name, Packed.Element.F32, 0, experts, config.hiddenSize());
        places.put(name, new Place.Rows(gate, 0, experts));
        return gate;
    }

    private Mtp mtp(int index) {
        String prefix = "model.layers.%d.".formatted(index);
        int hidden = config.hiddenSize();
        return new Mtp(
                parameter(prefix + "enorm", hidden),
                parameter(prefix + "hnorm", hidden),
                matrix(prefix + "eh_proj", hidden, 2 * hidden),
                layer(index),
                parameter(prefix + "shared_head.norm", hidden));
    }

    /// Rows of a matrix that are a tensor of the checkpoint.
    ///
    /// @param from the first row, counted over all experts
    private record Part(String name, long from, int count) {}

    private Weight matrix(String name, int n, int k) {
        return matrix(name + ".weight", n, k, new Part(name + ".weight", 0, n));
    }

    private Weight matrix(String name, int n, int k, Part... parts) {
        return matrices(name, 0, n, k, List.of(parts));
    }

    /// @param experts how many there are, or 0 for one that is no expert's
    private Weight matrices(String name, int experts, int n, int k, List<Part> parts) {
        if (storage != null) {
            Packed packed = packed(name, storage.matrices(), experts, n, k);
            for (Part part : parts) {
                places.put(part.name, new Place.Rows(packed, part.from, part.count));
            }
            return packed;
        }
        Tensor all = experts == 0 ? fused(name, dtype, n, k) : fused(name, dtype, experts, n, k);
        putValues(all, parts);
        return add(Weight.of(all));
    }

    /// @param all of which the parts are rows; of several with one name the first counts
    private void putValues(Tensor all, List<Part> parts) {
        long width = all.dim(all.rank() - 1);
        Tensor rows = all.reshape(all.elements() / width, width);
        for (Part part : parts) {
            places.putIfAbsent(part.name, new Place.Values(rows.slice(0, part.from, part.from + part.count)));
        }
    }

    private Packed packed(String name, Packed.Element element, int experts, int n, int k) {
        Storage how = Objects.requireNonNull(storage);
        Tensor values = supply.tensor(name, DType.U8, Packed.valuesShape(element, experts, n, k));
        Tensor scales = element.isScaled()
                ? supply.tensor(name + SCALES, DType.BF16, Packed.scalesShape(experts, n, k, how.group()))
                : null;
        Packed weight = Packed.of(element, values, scales, n, k, how.group(), how.activations());
        packed.put(name, weight);
        return weight;
    }

    private Weight add(Weight weight) {
        matrices.add(weight);
        return weight;
    }

    private Tensor parameter(String name, long... shape) {
        return tensor(name + ".weight", dtype, shape);
    }

    private Tensor tensor(String name, DType type, long... shape) {
        Tensor value = fused(name, type, shape);
        places.put(name, new Place.Values(value));
        return value;
    }

    private Tensor fused(String name, DType type, long... shape) {
        Tensor value = supply.tensor(name, type, shape);
        parameters.add(new Parameter(name, value, shape.length > 1));
        return value;
    }
}
