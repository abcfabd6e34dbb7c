package dev.wok.model;

import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What a model is made of, in the words of its config.json. It checks itself: a configuration that
/// exists can be built.
///
/// @param family which published architecture this is
/// @param vocabSize rows of the embedding
/// @param hiddenSize elements of a token's row between layers
/// @param numHiddenLayers layers of the main model
/// @param numAttentionHeads heads of each layer
/// @param attention its sizes
/// @param intermediateSize inner width of the dense layers' feed-forward part
/// @param firstKDenseReplace how many of the first layers are dense
/// @param moeLayerFreq of the others, those whose index it divides have experts
/// @param mlpOnlyLayers layers that are dense all the same, in ascending order
/// @param moe the experts, or null where all layers are dense
/// @param rope rotary embedding
/// @param maxPositionEmbeddings longest text
/// @param rmsNormEps added to the mean square in each normalisation but those of the latents, which have 1e-6
/// @param initializerRange standard deviation of fresh weights
/// @param tieWordEmbeddings whether the head is the embedding
/// @param numNextnPredictLayers depth of multi-token prediction, 0 for none
/// @param bosTokenId begins a text, or -1 where there is none
/// @param eosTokenIds each of them ends a text; the first one is what training puts there
public record ModelConfig(
        Family family,
        int vocabSize,
        int hiddenSize,
        int numHiddenLayers,
        int numAttentionHeads,
        AttentionConfig attention,
        int intermediateSize,
        int firstKDenseReplace,
        int moeLayerFreq,
        List<Integer> mlpOnlyLayers,
        @Nullable MoeConfig moe,
        RopeConfig rope,
        int maxPositionEmbeddings,
        double rmsNormEps,
        double initializerRange,
        boolean tieWordEmbeddings,
        int numNextnPredictLayers,
        int bosTokenId,
        List<Integer> eosTokenIds) {

    private static final int MAX_LAYERS = 1 << 12;

    /// So many bits count the weights of a kind in a layer; the sums over all layers then fit into a long.
    static final int LAYER_BITS = 45;

    /// The architectures that this room builds.
    public enum Family {
        /// V3, R1: sigmoid router with a correction bias.
        DEEPSEEK_V3("deepseek_v3", "DeepseekV3ForCausalLM"),
        /// V2, V2-Lite: softmax router.
        DEEPSEEK_V2("deepseek_v2", "DeepseekV2ForCausalLM"),
        /// Qwen2 and 2.5, and what R1 was distilled into: grouped-query attention with biases, dense.
        QWEN2("qwen2", "Qwen2ForCausalLM"),
        /// Llama 2 and 3, and what R1 was distilled into: grouped-query attention, dense.
        LLAMA("llama", "LlamaForCausalLM"),
        /// Grouped-query attention on normalised queries and keys, softmax router without shared experts.
        QWEN3_MOE("qwen3_moe", "Qwen3MoeForCausalLM");

        private final String modelType;
        private final String architecture;

        Family(String modelType, String architecture) {
            this.modelType = modelType;
            this.architecture = architecture;
        }

        /// @return the `model_type` of config.json
        public String modelType() {
            return modelType;
        }

        /// @return the entry of `architectures` in config.json
        public String architecture() {
            return architecture;
        }

        /// @return whether its attention is latent
        public boolean isDeepseek() {
            return this == DEEPSEEK_V3 || this == DEEPSEEK_V2;
        }
    }

    public ModelConfig {
        require("vocab_size", vocabSize, vocabSize >= 1, "1 or more");
        require("hidden_size", hiddenSize, hiddenSize >= 1, "1 or more");
        requireLayers(numHiddenLayers);
        require("num_attention_heads", numAttentionHeads, numAttentionHeads >= 1, "1 or more");
        require("intermediate_size", intermediateSize, intermediateSize >= 1, "1 or more");
        require("first_k_dense_replace", firstKDenseReplace, firstKDenseReplace >= 0, "0 or more");
        require("moe_layer_freq", moeLayerFreq, moeLayerFreq >= 1, "1 or more");
        require("max_position_embeddings", maxPositionEmbeddings, maxPositionEmbeddings >= 1, "1 or more");
        require(
                "num_nextn_predict_layers",
                numNextnPredictLayers,
                numNextnPredictLayers >= 0 && numNextnPredictLayers <= MAX_LAYERS,
                "0 to %d".formatted(MAX_LAYERS));
        String id = "an id below vocab_size (%d)".formatted(vocabSize);
        require("bos_token_id", bosTokenId, bosTokenId < vocabSize, id);
        eosTokenIds = List.copyOf(eosTokenIds);
        for (int eos : eosTokenIds) {
            require("eos_token_id", eos, eos >= 0 && eos < vocabSize, id);
        }
        mlpOnlyLayers = mlpOnlyLayers.stream().sorted().distinct().toList();
        for (int layer : mlpOnlyLayers) {
            require(
                    "mlp_only_layers",
                    layer,
                    layer >= 0 && layer < numHiddenLayers,
                    "indices below num_hidden_layers (%d)".formatted(numHiddenLayers));
        }
        if (family == Family.DEEPSEEK_V2) {
            requireV2(hiddenSize, numAttentionHeads, moe);
        }
        require("rms_norm_eps", rmsNormEps, rmsNormEps > 0, "a positive number");
        require("initializer_range", initializerRange, initializerRange > 0, "a positive number");
        if (family.isDeepseek() != attention instanceof MlaConfig) {
            throw new IllegalArgumentException("%s with %s".formatted(family, attention));
        }
        attention.requireFit(hiddenSize, numAttentionHeads);
        requireBelow(31, "2 * intermediate_size", 2, intermediateSize);
        requireBelow(LAYER_BITS, "hidden_size * vocab_size", hiddenSize, vocabSize);
        requireBelow(LAYER_BITS, "hidden_size * intermediate_size", hiddenSize, intermediateSize);
        if (moe != null) {
            String width = "hidden_size * moe_intermediate_size";
            double expert = (double) hiddenSize * moe.moeIntermediateSize();
            requireBelow(LAYER_BITS, width + " * n_routed_experts", expert, moe.nRoutedExperts());
            requireBelow(LAYER_BITS, width + " * n_shared_experts", expert, moe.nSharedExperts());
        }
    }

    static void requireLayers(int numHiddenLayers) {
        require(
                "num_hidden_layers",
                numHiddenLayers,
                numHiddenLayers >= 1 && numHiddenLayers <= MAX_LAYERS,
                "1 to %d".formatted(MAX_LAYERS));
    }

    /// What transformers demands of this family, and what it would compute otherwise than asked.
    private static void requireV2(int hiddenSize, int numAttentionHeads, @Nullable MoeConfig moe) {
        if (hiddenSize % numAttentionHeads != 0) {
            throw new BadInput("hidden_size %d is no multiple of num_attention_heads %d, as transformers demands it."
                    .formatted(hiddenSize, numAttentionHeads));
        }
        if (moe != null && moe.normTopkProb()) {
            throw new BadInput("norm_topk_prob is true, expected false with a softmax router (model_type %s)."
                    .formatted(Family.DEEPSEEK_V2.modelType()));
        }
    }

    static void requireBelow(int bits, String what, double a, double b) {
        if (a * b >= Math.scalb(1.0, bits)) {
            throw new BadInput("%s is %d, expected a number below 2^%d.".formatted(what, (long) (a * b), bits));
        }
    }

    static void require(String key, double given, boolean holds, String expected) {
        if (!holds || !Double.isFinite(given)) {
            throw new BadInput("%s is %s, expected %s.".formatted(key, given, expected));
        }
    }

    static void require(String key, int given, boolean holds, String expected) {
        if (!holds) {
            throw new BadInput("%s is %d, expected %s.".formatted(key, given, expected));
        }
    }

    /// Reads the config.json of a checkpoint folder, as released or as transformers 5 writes it.
    ///
    /// @throws BadInput where there is none, it is malformed, contradicts itself, or asks for what is not supported
    public static ModelConfig load(Path folder) {
        return ConfigJson.open(folder).model();
    }

    /// @return the first of the ids that end a text, or -1 where there is none
    public int eosTokenId() {
        return eosTokenIds.isEmpty() ? -1 : eosTokenIds.getFirst();
    }

    /// @param layer index from 0; the layers of multi-token prediction follow the main model's
    /// @return whether the layer has experts
    public boolean isMoe(int layer) {
        return moe != null
                && layer >= firstKDenseReplace
                && layer % moeLayerFreq == 0
                && !mlpOnlyLayers.contains(layer);
    }

    /// @return the main model's layers that have experts, in order
    public int[] moeLayers() {
        return IntStream.range(0, numHiddenLayers).filter(this::isMoe).toArray();
    }

    /// @param layer whose experts are meant, the main model's or multi-token prediction's
    /// @return how many layers before it have experts
    int moeNumber(int layer) {
        return (int) IntStream.range(0, layer).filter(this::isMoe).count();
    }

    /// @return this configuration without multi-token prediction
    ModelConfig withoutMtp() {
        return new ModelConfig(
                family,
                vocabSize,
                hiddenSize,
                numHiddenLayers,
                numAttentionHeads,
                attention,
                intermediateSize,
                firstKDenseReplace,
                moeLayerFreq,
                mlpOnlyLayers,
                moe,
                rope,
                maxPositionEmbeddings,
                rmsNormEps,
                initializerRange,
                tieWordEmbeddings,
                0,
                bosTokenId,
                eosTokenIds);
    }

    /// @return the weights of matrices that a token is multiplied with in the main model: without the embedding
    ///     table, norms and the experts it does not choose, with the head
    public long activeMatmulParameters() {
        long sum = (long) vocabSize * hiddenSize;
        for (int layer = 0; layer < numHiddenLayers; layer++) {
            sum += activeLayerParameters(layer);
        }
        return sum;
    }

    /// @return the weights of a layer's matrices that a token is multiplied with
    long activeLayerParameters(int layer) {
        return attention.matrixParameters(hiddenSize, numAttentionHeads) + feedForwardParameters(layer, true);
    }

    /// @return all weights of the main model, the embedding counted once where it is also the head, without
    ///     multi-token prediction
    public long parameters() {
        long sum = (tieWordEmbeddings ? 1L : 2L) * vocabSize * hiddenSize + hiddenSize;
        for (int layer = 0; layer < numHiddenLayers; layer++) {
            sum += attention.matrixParameters(hiddenSize, numAttentionHeads)
                    + attention.vectorParameters(hiddenSize, numAttentionHeads);
            sum += feedForwardParameters(layer, false) + 2L * hiddenSize;
        }
        return sum;
    }

    private long feedForwardParameters(int layer, boolean active) {
        if (moe == null || !isMoe(layer)) {
            return 3L * hiddenSize * intermediateSize;
        }
        long experts = moe.nSharedExperts() + (active ? moe.numExpertsPerTok() : moe.nRoutedExperts());
        return 3L * hiddenSize * moe.moeIntermediateSize() * experts + (long) hiddenSize * moe.nRoutedExperts();
    }
}
