package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// Chooses each token's experts and their weights, and sorts the choices by expert (DeepSeek-V3 eq. 12-16, DeepSeek-V2
/// §2.2).
///
/// 1. `s` = sigmoid or softmax of the logits. 2. `c = s + bias` decides, `s` weighs. 3. With groups: only experts of
/// the `topkGroup` groups with the best score stay. 4. The `topK` largest `c` are chosen, in descending order.
/// 5. Weights are their `s`, normalised to sum 1 where asked, times a factor.
///
/// Ties go to the lower index. The bias has no gradient. Cost: `tokens * experts` exponentials.
public abstract class Routing {
    /// How logits become scores.
    public enum Scoring {
        /// Each expert for itself; groups are ranked by the sum of their best two (V3).
        SIGMOID,
        /// Over all experts; groups are ranked by their best (V2).
        SOFTMAX
    }

    /// @param scoring how logits become scores
    /// @param experts how many there are
    /// @param topK how many a token chooses
    /// @param groups consecutive groups of equal size; 1 for none
    /// @param topkGroup how many groups stay
    /// @param normalize whether the weights are divided by their sum (plus 1e-20)
    /// @param factor on the weights
    public record Desc(
            Scoring scoring, int experts, int topK, int groups, int topkGroup, boolean normalize, double factor) {
        public Desc {
            if (groups < 1 || experts % groups != 0 || topkGroup < 1 || topkGroup > groups) {
                throw new IllegalArgumentException("Routing: %d experts, %d groups, %d kept: groups must divide experts"
                        .formatted(experts, groups, topkGroup));
            }
            if (topK < 1 || topK > experts / groups * topkGroup) {
                throw new IllegalArgumentException(
                        "Routing: top %d of %d experts in %d of %d groups".formatted(topK, experts, topkGroup, groups));
            }
            if (scoring == Scoring.SIGMOID && groups > 1 && experts / groups < 2) {
                throw new IllegalArgumentException("Routing: groups of one expert have no best two");
            }
        }
    }

    /// Choices sorted by expert. A row is one choice of one token; a slot is `token * topK + rank` of the choice.
    ///
    /// @param offsets `[experts + 1]`, I32: rows `offsets[e]` to `offsets[e + 1]` belong to expert `e`
    /// @param rowSlot `[tokens * topK]`, I32: the slot of each row; within an expert, slots ascend
    /// @param slotRow `[tokens * topK]`, I32: the row of each slot
    /// @param rowToken `[rows]`, I32: the token of each row; or null where that is `rowSlot / topK`. Where
    ///     it is given a token has any number of rows and slots are the rows, so that weights of slots
    ///     are `[rows, 1]`
    public record Plan(
            Tensor offsets,
            Tensor rowSlot,
            Tensor slotRow,
            @Nullable Tensor rowToken) {
        public Plan {
            Shape.require("Routing.Plan", offsets, "offsets", -1);
            Shape.require("Routing.Plan", rowSlot, "rowSlot", -1);
            Shape.require("Routing.Plan", slotRow, "slotRow", rowSlot.dim(0));
            Shape.requireRows("Routing.Plan", offsets, "offsets", DType.I32);
            Shape.requireRows("Routing.Plan", rowSlot, "rowSlot", DType.I32);
            Shape.requireRows("Routing.Plan", slotRow, "slotRow", DType.I32);
            if (rowToken != null) {
                Shape.require("Routing.Plan", rowToken, "rowToken", rowSlot.dim(0));
                Shape.requireRows("Routing.Plan", rowToken, "rowToken", DType.I32);
            }
        }

        /// A plan in which each token has `topK` rows.
        public Plan(Tensor offsets, Tensor rowSlot, Tensor slotRow) {
            this(offsets, rowSlot, slotRow, null);
        }
    }

    protected Routing() {}

