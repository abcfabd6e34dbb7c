package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// The routed experts' feed-forward layers over rows sorted by expert, each expert with as many rows as
/// chose it: matrix products fused with the gather of their input and with SwiGLU or the weighted
/// scatter of their output (DeepSeekMoE §3). No row is dropped.
///
/// For a row `r` of expert `e` and token `t`: `a_r = swiglu(x_t G_e^T)`, `y_t += sum over its rows w_r
/// D_e a_r`. A token's rows are added in the order of its choices. Shapes below: `rows = tokens *
/// topK`, `inner` the experts' intermediate size. Where a plan has a [Routing.Plan#rowToken], a token
/// has any number of rows, weights are `[rows, 1]`, and rows are not added up here. Dense weights
/// may be BF16 where all else is F32. Cost: `2 * rows * hidden * inner` FLOPs per product and unit of
/// width.
///
/// `x_t`, `a_r`, `dy_t` (in the weights' gradient `w_r dy_t`), `dGateUp_r` and the experts' weights
/// enter their matrix products in the kernels' [Precision]; with a [Packed] weight as [Matmul#linear]
/// has it. The gradient of a token's weight, the dot of `a_r` and the unscaled gradient that
/// [#downBackward] finds, is none of them.
public abstract class Experts {
    protected Experts() {}

    /// Gathers, multiplies with the fused gate and up weights, applies SwiGLU.
    ///
    /// @param x `[tokens, hidden]`
    /// @param weight `[experts, 2 * inner, hidden]`: gate rows, then up rows
    /// @param gateUp `[rows, 2 * inner]`, written
    /// @param activated `[rows, inner]`, written
    public final void gateUp(Tensor x, Routing.Plan plan, Weight weight, Tensor gateUp, Tensor activated) {
        String op = "Experts.gateUp";
        requireTokens(op, plan, x, "x");
        Shape.require(op, activated, "activated", rows(plan), -1);
        Shape.require(op, gateUp, "gateUp", rows(plan), 2 * activated.dim(1));
        Operands.requireShape(op, weight, "weight", experts(plan), gateUp.dim(1), x.dim(1));
        Operands.requireRead(op, weight, "weight", x.dtype());
        Shape.requireRows(op, gateUp, "gateUp", x.dtype());
        Shape.requireRows(op, activated, "activated", x.dtype());
        if (gateUp.elements() > 0) {
            switch (weight) {
                case Dense dense -> gatherGateUp(x, plan, dense, gateUp, activated);
                case Packed packed -> gatherGateUp(x, plan, packed, gateUp, activated);
            }
        }
    }

    /// Multiplies with the down weights and adds each token's weighted rows to its output.
    ///
    /// @param activated `[rows, inner]`
    /// @param weight `[experts, hidden, inner]`
    /// @param weights `[tokens, topK]`
    /// @param scratch `[rows, hidden]`, overwritten
    /// @param y `[tokens, hidden]`, added to
    public final void down(
            Tensor activated, Routing.Plan plan, Weight weight, Tensor weights, Tensor scratch, Tensor y) {
        String op = "Experts.down";
        requireSlots(op, plan);
        requireTokens(op, plan, y, "y");
        requireWeights(op, plan, weights, "weights", y);
        Shape.require(op, scratch, "scratch", rows(plan), y.dim(1));
        Shape.requireRows(op, scratch, "scratch", y.dtype());
        downRows(activated, plan, weight, scratch);
        combine(scratch, plan.slotRow(), weights, y);
    }

    /// The first half of [#down]: multiplies with the down weights.
    ///
    /// @param activated `[rows, inner]`
    /// @param weight `[experts, hidden, inner]`
    /// @param rows `[rows, hidden]`, written
    public final void downRows(Tensor activated, Routing.Plan plan, Weight weight, Tensor rows) {
        String op = "Experts.downRows";
        Shape.require(op, activated, "activated", rows(plan), -1);
        Shape.require(op, rows, "rows", rows(plan), -1);
        Operands.requireShape(op, weight, "weight", experts(plan), rows.dim(1), activated.dim(1));
        Shape.requireRows(op, rows, "rows");
        Shape.requireRows(op, activated, "activated", rows.dtype());
        Operands.requireRead(op, weight, "weight", rows.dtype());
        if (rows.elements() > 0) {
            switch (weight) {
                case Dense dense -> multiplyDown(activated, plan, dense, rows);
                case Packed packed -> multiplyDown(activated, plan, packed, rows);
            }
        }
    }

