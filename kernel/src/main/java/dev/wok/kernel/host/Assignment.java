package dev.wok.kernel.host;

import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;

/// A [Routing.Plan] as plain Java arrays: kernels ask for each row.
///
/// @param sources `[rows]`: that of a row, divided by `each`, is its token
public record Assignment(int[] offsets, int[] rowSlot, int[] sources, int each) {
    /// A plan of which [#token] is not asked.
    public static Assignment of(Routing.Plan plan) {
        return of(plan, plan.rowSlot().dim(0));
    }

    public static Assignment of(Routing.Plan plan, long tokens) {
        int[] offsets = plan.offsets().toInts();
        int[] rowSlot = plan.rowSlot().toInts();
        Tensor rowToken = plan.rowToken();
        return rowToken == null
                ? new Assignment(offsets, rowSlot, rowSlot, Math.toIntExact(rowSlot.length / tokens))
                : new Assignment(offsets, rowSlot, rowToken.toInts(), 1);
    }

    public int experts() {
        return offsets.length - 1;
    }

    public int token(int row) {
        return sources[row] / each;
    }

    public int count(int expert) {
        return offsets[expert + 1] - offsets[expert];
    }

    /// The rows of an expert in a matrix of all rows.
    public Tensor of(Tensor x, int expert) {
        return x.slice(0, offsets[expert], offsets[expert + 1]);
    }
}
