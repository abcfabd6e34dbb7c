package dev.wok.model;

import dev.wok.tensor.Tensor;

/// A loss of logits that training does not know: [Training#accumulate(Batch, LogitLoss)] shows it the
/// logits before each target, some at a time, and takes from it their gradient.
@FunctionalInterface
public interface LogitLoss {
    /// Replaces logits by the gradient of the step's whole loss with respect to them.
    ///
    /// @param rows of the batch: the tokens after which these logits are, in order; each has a target
    /// @param logits `[rows, vocab]`, on the host, F32 (F64 where the model is); overwritten
    void gradient(int[] rows, Tensor logits);
}