    /// The second half of [#down] and [#gateUpBackward]: adds each token's rows to it in the order
    /// of its choices, `y_t += sum_k w_tk rows[slotRow[t, k]]`.
    ///
    /// @param rows `[tokens * topK, hidden]`
    /// @param slotRow `[tokens * topK]`, I32: the row of each slot
    /// @param weights `[tokens, topK]`, or null for ones
    /// @param y `[tokens, hidden]`, added to
    public final void combine(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y) {
        String op = "Experts.combine";
        Shape.require(op, slotRow, "slotRow", -1);
        Shape.requireRows(op, slotRow, "slotRow", DType.I32);
        requireTokens(op, slotRow.dim(0), y, "y");
        Shape.require(op, rows, "rows", slotRow.dim(0), y.dim(1));
        Shape.requireRows(op, rows, "rows", y.dtype());
        if (weights != null) {
            requireWeights(op, slotRow.dim(0), weights, "weights", y);
        }
        if (rows.elements() > 0) {
            join(rows, slotRow, weights, y);
        }
    }

    /// @return whether [#combine] adds rows of float32 as [RowSums] does: one after the other, in
    ///     float32
    public boolean addsRowByRow() {
        return true;
    }

    /// Gradients through [#down]: of the activations and of the tokens' weights.
    ///
    /// @param dy `[tokens, hidden]`
    /// @param activated `[rows, inner]`, the input of [#down]
    /// @param dActivated `[rows, inner]`, written
    /// @param dWeights `[tokens, topK]`, written
    public final void downBackward(
            Tensor dy,
            Routing.Plan plan,
            Dense weight,
            Tensor weights,
            Tensor activated,
            Tensor dActivated,
            Tensor dWeights) {
        String op = "Experts.downBackward";
        requireTokens(op, plan, dy, "dy");
        requireWeights(op, plan, weights, "weights", dy);
        requireWeights(op, plan, dWeights, "dWeights", dy);
        Shape.require(op, activated, "activated", rows(plan), -1);
        Shape.require(op, weight.value(), "weight", experts(plan), dy.dim(1), activated.dim(1));
        Shape.require(op, dActivated, "dActivated", activated.shape());
        Shape.requireRows(op, activated, "activated", dy.dtype());
        Operands.requireRead(op, weight.value(), "weight", dy.dtype());
        Shape.requireRows(op, dActivated, "dActivated", dy.dtype());
        if (activated.elements() > 0) {
            downGradient(dy, plan, weight, weights, activated, dActivated, dWeights);
        }
    }

