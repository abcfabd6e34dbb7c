package dev.wok.kernel.reference;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

final class ExpertsReference extends Experts {
    private final Precision precision;

    ExpertsReference(Precision precision) {
        this.precision = precision;
    }

    private double operand(Tensor tensor, long offset) {
        return precision.operand(tensor.get(offset));
    }

    private double entry(Dense weight, long expert, long row, long column) {
        Tensor value = weight.value();
        return operand(value, expert * value.stride(0) + row * value.stride(1) + column);
    }

    @FunctionalInterface
    private interface Row {
        void visit(int expert, int row, int slot, int token);
    }

    /// Visits every row with its expert, slot and token.
    private static void rows(Routing.Plan plan, long tokens, Row body) {
        int experts = plan.offsets().size(0) - 1;
        IntUnaryOperator tokenOf = tokenOf(plan, tokens);
        for (int e = 0; e < experts; e++) {
            for (int row = plan.offsets().getInt(e); row < plan.offsets().getInt(e + 1); row++) {
                body.visit(e, row, plan.rowSlot().getInt(row), tokenOf.applyAsInt(row));
            }
        }
    }

    /// @return the token of each row
    private static IntUnaryOperator tokenOf(Routing.Plan plan, long tokens) {
        Tensor rowToken = plan.rowToken();
        if (rowToken != null) {
            return rowToken::getInt;
        }
        int topK = Math.toIntExact(plan.rowSlot().dim(0) / tokens);
        return row -> plan.rowSlot().getInt(row) / topK;
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated) {
        long inner = activated.dim(1);
        rows(plan, x.dim(0), (e, row, _, token) -> {
            for (long j = 0; j < 2 * inner; j++) {
                double sum = 0;
                for (long i = 0; i < x.dim(1); i++) {
                    sum += operand(x, token * x.stride(0) + i) * entry(weight, e, j, i);
                }
                gateUp.set(row * gateUp.stride(0) + j, sum);
            }
            activate(gateUp, activated, row);
        });
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated) {
        PackedReference product = new PackedReference(weight, precision);
        rows(plan, x.dim(0), (e, row, _, token) -> {
            double[] sums = product.times(x, token * x.stride(0), e);
            for (int j = 0; j < sums.length; j++) {
                gateUp.set(row * gateUp.stride(0) + j, sums[j]);
            }
            activate(gateUp, activated, row);
        });
    }

    private static void activate(Tensor gateUp, Tensor activated, int row) {
        for (long j = 0; j < activated.dim(1); j++) {
            double gate = gateUp.get(row * gateUp.stride(0) + j);
            double up = gateUp.get(row * gateUp.stride(0) + activated.dim(1) + j);
            activated.set(row * activated.stride(0) + j, Numbers.silu(gate) * up);
        }
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor to) {
        PackedReference product = new PackedReference(weight, precision);
        rows(plan, to.dim(0), (e, row, _, _) -> {
            double[] sums = product.times(activated, row * activated.stride(0), e);
            for (int j = 0; j < sums.length; j++) {
                to.set(row * to.stride(0) + j, sums[j]);
            }
        });
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor to) {
        rows(plan, to.dim(0), (e, row, _, _) -> {
            for (long j = 0; j < to.dim(1); j++) {
                double sum = 0;
                for (long i = 0; i < activated.dim(1); i++) {
                    sum += operand(activated, row * activated.stride(0) + i) * entry(weight, e, j, i);
                }
                to.set(row * to.stride(0) + j, sum);
            }
        });
    }

    /// It adds in float64.
    @Override
    public boolean addsRowByRow() {
        return false;
    }

    @Override
    protected void join(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y) {
        long topK = slotRow.dim(0) / y.dim(0);
        for (long t = 0; t < y.dim(0); t++) {
            for (long j = 0; j < y.dim(1); j++) {
                double sum = y.get(t * y.stride(0) + j);
                for (long slot = t * topK; slot < (t + 1) * topK; slot++) {
                    double weight = weights == null ? 1 : weights.get(slot);
                    sum += weight * rows.get(slotRow.getInt(slot) * rows.stride(0) + j);
                }
                y.set(t * y.stride(0) + j, sum);
            }
        }
    }

    @Override
    protected void downGradient(
            Tensor dy,
            Routing.Plan plan,
            Dense weight,
            Tensor weights,
            Tensor activated,
            Tensor dActivated,
            Tensor dWeights) {
        rows(plan, dy.dim(0), (e, row, slot, token) -> {
            double dWeight = 0;
            for (long i = 0; i < activated.dim(1); i++) {
                double sum = 0;
                for (long j = 0; j < dy.dim(1); j++) {
                    sum += operand(dy, token * dy.stride(0) + j) * entry(weight, e, j, i);
                }
                dWeight += sum * activated.get(row * activated.stride(0) + i);
                dActivated.set(row * dActivated.stride(0) + i, sum * weights.get(slot));
            }
            dWeights.set(slot, dWeight);
        });
    }

    @Override
    protected void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {
        IntUnaryOperator tokenOf = tokenOf(plan, dy.dim(0));
        outerProducts(plan, dWeight, (row, j, i) -> {
            double weight = weights.get(plan.rowSlot().getInt(row));
            return precision.operand(weight * dy.get(tokenOf.applyAsInt(row) * dy.stride(0) + j))
                    * operand(activated, row * activated.stride(0) + i);
        });
    }

    @FunctionalInterface
    private interface Term {
        double of(int row, long j, long i);
    }

    /// `dWeight[e, j, i] += sum over the rows of e`.
    private static void outerProducts(Routing.Plan plan, Tensor dWeight, Term term) {
        for (int e = 0; e < dWeight.dim(0); e++) {
            for (long j = 0; j < dWeight.dim(1); j++) {
                for (long i = 0; i < dWeight.dim(2); i++) {
                    double sum = 0;
                    for (int row = plan.offsets().getInt(e);
                            row < plan.offsets().getInt(e + 1);
                            row++) {
                        sum += term.of(row, j, i);
                    }
                    Numbers.add(dWeight, e * dWeight.stride(0) + j * dWeight.stride(1) + i, sum);
                }
            }
        }
    }

    @Override
    protected void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor to) {
        rows(plan, to.dim(0), (e, row, _, _) -> {
            for (long i = 0; i < to.dim(1); i++) {
                double sum = 0;
                for (long j = 0; j < dGateUp.dim(1); j++) {
                    sum += operand(dGateUp, row * dGateUp.stride(0) + j) * entry(weight, e, j, i);
                }
                to.set(row * to.stride(0) + i, sum);
            }
        });
    }

    @Override
    protected void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {
        IntUnaryOperator tokenOf = tokenOf(plan, x.dim(0));
        outerProducts(plan, dWeight, (row, j, i) -> {
            int token = tokenOf.applyAsInt(row);
            return operand(dGateUp, row * dGateUp.stride(0) + j) * operand(x, token * x.stride(0) + i);
        });
    }
}
