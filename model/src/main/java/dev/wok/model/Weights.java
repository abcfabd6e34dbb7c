package dev.wok.model;

import dev.wok.device.Memory;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// All weights of a model where the layers find them, and the same by their names in a checkpoint. Their gradients are
/// another instance.
final class Weights {
    /// @param qA `[q_lora_rank, hidden]`, null where queries are not compressed
    /// @param qANorm `[q_lora_rank]`, null likewise
    /// @param q `[heads * qkHeadDim, q_lora_rank or hidden]`
    /// @param kvA `[kv_lora_rank + qk_rope_head_dim, hidden]`
    /// @param kvANorm `[kv_lora_rank]`
    /// @param kvB `[heads * (qk_nope_head_dim + v_head_dim), kv_lora_rank]`
    /// @param o `[hidden, heads * v_head_dim]`
    record Attention(
            @Nullable Weight qA, @Nullable Tensor qANorm, Weight q, Weight kvA, Tensor kvANorm, Weight kvB, Weight o) {}

    sealed interface FeedForward permits Mlp, Moe {}

    /// @param gateUp `[2 * inner, hidden]`: gate rows, then up rows
    /// @param down `[hidden, inner]`
    record Mlp(Weight gateUp, Weight down) implements FeedForward {}

    /// @param gate `[experts, hidden]`, exact
    /// @param bias `[experts]`, null where the choice has none
    /// @param gateUp `[experts, 2 * inner, hidden]`
    /// @param down `[experts, hidden, inner]`
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

    final Tensor embedding;
    final List<Layer> layers = new ArrayList<>();
    final Tensor norm;
    final Weight head;
    final List<Mtp> mtp = new ArrayList<>();

    private final ModelConfig config;
    private final Memory memory;
    private final DType dtype;
    private final List<Weight> matrices = new ArrayList<>();
    private final List<Parameter> parameters = new ArrayList<>();
    private final SequencedMap<String, Tensor> named = new LinkedHashMap<>();

    /// Zeros for all of them.
    Weights(ModelConfig config, Memory memory, DType dtype) {
        this.config = config;
        this.memory = memory;
        this.dtype = dtype;
        embedding = parameter("model.embed_tokens", config.vocabSize(), config.hiddenSize());
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            layers.add(layer(i));
        }
        norm = parameter("model.norm", config.hiddenSize());
        head = config.tieWordEmbeddings()
                ? matrix(Weight.of(embedding))
                : matrix("lm_head", config.vocabSize(), config.hiddenSize());
        for (int k = 0; k < config.numNextnPredictLayers(); k++) {
            mtp.add(mtp(config.numHiddenLayers() + k));
        }
    }

    /// @return whether a checkpoint's tensor belongs to multi-token prediction
    static boolean isMtp(ModelConfig config, String name) {
        return layer(name) >= config.numHiddenLayers();
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

    SequencedMap<String, Tensor> named() {
        return named;
    }

    /// @return those that enter products; a tied head beside the embedding that it is
    List<Weight> matrices() {
        return matrices;
    }

    /// Says that values were written.
    void changed() {
        matrices.forEach(Weight::changed);
    }

    private Layer layer(int index) {
        String prefix = "model.layers.%d.".formatted(index);
        Tensor inputNorm = parameter(prefix + "input_layernorm", config.hiddenSize());
        Attention attention = attention(prefix + "self_attn.");
        Tensor postNorm = parameter(prefix + "post_attention_layernorm", config.hiddenSize());
        MoeConfig moe = config.moe();
        FeedForward feedForward = moe != null && config.isMoe(index)
                ? moe(prefix + "mlp.", moe)
                : mlp(prefix + "mlp.", config.intermediateSize());
        return new Layer(inputNorm, attention, postNorm, feedForward);
    }

    private Attention attention(String prefix) {
        MlaConfig mla = config.mla();
        int hidden = config.hiddenSize();
        int heads = config.numAttentionHeads();
        int queries = heads * mla.qkHeadDim();
        boolean compressed = mla.qLoraRank() > 0;
        return new Attention(
                compressed ? matrix(prefix + "q_a_proj", mla.qLoraRank(), hidden) : null,
                compressed ? parameter(prefix + "q_a_layernorm", mla.qLoraRank()) : null,
                compressed
                        ? matrix(prefix + "q_b_proj", queries, mla.qLoraRank())
                        : matrix(prefix + "q_proj", queries, hidden),
                matrix(prefix + "kv_a_proj_with_mqa", mla.cacheDim(), hidden),
                parameter(prefix + "kv_a_layernorm", mla.kvLoraRank()),
                matrix(prefix + "kv_b_proj", heads * (mla.qkNopeHeadDim() + mla.vHeadDim()), mla.kvLoraRank()),
                matrix(prefix + "o_proj", hidden, heads * mla.vHeadDim()));
    }

    private Mlp mlp(String prefix, int inner) {
        Tensor gateUp = fused(prefix + "gate_up_proj", 2L * inner, config.hiddenSize());
        nameGateAndUp(prefix, gateUp);
        return new Mlp(matrix(Weight.of(gateUp)), matrix(prefix + "down_proj", config.hiddenSize(), inner));
    }

    private void nameGateAndUp(String prefix, Tensor gateUp) {
        long inner = gateUp.dim(0) / 2;
        named.put(prefix + "gate_proj.weight", gateUp.slice(0, 0, inner));
        named.put(prefix + "up_proj.weight", gateUp.slice(0, inner, 2 * inner));
    }

    private Moe moe(String prefix, MoeConfig moe) {
        int experts = moe.nRoutedExperts();
        int inner = moe.moeIntermediateSize();
        Weight gate = matrix(Weight.exact(parameter(prefix + "gate", experts, config.hiddenSize())));
        Tensor bias = moe.correctionBias() ? memory.tensor(dtype, experts) : null;
        if (bias != null) {
            named.put(prefix + "gate.e_score_correction_bias", bias);
        }
        Tensor gateUp = fused(prefix + "experts.gate_up_proj", experts, 2L * inner, config.hiddenSize());
        Tensor down = fused(prefix + "experts.down_proj", experts, config.hiddenSize(), inner);
        for (int e = 0; e < experts; e++) {
            String expert = "%sexperts.%d.".formatted(prefix, e);
            nameGateAndUp(expert, gateUp.select(0, e));
            named.put(expert + "down_proj.weight", down.select(0, e));
        }
        Mlp shared = moe.nSharedExperts() == 0 ? null : mlp(prefix + "shared_experts.", inner * moe.nSharedExperts());
        return new Moe(gate, bias, matrix(Weight.of(gateUp)), matrix(Weight.of(down)), shared);
    }

    private Mtp mtp(int index) {
        String prefix = "model.layers.%d.".formatted(index);
        int hidden = config.hiddenSize();
        return new Mtp(
                parameter(prefix + "enorm", hidden),
                parameter(prefix + "hnorm", hidden),
                matrix(prefix + "eh_proj", hidden, 2L * hidden),
                layer(index),
                parameter(prefix + "shared_head.norm", hidden));
    }

    private Weight matrix(String name, long... shape) {
        return matrix(Weight.of(parameter(name, shape)));
    }

    private Weight matrix(Weight weight) {
        matrices.add(weight);
        return weight;
    }

    private Tensor parameter(String name, long... shape) {
        Tensor value = fused(name, shape);
        named.put(name + ".weight", value);
        return value;
    }

    private Tensor fused(String name, long... shape) {
        Tensor value = memory.tensor(dtype, shape);
        parameters.add(new Parameter(name + ".weight", value, shape.length > 1));
        return value;
    }
}