    /// The gradient of the down weights: `dWeight_e += sum_r (w_r dy_t) a_r^T`.
    ///
    /// @param dWeight `[experts, hidden, inner]`, accumulated into
    public final void downWeightGradient(
            Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {
        String op = "Experts.downWeightGradient";
        requireTokens(op, plan, dy, "dy");
        requireWeights(op, plan, weights, "weights", dy);
        Shape.require(op, activated, "activated", rows(plan), -1);
        Shape.require(op, dWeight, "dWeight", experts(plan), dy.dim(1), activated.dim(1));
        Shape.requireRows(op, activated, "activated", dy.dtype());
        Shape.requireRows(op, dWeight, "dWeight", dy.dtype());
        if (activated.elements() > 0) {
            downWeights(dy, plan, weights, activated, dWeight);
        }
    }

    /// The gradient of the layer's input: each token receives its rows' `dGateUp_r G_e`.
    ///
    /// @param dGateUp `[rows, 2 * inner]`
    /// @param scratch `[rows, hidden]`, overwritten
    /// @param dx `[tokens, hidden]`, added to
    public final void gateUpBackward(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor scratch, Tensor dx) {
        String op = "Experts.gateUpBackward";
        requireSlots(op, plan);
        requireTokens(op, plan, dx, "dx");
        Shape.require(op, scratch, "scratch", rows(plan), dx.dim(1));
        Shape.requireRows(op, scratch, "scratch", dx.dtype());
        gateUpBackwardRows(dGateUp, plan, weight, scratch);
        combine(scratch, plan.slotRow(), null, dx);
    }

    /// The first half of [#gateUpBackward]: the gradients of a token's rows before they are added up.
    ///
    /// @param dGateUp `[rows, 2 * inner]`
    /// @param weight `[experts, 2 * inner, hidden]`
    /// @param rows `[rows, hidden]`, written
    public final void gateUpBackwardRows(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor rows) {
        String op = "Experts.gateUpBackwardRows";
        Shape.require(op, dGateUp, "dGateUp", rows(plan), -1);
        Shape.require(op, rows, "rows", rows(plan), -1);
        Shape.require(op, weight.value(), "weight", experts(plan), dGateUp.dim(1), rows.dim(1));
        Shape.requireRows(op, rows, "rows");
        Shape.requireRows(op, dGateUp, "dGateUp", rows.dtype());
        Operands.requireRead(op, weight.value(), "weight", rows.dtype());
        if (rows.elements() > 0) {
            multiplyGateUp(dGateUp, plan, weight, rows);
        }
    }

    /// The gradient of the gate and up weights: `dWeight_e += sum_r dGateUp_r x_t^T`.
    ///
    /// @param dWeight `[experts, 2 * inner, hidden]`, accumulated into
    public final void gateUpWeightGradient(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {
        String op = "Experts.gateUpWeightGradient";
        requireTokens(op, plan, x, "x");
        Shape.require(op, dGateUp, "dGateUp", rows(plan), -1);
        Shape.require(op, dWeight, "dWeight", experts(plan), dGateUp.dim(1), x.dim(1));
        Shape.requireRows(op, dGateUp, "dGateUp", x.dtype());
        Shape.requireRows(op, dWeight, "dWeight", x.dtype());
        if (dGateUp.elements() > 0) {
            gateUpWeights(dGateUp, plan, x, dWeight);
        }
    }

    private static long rows(Routing.Plan plan) {
        return plan.rowSlot().dim(0);
    }

    private static long experts(Routing.Plan plan) {
        return plan.offsets().dim(0) - 1;
    }

    private static void requireSlots(String op, Routing.Plan plan) {
        if (plan.rowToken() != null) {
            throw new IllegalArgumentException("%s: tokens have any number of rows, expected topK each".formatted(op));
        }
    }

    /// One row per token; unless the plan says whose each of its rows is, they are a whole number of
    /// choices for each.
    private static void requireTokens(String op, Routing.Plan plan, Tensor x, String name) {
        if (plan.rowToken() == null) {
            requireTokens(op, rows(plan), x, name);
        } else {
            Shape.require(op, x, name, -1, -1);
            Shape.requireRows(op, x, name);
        }
    }

    private static void requireTokens(String op, long rows, Tensor x, String name) {
        Shape.require(op, x, name, -1, -1);
        Shape.requireRows(op, x, name);
        if (x.dim(0) == 0 ? rows != 0 : rows % x.dim(0) != 0) {
            throw new IllegalArgumentException("%s: %s is %s, expected a token count that divides the plan's %d rows"
                    .formatted(op, name, x, rows));
        }
    }

    private static void requireWeights(String op, Routing.Plan plan, Tensor weights, String name, Tensor y) {
        if (plan.rowToken() == null) {
            requireWeights(op, rows(plan), weights, name, y);
        } else {
            Shape.require(op, weights, name, rows(plan), 1);
            requireNumbers(op, weights, name, y);
        }
    }

    private static void requireWeights(String op, long rows, Tensor weights, String name, Tensor y) {
        Shape.require(op, weights, name, y.dim(0), y.dim(0) == 0 ? -1 : rows / y.dim(0));
        requireNumbers(op, weights, name, y);
    }

    private static void requireNumbers(String op, Tensor weights, String name, Tensor y) {
        Shape.require(op, weights, name, y.dtype());
        Shape.requireContiguous(op, weights, name);
    }

    protected abstract void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated);

    protected abstract void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated);

    protected abstract void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor rows);

    protected abstract void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor rows);

    /// Each of the rows is some slot's.
    protected abstract void join(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y);

    protected abstract void downGradient(
            Tensor dy,
            Routing.Plan plan,
            Dense weight,
            Tensor weights,
            Tensor activated,
            Tensor dActivated,
            Tensor dWeights);

    protected abstract void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight);

    protected abstract void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor rows);

    protected abstract void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight);
}
