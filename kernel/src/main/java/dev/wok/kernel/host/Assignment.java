package dev.wok.kernel.host;

import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;

/// A [Routing.Plan] as plain Java arrays: kernels ask for each row.
public record Assignment(int[] offsets, int[] rowSlot, int[] slotRow, int topK) {
    /// A plan of which [#token] is not asked.
    public static Assignment of(Routing.Plan plan) {
        return of(plan, plan.rowSlot().dim(0));
    }

    public static Assignment of(Routing.Plan plan, long tokens) {
        return new Assignment(
                plan.offsets().toInts(),
                plan.rowSlot().toInts(),
                plan.slotRow().toInts(),
                Math.toIntExact(plan.rowSlot().dim(0) / tokens));
    }

    public int experts() {
        return offsets.length - 1;
    }

    public int token(int row) {
        return rowSlot[row] / topK;
    }

    public int count(int expert) {
        return offsets[expert + 1] - offsets[expert];
    }

    /// The rows of an expert in a matrix of all rows.
    public Tensor of(Tensor x, int expert) {
        return x.slice(0, offsets[expert], offsets[expert + 1]);
    }
}
