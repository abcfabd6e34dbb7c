package dev.wok.bench;

/// How large the measured work is; tests take little of it.
///
/// @param small of the smaller matrix product
/// @param large of the larger ones
/// @param experts of the mixture
/// @param attention of the prompt
/// @param decode of the generated token
/// @param cached of the generated token that attends over keys and values
/// @param matvec rows and columns of a weight that meets one token
/// @param elements that the optimizer updates, and that are converted
/// @param norm rows and columns that are normalised
/// @param loss rows and columns of logits
/// @param memoryBytes that bandwidth is measured over
/// @param seconds that a row is measured for
record Sizes(
        int small,
        int large,
        Mixture experts,
        Prompt attention,
        Decode decode,
        Cached cached,
        int[] matvec,
        int elements,
        int[] norm,
        int[] loss,
        long memoryBytes,
        double seconds) {
    record Mixture(int experts, int topK, int tokens, int hidden, int inner) {
        int rows() {
            return tokens * topK;
        }
    }

    record Prompt(int tokens, int heads, int qkDim, int vDim) {}

    /// @param layers each with a cache of its own, so that they come from memory as they do in a model
    record Decode(int layers, int keys, int heads, int rank, int ropeDim, int nopeDim, int vDim) {}

    /// @param layers each with a cache of its own
    record Cached(int layers, int keys, int heads, int kvHeads, int dim) {}

    static final Sizes FULL = new Sizes(
            1024,
            2048,
            new Mixture(32, 4, 2048, 512, 256),
            new Prompt(2048, 16, 192, 128),
            new Decode(24, 4096, 16, 512, 64, 128, 128),
            new Cached(24, 4096, 12, 2, 128),
            new int[] {65_536, 8192},
            32 << 20,
            new int[] {16384, 2048},
            new int[] {256, 129_280},
            1L << 30,
            1.5);
}
