package dev.wok.kernel;

import dev.wok.device.Gpu;
import dev.wok.kernel.ptx.PtxKernels;
import dev.wok.tensor.Tensor;

/// What a GPU does with rows of tokens that go to other GPUs, and with those that come back. Arithmetic is that of
/// [RowSums] and [Bf16Rows], in the same order; what is no number stays none. All in the order of the GPU's stream.
///
/// Lists are of I32 and in the GPU's memory; tensors have no gaps inside a row.
public interface PeerRows {
    /// What becomes of a term: bits of [Terms#kinds].
    int ROW = 1;

    /// The first of several rows that are summed apart.
    int FIRST = 2;

    /// The last of them: their sum is rounded as sums are, and added.
    int LAST = 4;

    /// Instead of both: a row that is added by itself.
    int DIRECT = 8;

    /// What is added to each token, in its order.
    ///
    /// @param offsets `[tokens + 1]`: terms `offsets[t]` to `offsets[t + 1]` are of token `t`
    /// @param places `[terms]`: which row, of the sums or of the rows
    /// @param kinds `[terms]`: 0 for a sum, or [#ROW] with others
    /// @param weights `[terms]`, F32: what rows are multiplied by; sums are not
    record Terms(Tensor offsets, Tensor places, Tensor kinds, Tensor weights) {}

    /// @param gpu holds the code, and runs it
    static PeerRows of(Gpu gpu) {
        return PtxKernels.peerRows(gpu);
    }

    /// `out[i] = x[rows[i]]`, rounded to the type of `out`.
    ///
    /// @param rows `[n]`
    /// @param x `[tokens, width]`, F32
    /// @param out `[n, width]`, F32 or BF16, written
    void gather(Tensor rows, Tensor x, Tensor out);

    /// @param from `[n, width]`, BF16
    /// @param to `[n, width]`, F32, written
    void widen(Tensor from, Tensor to);

    /// Sums of rows, each from zero on: `out[i] = fma(weights[j], x[rows[j]], out[i])`, rounded to the type
    /// of `out`.
    ///
    /// @param offsets `[n + 1]`: rows `offsets[i]` to `offsets[i + 1]` are of sum `i`
    /// @param rows `[terms]`
    /// @param weights `[terms]`, F32
    /// @param x `[rows, width]`, F32
    /// @param out `[n, width]`, F32 or BF16, written
    void sum(Tensor offsets, Tensor rows, Tensor weights, Tensor x, Tensor out);

    /// Adds terms to tokens.
    ///
    /// @param sums `[n, width]`, F32 or BF16
    /// @param rows `[m, width]`, F32 or BF16
    /// @param y `[tokens, width]`, F32, added to
    void add(Terms terms, Tensor sums, Tensor rows, Tensor y);
}