    /// @param logits `[tokens, experts]`
    /// @param bias `[experts]`, or null for none
    /// @param scores `[tokens, experts]`, written: `s`
    /// @param chosen `[tokens, topK]`, I32, written
    /// @param weights `[tokens, topK]`, written
    public final void forward(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {
        Shape.require("Routing", logits, "logits", -1, desc.experts);
        Shape.requireRows("Routing", logits, "logits");
        long tokens = logits.dim(0);
        if (bias != null) {
            Shape.require("Routing", bias, "bias", desc.experts);
            Shape.requireRows("Routing", bias, "bias");
        }
        check(desc, tokens, scores, chosen, weights, "weights");
        if (tokens > 0) {
            choose(desc, logits, bias, scores, chosen, weights);
        }
    }

    /// Takes gradients of the weights, and of the scores where a balance loss has some, back to the logits.
    ///
    /// @param dWeights `[tokens, topK]`
    /// @param dScores `[tokens, experts]`, or null for none
    /// @param dLogits `[tokens, experts]`, written
    public final void backward(
            Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits) {
        Shape.require("Routing", scores, "scores", -1, desc.experts);
        long tokens = scores.dim(0);
        check(desc, tokens, scores, chosen, dWeights, "dWeights");
        Shape.require("Routing", dLogits, "dLogits", tokens, desc.experts);
        Shape.requireRows("Routing", dLogits, "dLogits", scores.dtype());
        if (dScores != null) {
            Shape.require("Routing", dScores, "dScores", tokens, desc.experts);
            Shape.requireRows("Routing", dScores, "dScores", scores.dtype());
        }
        if (tokens > 0) {
            gradient(desc, scores, chosen, dWeights, dScores, dLogits);
        }
    }

    /// Sorts the choices by expert and counts them.
    ///
    /// @param chosen `[tokens, topK]`, I32
    /// @param plan written
    /// @param load `[experts]`, I32, the counts are added to it
    public final void plan(Tensor chosen, Plan plan, Tensor load) {
        Shape.require("Routing.plan", chosen, "chosen", -1, -1);
        Shape.require("Routing.plan", chosen, "chosen", DType.I32);
        Shape.requireContiguous("Routing.plan", chosen, "chosen");
        Shape.require("Routing.plan", load, "load", plan.offsets.dim(0) - 1);
        Shape.requireRows("Routing.plan", load, "load", DType.I32);
        Shape.require("Routing.plan", plan.rowSlot, "rowSlot", chosen.elements());
        sort(chosen, plan, load);
    }

    /// Moves each expert's bias against its load: `bias_i += gamma * sign(mean(load) - load_i)` (DeepSeek-V3 §2.1.2).
    ///
    /// @param load `[experts]`, I32: how many tokens chose each expert in the step
    /// @param gamma how far
    /// @param bias `[experts]`, updated
    public final void balance(Tensor load, double gamma, Tensor bias) {
        Shape.require("Routing.balance", load, "load", -1);
        Shape.requireRows("Routing.balance", load, "load", DType.I32);
        Shape.require("Routing.balance", bias, "bias", load.dim(0));
        Shape.requireRows("Routing.balance", bias, "bias");
        move(load, gamma, bias);
    }

    private static void check(Desc desc, long tokens, Tensor scores, Tensor chosen, Tensor weights, String name) {
        Shape.require("Routing", scores, "scores", tokens, desc.experts);
        Shape.require("Routing", chosen, "chosen", tokens, desc.topK);
        Shape.require("Routing", chosen, "chosen", DType.I32);
        Shape.require("Routing", weights, name, tokens, desc.topK);
        Shape.requireRows("Routing", scores, "scores");
        Shape.requireContiguous("Routing", chosen, "chosen");
        Shape.requireContiguous("Routing", weights, name);
    }

    protected abstract void choose(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights);

    protected abstract void gradient(
            Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits);

    protected abstract void sort(Tensor chosen, Plan plan, Tensor load);

    protected abstract void move(Tensor load, double gamma, Tensor bias);
}
