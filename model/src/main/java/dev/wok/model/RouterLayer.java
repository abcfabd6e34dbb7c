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
    /// @param alpha weight of the balance loss; 0 for none
    /// @param sequences of the step
    /// @param losses `[parts]`, each part's balance loss is added to its own
    record Balance(Tensor load, int length, double alpha, int sequences, Tensor losses) {
        /// One that counts alone.
        static Balance of(Tensor load) {
            return new Balance(load, 1, 0, 1, load);
        }

        /// @return the weight of some rows' loss, which is a mean over their sequences
        private double alpha(int rows) {
            return alpha * (rows / length) / sequences;
        }
    }

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
            Tensor all = p.tensor(p.tokens() / balance.length, desc.experts());
            p.parts()
                    .each((part, from, to) -> p.kernels()
                            .balanceLoss()
                            .forward(
                                    scores.slice(0, from, to),
                                    desc.topK(),
                                    balance.length,
                                    balance.alpha(to - from),
                                    sequences(all, balance, from, to),
                                    balance.losses.slice(0, part, part + 1)));
            fractions = all;
        }
        return new Saved(x, scores, chosen, choice.weights, plan, fractions);
    }

    /// @return the sequences that these rows are
    private static Tensor sequences(Tensor fractions, Balance balance, int from, int to) {
        return fractions.slice(0, from / balance.length, to / balance.length);
    }

    /// @param dWeights `[tokens, topK]`
    /// @param dx `[tokens, hidden]`, added to
    void backward(Pass p, Weights.Moe w, Weights.Moe g, Saved s, Balance balance, Tensor dWeights, Tensor dx) {
        Tensor dScores = null;
        Tensor fractions = s.fractions;
        if (fractions != null) {
            Tensor all = p.rows(desc.experts());
            p.parts()
                    .each((_, from, to) -> p.kernels()
                            .balanceLoss()
                            .backward(
                                    s.scores.slice(0, from, to),
                                    balance.length,
                                    balance.alpha(to - from),
                                    sequences(fractions, balance, from, to),
                                    all.slice(0, from, to)));
            dScores = all;
        }
        Tensor dLogits = p.rows(desc.experts());
        p.kernels().routing().backward(desc, s.scores, s.chosen, dWeights, dScores, dLogits);
        p.linearBackward(s.x, w.gate(), dLogits, dx, true, g.gate());
    }
}
