package dev.wok.model;

import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// The router: which experts see a token, and with what weight (DeepSeek-V2 §2.2, DeepSeek-V3 §2.1.2).
/// Balance comes from a bias that [Training#moveBiases] moves against each expert's load, and from the
/// weak sequence-wise loss (DeepSeek-V3 eq. 17-20). Its own products stay float32 whatever the kernels'
/// precision: a choice jumps where scores come close.
final class RouterLayer {
    /// How a pass counts and pushes.
    ///
    /// @param load `[experts]`, I32, the choices are added to it
    /// @param length tokens of a sequence
    /// @param alpha weight of the balance loss in the pass; 0 for none
    /// @param loss `[1]`, the balance loss is added to it
    record Balance(Tensor load, int length, double alpha, Tensor loss) {}

    /// @param x `[tokens, hidden]`
    /// @param scores `[tokens, experts]`
    /// @param chosen `[tokens, topK]`, I32
    /// @param weights `[tokens, topK]`
    /// @param plan the choices sorted by expert
    /// @param fractions `[sequences, experts]`, null where there is no balance loss
    record Saved(
            Tensor x,
            Tensor scores,
            Tensor chosen,
            Tensor weights,
            Routing.Plan plan,
            @Nullable Tensor fractions) {}

    private final Routing.Desc desc;

    RouterLayer(MoeConfig config) {
        desc = config.routing();
    }

    /// @param scores `[tokens, experts]`
    /// @param chosen `[tokens, topK]`, I32
    /// @param weights `[tokens, topK]`
    record Choice(Tensor scores, Tensor chosen, Tensor weights) {}

    Choice choose(Pass p, Weights.Moe w, Tensor x) {
        Tensor logits = p.linear(x, w.gate());
        Tensor scores = p.rows(desc.experts());
        Tensor chosen = p.workspace().tensor(DType.I32, p.tokens(), desc.topK());
        Tensor weights = p.rows(desc.topK());
        p.kernels().routing().forward(desc, logits, w.bias(), scores, chosen, weights);
        return new Choice(scores, chosen, weights);
    }

    Saved forward(Pass p, Weights.Moe w, Tensor x, Balance balance) {
        Choice choice = choose(p, w, x);
        Tensor scores = choice.scores;
        Tensor chosen = choice.chosen;
        long slots = chosen.elements();
        Routing.Plan plan = new Routing.Plan(
                p.workspace().tensor(DType.I32, desc.experts() + 1L),
                p.workspace().tensor(DType.I32, slots),
                p.workspace().tensor(DType.I32, slots));
        p.kernels().routing().plan(chosen, plan, balance.load);
        Tensor fractions = null;
        if (balance.alpha > 0) {
            fractions = p.tensor(p.tokens() / balance.length, desc.experts());
            p.kernels()
                    .balanceLoss()
                    .forward(scores, desc.topK(), balance.length, balance.alpha, fractions, balance.loss);
        }
        return new Saved(x, scores, chosen, choice.weights, plan, fractions);
    }

    /// @param dWeights `[tokens, topK]`
    /// @param dx `[tokens, hidden]`, added to
    void backward(Pass p, Weights.Moe w, Weights.Moe g, Saved s, Balance balance, Tensor dWeights, Tensor dx) {
        Tensor dScores = null;
        if (s.fractions != null) {
            dScores = p.rows(desc.experts());
            p.kernels().balanceLoss().backward(s.scores, balance.length, balance.alpha, s.fractions, dScores);
        }
        Tensor dLogits = p.rows(desc.experts());
        p.kernels().routing().backward(desc, s.scores, s.chosen, dWeights, dScores, dLogits);
        p.linearBackward(s.x, w.gate(), dLogits, dx, true, g.gate());
    }
}
