package dev.wok.model;

import dev.wok.fabric.Exchange;
import dev.wok.kernel.Dense;
import dev.wok.kernel.PartSums;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The mixture of experts: each token's routed experts, weighted, plus the shared ones (DeepSeek-V3 eq.
/// 12). No token is dropped.
final class MoeLayer {
    /// What the routed experts leave for the backward pass.
    sealed interface Work {
        /// @param gateUp `[rows, 2 * inner]`
        /// @param activated `[rows, inner]`
        record Own(Tensor gateUp, Tensor activated) implements Work {}

        record Spread(SpreadExperts.Saved saved) implements Work {}
    }

    record Saved(Tensor x, RouterLayer.Saved router, Work work, MlpLayer.@Nullable Saved shared) {}

    private final RouterLayer router;
    private final int topK;
    private final @Nullable SpreadExperts spread;
    private final @Nullable PartSums sums;

    /// @param spread the experts of all ranks, or null where there is one
    /// @param sums adds up what a single rank's experts say, or null where the kernels do
    MoeLayer(MoeConfig config, @Nullable SpreadExperts spread, @Nullable PartSums sums) {
        this.sums = sums;
        router = new RouterLayer(config);
        topK = config.numExpertsPerTok();
        this.spread = spread;
    }

    /// @param y `[tokens, hidden]`, written
    Saved forward(Pass p, Weights.Moe w, Tensor x, RouterLayer.Balance balance, Tensor y) {
        RouterLayer.Saved routed = route(p, w, x, balance);
        if (p.reads() != null) {
            p.kernels().stream().synchronize();
            p.reads().need(w, routed.chosen());
        }
        MlpLayer.Saved shared = w.shared() == null ? null : MlpLayer.room(p, w.shared(), x);
        if (spread == null) {
            shared(p, w, shared, y);
            return new Saved(x, routed, own(p, w, x, routed, y), shared);
        }
        Exchange.Arriving arriving = begin(p, spread, routed, x);
        try (var _ = p.span("experts")) {
            SpreadExperts.Saved saved =
                    spread.finish(p, w, arriving, routed.weights(), y, () -> shared(p, w, shared, y));
            return new Saved(x, routed, new Work.Spread(saved), shared);
        }
    }

    private RouterLayer.Saved route(Pass p, Weights.Moe w, Tensor x, RouterLayer.Balance balance) {
        try (var _ = p.span("router")) {
            return router.forward(p, w, x, balance);
        }
    }

    private static Exchange.Arriving begin(Pass p, SpreadExperts spread, RouterLayer.Saved routed, Tensor x) {
        try (var _ = p.span("dispatch")) {
            return spread.begin(p, routed.chosen(), routed.weights(), x);
        }
    }

    /// @param saved written, or null where there are no shared experts
    /// @param y `[tokens, hidden]`, written: what the shared experts say
    private static void shared(Pass p, Weights.Moe w, MlpLayer.@Nullable Saved saved, Tensor y) {
        if (w.shared() == null || saved == null) {
            p.kernels().elementwise().fill(y, 0);
            return;
        }
        try (var _ = p.span("shared experts")) {
            MlpLayer.forward(p, w.shared(), saved, y);
        }
    }

    /// @param y `[tokens, hidden]`, added to
    private Work own(Pass p, Weights.Moe w, Tensor x, RouterLayer.Saved routed, Tensor y) {
        long rows = routed.chosen().elements();
        Tensor gateUp = p.tensor(rows, w.gateUp().dim(1));
        Tensor activated = p.tensor(rows, w.down().dim(2));
        try (var _ = p.workspace().scope();
                var _ = p.span("experts")) {
            p.kernels().experts().gateUp(x, routed.plan(), w.gateUp(), gateUp, activated);
            Tensor scratch = p.tensor(rows, x.dim(1));
            if (sums == null) {
                p.kernels().experts().down(activated, routed.plan(), w.down(), routed.weights(), scratch, y);
            } else {
                p.kernels().experts().downRows(activated, routed.plan(), w.down(), scratch);
                sums.add(scratch, routed.plan().slotRow(), routed.chosen(), routed.weights(), y);
            }
        }
        return new Work.Own(gateUp, activated);
    }

