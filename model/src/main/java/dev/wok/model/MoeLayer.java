package dev.wok.model;

import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The mixture of experts: each token's routed experts, weighted, plus the shared ones (DeepSeek-V3 eq.
/// 12). No token is dropped.
final class MoeLayer {
    /// @param gateUp `[rows, 2 * inner]`
    /// @param activated `[rows, inner]`
    record Saved(
            Tensor x, RouterLayer.Saved router, Tensor gateUp, Tensor activated, MlpLayer.@Nullable Saved shared) {}

    private final RouterLayer router;

    MoeLayer(MoeConfig config) {
        router = new RouterLayer(config);
    }

    /// @param y `[tokens, hidden]`, written
    Saved forward(Pass p, Weights.Moe w, Tensor x, RouterLayer.Balance balance, Tensor y) {
        RouterLayer.Saved routed = router.forward(p, w, x, balance);
        if (p.reads() != null) {
            p.kernels().stream().synchronize();
            p.reads().need(w, routed.chosen());
        }
        MlpLayer.Saved shared = null;
        if (w.shared() != null) {
            shared = MlpLayer.forward(p, w.shared(), x, y);
        } else {
            p.kernels().elementwise().fill(y, 0);
        }
        long rows = routed.chosen().elements();
        Tensor gateUp = p.tensor(rows, w.gateUp().dim(1));
        Tensor activated = p.tensor(rows, w.down().dim(2));
        p.kernels().experts().gateUp(x, routed.plan(), w.gateUp(), gateUp, activated);
        try (var _ = p.workspace().scope()) {
            Tensor scratch = p.tensor(rows, x.dim(1));
            p.kernels().experts().down(activated, routed.plan(), w.down(), routed.weights(), scratch, y);
        }
        return new Saved(x, routed, gateUp, activated, shared);
    }

    /// @return `[tokens, topK]`, I32: which experts see a token
    Tensor choose(Pass p, Weights.Moe w, Tensor x) {
        Tensor chosen = router.choose(p, w, x).chosen();
        p.kernels().stream().synchronize();
        return chosen;
    }

    /// @param dx `[tokens, hidden]`, written
    void backward(Pass p, Weights.Moe w, Weights.Moe g, Saved s, RouterLayer.Balance balance, Tensor dy, Tensor dx) {
        if (w.shared() != null) {
            MlpLayer.backward(
                    p, w.shared(), Objects.requireNonNull(g.shared()), Objects.requireNonNull(s.shared), dy, dx);
        } else {
            p.kernels().elementwise().fill(dx, 0);
        }
        var experts = p.kernels().experts();
        var plan = s.router.plan();
        try (var _ = p.workspace().scope()) {
            Tensor dActivated = p.tensor(s.activated.shape());
            Tensor dWeights = p.tensor(s.router.weights().shape());
            experts.downBackward(
                    dy, plan, Weights.dense(w.down()), s.router.weights(), s.activated, dActivated, dWeights);
            experts.downWeightGradient(
                    dy,
                    plan,
                    s.router.weights(),
                    s.activated,
                    Weights.dense(g.down()).value());
            Tensor dGateUp = p.tensor(s.gateUp.shape());
            p.kernels().swiglu().backward(s.gateUp, dActivated, dGateUp);
            experts.gateUpWeightGradient(
                    dGateUp, plan, s.x, Weights.dense(g.gateUp()).value());
            Tensor scratch = p.tensor(s.gateUp.dim(0), dx.dim(1));
            experts.gateUpBackward(dGateUp, plan, Weights.dense(w.gateUp()), scratch, dx);
            router.backward(p, w, g, s.router, balance, dWeights, dx);
        }
    }
}
