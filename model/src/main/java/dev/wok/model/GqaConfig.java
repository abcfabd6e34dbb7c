package dev.wok.model;

import dev.wok.notice.BadInput;

/// Sizes of grouped-query attention (J. Ainslie et al., 2023): query heads in groups that share a key
/// and a value.
///
/// @param numKeyValueHeads heads of keys and values
/// @param headDim elements of a head's query, key and value
/// @param inputBias whether queries, keys and values have a bias (Qwen2)
/// @param outputBias whether the output has one
/// @param qkNorm whether queries and keys are normalised, head by head (Qwen3)
public record GqaConfig(int numKeyValueHeads, int headDim, boolean inputBias, boolean outputBias, boolean qkNorm)
        implements AttentionConfig {
    public GqaConfig {
        ModelConfig.require("num_key_value_heads", numKeyValueHeads, numKeyValueHeads >= 1, "1 or more");
        ModelConfig.require(
                "head_dim",
                headDim,
                headDim >= 2 && headDim % 2 == 0,
                "an even number, 2 or more: rotary embedding turns pairs");
        ModelConfig.requireBelow(31, "2 * num_key_value_heads * head_dim", 2.0 * numKeyValueHeads, headDim);
    }

    @Override
    public int qkHeadDim() {
        return headDim;
    }

    @Override
    public int vHeadDim() {
        return headDim;
    }

    @Override
    public int rotaryDim() {
        return headDim;
    }

    @Override
    public int cacheDim() {
        return 2 * numKeyValueHeads * headDim;
    }

    /// @return the elements of a token's queries, keys and values
    int inputDim(int heads) {
        return (heads + 2 * numKeyValueHeads) * headDim;
    }

    @Override
    public long matrixParameters(int hiddenSize, int heads) {
        return (long) hiddenSize * inputDim(heads) + (long) hiddenSize * heads * headDim;
    }

    @Override
    public long vectorParameters(int hiddenSize, int heads) {
        return (inputBias ? inputDim(heads) : 0) + (outputBias ? hiddenSize : 0) + (qkNorm ? 2L * headDim : 0);
    }

    @Override
    public void requireFit(int hiddenSize, int heads) {
        if (heads % numKeyValueHeads != 0) {
            throw new BadInput("num_attention_heads %d is no multiple of num_key_value_heads %d."
                    .formatted(heads, numKeyValueHeads));
        }
        String width = "(num_attention_heads + 2 * num_key_value_heads) * head_dim";
        ModelConfig.requireBelow(31, width, heads + 2.0 * numKeyValueHeads, headDim);
        ModelConfig.requireBelow(
                ModelConfig.LAYER_BITS,
                "hidden_size * " + width,
                hiddenSize,
                (heads + 2.0 * numKeyValueHeads) * headDim);
    }
}
