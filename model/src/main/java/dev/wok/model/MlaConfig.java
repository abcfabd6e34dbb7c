package dev.wok.model;

/// Sizes of multi-head latent attention (DeepSeek-V2 §2.1).
///
/// @param qLoraRank width of the compressed queries, 0 where queries are not compressed
/// @param kvLoraRank width of the compressed keys and values
/// @param qkNopeHeadDim a head's key elements without position
/// @param qkRopeHeadDim a head's key elements that are rotated; the key's are shared by all heads
/// @param vHeadDim a head's value elements
public record MlaConfig(int qLoraRank, int kvLoraRank, int qkNopeHeadDim, int qkRopeHeadDim, int vHeadDim)
        implements AttentionConfig {
    public MlaConfig {
        ModelConfig.require("q_lora_rank", qLoraRank, qLoraRank >= 0, "0 (or null) or more");
        ModelConfig.require("kv_lora_rank", kvLoraRank, kvLoraRank >= 1, "1 or more");
        ModelConfig.require("qk_nope_head_dim", qkNopeHeadDim, qkNopeHeadDim >= 1, "1 or more");
        ModelConfig.require(
                "qk_rope_head_dim",
                qkRopeHeadDim,
                qkRopeHeadDim >= 2 && qkRopeHeadDim % 2 == 0,
                "an even number, 2 or more: rotary embedding turns pairs");
        ModelConfig.require("v_head_dim", vHeadDim, vHeadDim >= 1, "1 or more");
        ModelConfig.requireBelow(31, "qk_nope_head_dim + qk_rope_head_dim", 1, qkNopeHeadDim + (double) qkRopeHeadDim);
        ModelConfig.requireBelow(31, "kv_lora_rank + qk_rope_head_dim", 1, kvLoraRank + (double) qkRopeHeadDim);
    }

    @Override
    public int qkHeadDim() {
        return qkNopeHeadDim + qkRopeHeadDim;
    }

    @Override
    public int rotaryDim() {
        return qkRopeHeadDim;
    }

    @Override
    public int cacheDim() {
        return kvLoraRank + qkRopeHeadDim;
    }

    @Override
    public long matrixParameters(int hiddenSize, int heads) {
        long q = (long) heads * qkHeadDim();
        long queries = qLoraRank == 0 ? hiddenSize * q : (hiddenSize + q) * qLoraRank;
        long keys = (long) hiddenSize * cacheDim() + (long) kvLoraRank * heads * (qkNopeHeadDim + vHeadDim);
        return queries + keys + (long) heads * vHeadDim * hiddenSize;
    }

    @Override
    public long vectorParameters(int hiddenSize, int heads) {
        return (long) qLoraRank + kvLoraRank;
    }

    @Override
    public void requireFit(int hiddenSize, int heads) {
        String perHead = "num_attention_heads * (qk_nope_head_dim + ";
        ModelConfig.requireBelow(31, perHead + "v_head_dim)", heads, qkNopeHeadDim + (double) vHeadDim);
        ModelConfig.requireBelow(31, perHead + "qk_rope_head_dim)", heads, qkHeadDim());
        ModelConfig.requireBelow(ModelConfig.LAYER_BITS, "hidden_size * q_lora_rank", hiddenSize, qLoraRank);
        ModelConfig.requireBelow(
                ModelConfig.LAYER_BITS, "hidden_size * (kv_lora_rank + qk_rope_head_dim)", hiddenSize, cacheDim());
        String widest = "num_attention_heads * (qk_nope_head_dim + qk_rope_head_dim + v_head_dim)";
        double perToken = heads * (qkHeadDim() + (double) vHeadDim);
        ModelConfig.requireBelow(ModelConfig.LAYER_BITS, "hidden_size * " + widest, hiddenSize, perToken);
        ModelConfig.requireBelow(
                ModelConfig.LAYER_BITS,
                "(q_lora_rank + kv_lora_rank) * " + widest,
                qLoraRank + (double) kvLoraRank,
                perToken);
    }
}
