package dev.wok.model;

/// Sizes of a layer's attention.
public sealed interface AttentionConfig permits MlaConfig, GqaConfig {
    /// @return the elements of a head's query and key
    int qkHeadDim();

    /// @return the elements of a head's value
    int vHeadDim();

    /// @return how many of a query's elements are rotated
    int rotaryDim();

    /// @return the elements that the cache holds per token and layer
    int cacheDim();

    /// @param heads of the layer
    /// @return the weights of a layer's matrices
    long matrixParameters(int hiddenSize, int heads);

    /// @param heads of the layer
    /// @return the weights of a layer's norms and biases
    long vectorParameters(int hiddenSize, int heads);

    /// Checks what depends on the rest of the model.
    ///
    /// @throws dev.wok.notice.BadInput where this does not fit
    void requireFit(int hiddenSize, int heads);
}
