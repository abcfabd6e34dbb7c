package dev.wok.model;

import dev.wok.tensor.Tensor;

/// The gated feed-forward layer of dense layers and shared experts: `y = W_down (silu(W_gate x) * (W_up x))`.
final class MlpLayer {
    /// @param x `[tokens, hidden]`
    /// @param gateUp `[tokens, 2 * inner]`
    /// @param activated `[tokens, inner]`
    record Saved(Tensor x, Tensor gateUp, Tensor activated) {}

    private MlpLayer() {}

    /// @param y `[tokens, hidden]`, written
    static Saved forward(Pass p, Weights.Mlp w, Tensor x, Tensor y) {
        Saved saved = room(p, w, x);
        forward(p, w, saved, y);
        return saved;
    }

    /// @return what [#forward(Pass, Weights.Mlp, Saved, Tensor)] fills
    static Saved room(Pass p, Weights.Mlp w, Tensor x) {
        long width = w.gateUp().dim(0);
        return new Saved(x, p.rows(width), p.rows(width / 2));
    }

    /// @param s written, but for its `x`
    /// @param y `[tokens, hidden]`, written
    static void forward(Pass p, Weights.Mlp w, Saved s, Tensor y) {
        p.kernels().matmul().linear(s.x, w.gateUp(), s.gateUp, false);
        p.kernels().swiglu().forward(s.gateUp, s.activated);
        p.kernels().matmul().linear(s.activated, w.down(), y, false);
    }

    /// @param dx `[tokens, hidden]`, written
    static void backward(Pass p, Weights.Mlp w, Weights.Mlp g, Saved s, Tensor dy, Tensor dx) {
        try (var _ = p.workspace().scope()) {
            Tensor dActivated = p.rows(s.activated.dim(1));
            p.linearBackward(s.activated, w.down(), dy, dActivated, false, g.down());
            Tensor dGateUp = p.rows(s.gateUp.dim(1));
            p.kernels().swiglu().backward(s.gateUp, dActivated, dGateUp);
            p.linearBackward(s.x, w.gateUp(), dGateUp, dx, false, g.gateUp());
        }
    }
}
