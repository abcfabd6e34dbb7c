package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// The sequence-wise balance loss, a weak push against sequences that use few experts (DeepSeek-V3 eq. 17-20):
/// `L = alpha * sum_i f_i P_i` per sequence, `f_i` = experts / (topK * length) times how often expert `i` is among the
/// `topK` best scores (without bias and groups), `P_i` = mean of `s_i / sum_j s_j`.
///
/// The mean over the sequences of the batch. `f` has no gradient. Cost: `tokens * experts`.
public abstract class BalanceLoss {
    protected BalanceLoss() {}

    /// @param scores `[tokens, experts]`; `length` divides `tokens`
    /// @param topK how many experts a token chooses
    /// @param length tokens of a sequence
    /// @param alpha the loss's weight
    /// @param fractions `[tokens / length, experts]`, written: `f`
    /// @param loss `[1]`, added to
    public final void forward(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss) {
        check(scores, length, fractions);
        Shape.require("BalanceLoss", loss, "loss", 1);
        if (topK < 1 || topK > scores.dim(1)) {
            throw new IllegalArgumentException("BalanceLoss: top %d of %d experts".formatted(topK, scores.dim(1)));
        }
        if (scores.elements() > 0) {
            measure(scores, topK, length, alpha, fractions, loss);
        }
    }

    /// @param factor on the gradient: alpha times the share of this batch in the step
    /// @param dScores `[tokens, experts]`, written
    public final void backward(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores) {
        check(scores, length, fractions);
        Shape.require("BalanceLoss", dScores, "dScores", scores.shape());
        Shape.requireRows("BalanceLoss", dScores, "dScores", scores.dtype());
        if (scores.elements() > 0) {
            gradient(scores, length, factor, fractions, dScores);
        }
    }

    private static void check(Tensor scores, int length, Tensor fractions) {
        Shape.require("BalanceLoss", scores, "scores", -1, -1);
        Shape.requireRows("BalanceLoss", scores, "scores");
        if (length < 1 || scores.dim(0) % length != 0) {
            throw new IllegalArgumentException(
                    "BalanceLoss: %d tokens are no sequences of %d".formatted(scores.dim(0), length));
        }
        Shape.require("BalanceLoss", fractions, "fractions", scores.dim(0) / length, scores.dim(1));
        Shape.requireContiguous("BalanceLoss", fractions, "fractions");
    }

    protected abstract void measure(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss);

    protected abstract void gradient(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores);
}
