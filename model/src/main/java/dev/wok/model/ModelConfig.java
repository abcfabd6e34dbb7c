package dev.wok.model;

import dev.wok.notice.BadInput;
import java.nio.file.Path;
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
/// @param mla sizes of the attention
/// @param intermediateSize inner width of the dense layers' feed-forward part
/// @param firstKDenseReplace how many of the first layers are dense
/// @param moeLayerFreq of the others, those whose index it divides have experts
/// @param moe the experts, or null where all layers are dense
/// @param rope rotary embedding
/// @param maxPositionEmbeddings longest text
/// @param rmsNormEps added to the mean square in each normalisation but those of the latents, which have 1e-6
/// @param initializerRange standard deviation of fresh weights
/// @param tieWordEmbeddings whether the head is the embedding
/// @param numNextnPredictLayers depth of multi-token prediction, 0 for none
/// @param bosTokenId begins a text, or -1 where there is none
/// @param eosTokenId ends a text, or -1 where there is none
public record ModelConfig(
        Family family,
        int vocabSize,
        int hiddenSize,
        int numHiddenLayers,
        int numAttentionHeads,
        MlaConfig mla,
        int intermediateSize,
        int firstKDenseReplace,
        int moeLayerFreq,
        @Nullable MoeConfig moe,
        RopeConfig rope,
        int maxPositionEmbeddings,
        double rmsNormEps,
        double initializerRange,
        boolean tieWordEmbeddings,
        int numNextnPredictLayers,
        int bosTokenId,
        int eosTokenId) {

    private static final int MAX_LAYERS = 1 << 12;

    /// So many bits count the weights of a kind in a layer; the sums over all layers then fit into a long.
    private static final int LAYER_BITS = 45;

    /// The architectures that this room builds.
    public enum Family {
        /// V3, R1: sigmoid router with a correction bias.
        DEEPSEEK_V3("deepseek_v3", "DeepseekV3ForCausalLM"),
        /// V2, V2-Lite: softmax router.
        DEEPSEEK_V2("deepseek_v2", "DeepseekV2ForCausalLM");

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
    }

    public ModelConfig {
        require("vocab_size", vocabSize, vocabSize >= 1, "1 or more");
        require("hidden_size", hiddenSize, hiddenSize >= 1, "1 or more");
        require(
                "num_hidden_layers",
                numHiddenLayers,
                numHiddenLayers >= 1 && numHiddenLayers <= MAX_LAYERS,
                "1 to %d".formatted(MAX_LAYERS));
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
        require("bos_token_id", bosTokenId, bosTokenId < vocabSize, "an id below vocab_size (%d)".formatted(vocabSize));
        require("eos_token_id", eosTokenId, eosTokenId < vocabSize, "an id below vocab_size (%d)".formatted(vocabSize));
        if (family == Family.DEEPSEEK_V2) {
            requireV2(hiddenSize, numAttentionHeads, moe);
        }
        require("rms_norm_eps", rmsNormEps, rmsNormEps > 0, "a positive number");
        require("initializer_range", initializerRange, initializerRange > 0, "a positive number");
        String perHead = "num_attention_heads * (qk_nope_head_dim + ";
        requireBelow(31, perHead + "v_head_dim)", numAttentionHeads, mla.qkNopeHeadDim() + (double) mla.vHeadDim());
        requireBelow(31, perHead + "qk_rope_head_dim)", numAttentionHeads, mla.qkHeadDim());
        requireBelow(31, "2 * intermediate_size", 2, intermediateSize);
        requireBelow(LAYER_BITS, "hidden_size * vocab_size", hiddenSize, vocabSize);
        requireBelow(LAYER_BITS, "hidden_size * intermediate_size", hiddenSize, intermediateSize);
        requireBelow(LAYER_BITS, "hidden_size * q_lora_rank", hiddenSize, mla.qLoraRank());
        requireBelow(LAYER_BITS, "hidden_size * (kv_lora_rank + qk_rope_head_dim)", hiddenSize, mla.cacheDim());
        String widest = "num_attention_heads * (qk_nope_head_dim + qk_rope_head_dim + v_head_dim)";
        double perToken = numAttentionHeads * (mla.qkHeadDim() + (double) mla.vHeadDim());
        requireBelow(LAYER_BITS, "hidden_size * " + widest, hiddenSize, perToken);
        requireBelow(
                LAYER_BITS, "(q_lora_rank + kv_lora_rank) * " + widest, mla.qLoraRank() + mla.kvLoraRank(), perToken);
        if (moe != null) {
            String width = "hidden_size * moe_intermediate_size";
            double expert = (double) hiddenSize * moe.moeIntermediateSize();
            requireBelow(LAYER_BITS, width + " * n_routed_experts", expert, moe.nRoutedExperts());
            requireBelow(LAYER_BITS, width + " * n_shared_experts", expert, moe.nSharedExperts());
        }
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
        return ConfigJson.read(folder.resolve("config.json"));
    }

    /// @param layer index from 0; the layers of multi-token prediction follow the main model's
    /// @return whether the layer has experts
    public boolean isMoe(int layer) {
        return moe != null && layer >= firstKDenseReplace && layer % moeLayerFreq == 0;
    }

    /// @return the main model's layers that have experts, in order
    public int[] moeLayers() {
        return IntStream.range(0, numHiddenLayers).filter(this::isMoe).toArray();
    }

    /// @return this configuration without multi-token prediction
    ModelConfig withoutMtp() {
        return new ModelConfig(
                family,
                vocabSize,
                hiddenSize,
                numHiddenLayers,
                numAttentionHeads,
                mla,
                intermediateSize,
                firstKDenseReplace,
                moeLayerFreq,
                moe,
                rope,
                maxPositionEmbeddings,
                rmsNormEps,
                initializerRange,
                tieWordEmbeddings,
                0,
                bosTokenId,
                eosTokenId);
    }

    /// @return the weights of matrices that a token is multiplied with in the main model: without the embedding
    ///     table, norms and the experts it does not choose, with the head
    public long activeMatmulParameters() {
        long sum = (long) vocabSize * hiddenSize;
        for (int layer = 0; layer < numHiddenLayers; layer++) {
            sum += attentionParameters() + feedForwardParameters(layer, true);
        }
        return sum;
    }

    /// @return all weights of the main model, the embedding counted once where it is also the head, without
    ///     multi-token prediction
    public long parameters() {
        long sum = (tieWordEmbeddings ? 1L : 2L) * vocabSize * hiddenSize + hiddenSize;
        for (int layer = 0; layer < numHiddenLayers; layer++) {
            sum += attentionParameters() + feedForwardParameters(layer, false);
            sum += 2L * hiddenSize + mla.qLoraRank() + mla.kvLoraRank();
        }
        return sum;
    }

    private long attentionParameters() {
        long q = (long) numAttentionHeads * mla.qkHeadDim();
        long queries = mla.qLoraRank() == 0 ? hiddenSize * q : (hiddenSize + q) * mla.qLoraRank();
        long keys = (long) hiddenSize * mla.cacheDim()
                + (long) mla.kvLoraRank() * numAttentionHeads * (mla.qkNopeHeadDim() + mla.vHeadDim());
        return queries + keys + (long) numAttentionHeads * mla.vHeadDim() * hiddenSize;
    }

    private long feedForwardParameters(int layer, boolean active) {
        if (moe == null || !isMoe(layer)) {
            return 3L * hiddenSize * intermediateSize;
        }
        long experts = moe.nSharedExperts() + (active ? moe.numExpertsPerTok() : moe.nRoutedExperts());
        return 3L * hiddenSize * moe.moeIntermediateSize() * experts + (long) hiddenSize * moe.nRoutedExperts();
    }
}
