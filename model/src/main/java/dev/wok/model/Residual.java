package dev.wok.model;

import dev.wok.tensor.Tensor;

/// How a branch joins the stream of hidden states: here by plain addition. Its gradient is one for both, so a layer's
/// backward pass adds the branch's gradient to the stream's in place.
final class Residual {
    private Residual() {}

    /// @param stream `[tokens, hidden]`
    /// @param branch `[tokens, hidden]`, becomes the stream after it
    static void join(Pass p, Tensor stream, Tensor branch) {
        p.kernels().elementwise().add(stream, branch, branch);
    }
}
