package dev.wok.bench;

import dev.wok.bench.Sizes.Mixture;
import dev.wok.bench.Sizes.Prompt;
import java.util.List;

/// How large the work is that a GPU is measured with; tests take little of it.
///
/// @param products rows, columns and common dimension of matrix products in bf16
/// @param experts of a mixture: gate and up, then down
/// @param prompt that is read
/// @param decode texts that each get a token, in absorbed latent attention
/// @param packed rows and columns of a weight that meets few tokens
/// @param elements that the optimizer updates
/// @param norm rows and columns that are normalised
/// @param loss rows and columns of logits
/// @param copyBytes that bandwidth is measured over
/// @param rounds of the loop in registers
/// @param repeats of each measurement
/// @param atOnce launches that are timed at once
record GpuSizes(
        List<int[]> products,
        List<Mixture> experts,
        Prompt prompt,
        Texts decode,
        int[] packed,
        int elements,
        int[] norm,
        int[] loss,
        long copyBytes,
        int rounds,
        int repeats,
        int atOnce) {
    /// @param texts at once
    /// @param keys that each has
    record Texts(int texts, int keys, int heads, int rank, int ropeDim, int nopeDim, int vDim) {}

    /// The products are square, and the shapes of DeepSeek-V3's layers that DeepGEMM publishes figures
    /// for; the mixtures are its grouped ones, with as many choices as rows.
    static final GpuSizes FULL = new GpuSizes(
            List.of(
                    new int[] {4096, 4096, 4096},
                    new int[] {8192, 8192, 8192},
                    new int[] {4096, 2112, 7168},
                    new int[] {4096, 24_576, 1536},
                    new int[] {4096, 7168, 16_384},
                    new int[] {64, 4096, 7168}),
            List.of(new Mixture(8, 1, 32_768, 7168, 2048), new Mixture(64, 6, 16_384, 2048, 1408)),
            new Prompt(8192, 16, 192, 128),
            new Texts(128, 4096, 128, 512, 64, 128, 128),
            new int[] {16_384, 8192},
            1 << 27,
            new int[] {16_384, 2048},
            new int[] {4096, 129_280},
            1L << 30,
            4096,
            20,
            4);
}