    /// Takes part in a pass that another rank makes.
    ///
    /// @param p without tokens
    void serve(Pass p, Weights.Moe w) {
        SpreadExperts experts = Objects.requireNonNull(spread, "this layer has no other ranks");
        try (var _ = p.scope()) {
            Tensor chosen = p.workspace().tensor(DType.I32, 0, topK);
            Tensor x = p.rows(w.gateUp().dim(2));
            Tensor weights = p.rows(topK);
            experts.finish(p, w, experts.begin(p, chosen, weights, x), weights, x, () -> {});
        }
    }

    /// @return `[tokens, topK]`, I32: which experts see a token
    Tensor choose(Pass p, Weights.Moe w, Tensor x) {
        Tensor chosen = router.choose(p, w, x).chosen();
        p.kernels().stream().synchronize();
        return chosen;
    }

    /// @param dx `[tokens, hidden]`, written
    void backward(Pass p, Weights.Moe w, Weights.Moe g, Saved s, RouterLayer.Balance balance, Tensor dy, Tensor dx) {
        try (var _ = p.scope()) {
            Tensor dWeights = p.tensor(s.router.weights().shape());
            switch (s.work) {
                case Work.Own own -> {
                    sharedBackward(p, w, g, s, dy, dx);
                    try (var _ = p.span("experts")) {
                        ownBackward(p, w, g, s, own, dy, dWeights, dx);
                    }
                }
                case Work.Spread(SpreadExperts.Saved saved) -> {
                    SpreadExperts experts = Objects.requireNonNull(spread);
                    SpreadExperts.Returning returning = beginBackward(p, experts, saved, dy);
                    sharedBackward(p, w, g, s, dy, dx);
                    try (var _ = p.span("experts")) {
                        experts.finishBackward(p, w, g, saved, returning, dWeights, dx);
                    }
                }
            }
            try (var _ = p.span("router")) {
                router.backward(p, w, g, s.router, balance, dWeights, dx);
            }
        }
    }

    private static SpreadExperts.Returning beginBackward(
            Pass p, SpreadExperts experts, SpreadExperts.Saved saved, Tensor dy) {
        try (var _ = p.span("dispatch")) {
            return experts.beginBackward(p, saved, dy);
        }
    }

    /// @param dx `[tokens, hidden]`, written
    private static void sharedBackward(Pass p, Weights.Moe w, Weights.Moe g, Saved s, Tensor dy, Tensor dx) {
        if (w.shared() != null) {
            try (var _ = p.span("shared experts")) {
                MlpLayer.backward(
                        p, w.shared(), Objects.requireNonNull(g.shared()), Objects.requireNonNull(s.shared), dy, dx);
            }
        } else {
            p.kernels().elementwise().fill(dx, 0);
        }
    }

    /// @param dWeights `[tokens, topK]`, written
    /// @param dx `[tokens, hidden]`, added to
    private void ownBackward(
            Pass p, Weights.Moe w, Weights.Moe g, Saved s, Work.Own own, Tensor dy, Tensor dWeights, Tensor dx) {
        var experts = p.kernels().experts();
        var plan = s.router.plan();
        Tensor weights = s.router.weights();
        Tensor dActivated = p.tensor(own.activated.shape());
        experts.downBackward(dy, plan, Weights.dense(w.down()), weights, own.activated, dActivated, dWeights);
        experts.downWeightGradient(
                dy, plan, weights, own.activated, Weights.dense(g.down()).value());
        Tensor dGateUp = p.tensor(own.gateUp.shape());
        p.kernels().swiglu().backward(own.gateUp, dActivated, dGateUp);
        experts.gateUpWeightGradient(
                dGateUp, plan, s.x, Weights.dense(g.gateUp()).value());
        Tensor scratch = p.tensor(own.gateUp.dim(0), dx.dim(1));
        Dense gateUp = Weights.dense(w.gateUp());
        if (sums == null) {
            experts.gateUpBackward(dGateUp, plan, gateUp, scratch, dx);
        } else {
            experts.gateUpBackwardRows(dGateUp, plan, gateUp, scratch);
            sums.add(scratch, plan.slotRow(), s.router.chosen(), null, dx);
        }
    }
}
