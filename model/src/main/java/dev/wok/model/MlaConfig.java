package dev.wok.model;

/// Sizes of multi-head latent attention (DeepSeek-V2 §2.1).
///
/// @param qLoraRank width of the compressed queries, 0 where queries are not compressed
/// @param kvLoraRank width of the compressed keys and values
/// @param qkNopeHeadDim a head's key elements without position
/// @param qkRopeHeadDim a head's key elements that are rotated; the key's are shared by all heads
/// @param vHeadDim a head's value elements
public record MlaConfig(int qLoraRank, int kvLoraRank, int qkNopeHeadDim, int qkRopeHeadDim, int vHeadDim) {
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

    /// @return the elements of a head's query and key
    public int qkHeadDim() {
        return qkNopeHeadDim + qkRopeHeadDim;
    }

    /// @return the elements that the cache holds per token and layer
    public int cacheDim() {
        return kvLoraRank + qkRopeHeadDim;
    }
}
