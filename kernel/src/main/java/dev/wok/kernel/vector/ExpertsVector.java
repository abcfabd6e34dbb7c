package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.host.Assignment;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

final class ExpertsVector extends Experts {
    private final Workers workers;
    private final Gemm gemm;
    private final PackedVector packed;
    private final Precision precision;

    ExpertsVector(Workers workers, Gemm gemm, PackedVector packed, Precision precision) {
        this.packed = packed;
        this.precision = precision;
        this.workers = workers;
        this.gemm = gemm;
    }

    private void forEachExpert(int experts, IntFunction<Gemm.Problem> problem) {
        Gemm.Problem[] problems = new Gemm.Problem[experts];
        for (int e = 0; e < experts; e++) {
            problems[e] = problem.apply(e);
        }
        gemm.run(precision, problems);
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated) {
        Tasks.requireFloats("Experts", x, weight.value(), gateUp, activated);
        Assignment rows = Assignment.of(plan, x.dim(0));
        forEachExpert(weight.value().size(0), e -> {
            int start = rows.offsets()[e];
            Tensor out = gateUp.slice(0, start, start + rows.count(e));
            return new Gemm.Problem(
                    rows.count(e),
                    gateUp.size(1),
                    x.size(1),
                    Gemm.rows(x, i -> rows.token(start + i)),
                    false,
                    Gemm.transposed(weight.value().select(0, e)),
                    Gemm.into(out, false));
        });
        activate(gateUp, activated);
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated) {
        Tasks.requireFloats("Experts", x, gateUp, activated);
        Assignment rows = Assignment.of(plan, x.dim(0));
        multiply(rows, weight, x, (e, i) -> rows.token(rows.offsets()[e] + i), gateUp);
        activate(gateUp, activated);
    }

    private interface Pick {
        int row(int expert, int row);
    }

    private void multiply(Assignment rows, Packed weight, Tensor x, Pick pick, Tensor y) {
        List<PackedVector.Problem> problems = new ArrayList<>();
        for (int e = 0; e < rows.experts(); e++) {
            int expert = e;
            if (rows.count(e) > 0) {
                problems.add(new PackedVector.Problem(
                        rows.count(e), i -> pick.row(expert, i), x, weight.matrix(e), rows.of(y, e), false));
            }
        }
        packed.run(problems);
    }

    private void activate(Tensor gateUp, Tensor activated) {
        Tasks.rows(workers, activated.size(0), 4 * activated.dim(1), (from, to, _) -> {
            for (int row = from; row < to; row++) {
                SwigluVector.forwardRow(
                        gateUp.memory(),
                        row * gateUp.stride(0),
                        activated.memory(),
                        row * activated.stride(0),
                        activated.size(1));
            }
        });
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor to) {
        multiplyRows(activated, plan, weight.value(), Gemm::transposed, to);
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor to) {
        Tasks.requireFloats("Experts", activated, to);
        Assignment rows = Assignment.of(plan);
        multiply(rows, weight, activated, (e, i) -> rows.offsets()[e] + i, to);
    }

    /// The rows of each expert times its matrix.
    private void multiplyRows(
            Tensor x, Routing.Plan plan, Tensor weight, Function<Tensor, Gemm.Right> right, Tensor to) {
        Tasks.requireFloats("Experts", x, weight, to);
        Assignment rows = Assignment.of(plan);
        forEachExpert(
                weight.size(0),
                e -> new Gemm.Problem(
                        rows.count(e),
                        to.size(1),
                        x.size(1),
                        Gemm.rows(rows.of(x, e)),
                        false,
                        right.apply(weight.select(0, e)),
                        Gemm.into(rows.of(to, e), false)));
    }

    @Override
    protected void join(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y) {
        Tasks.requireFloats("Experts", rows, y);
        int[] row = slotRow.toInts();
        int topK = row.length / y.size(0);
        float[] factors = weights == null ? null : weights.toFloats();
        Tasks.rows(workers, y.size(0), y.dim(1) * topK, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (int slot = t * topK; slot < (t + 1) * topK; slot++) {
                    float factor = factors == null ? 1 : factors[slot];
                    Rows.add(rows.memory(), row[slot] * rows.stride(0), factor, y.memory(), t * y.stride(0), y.size(1));
                }
            }
        });
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
        Tasks.requireFloats("Experts", dy, weight.value(), weights, activated, dActivated, dWeights);
        Assignment rows = Assignment.of(plan, dy.dim(0));
        forEachExpert(weight.value().size(0), e -> {
            int start = rows.offsets()[e];
            return new Gemm.Problem(
                    rows.count(e),
                    activated.size(1),
                    dy.size(1),
                    Gemm.rows(dy, i -> rows.token(start + i)),
                    false,
                    Gemm.plain(weight.value().select(0, e)),
                    Gemm.into(dActivated.slice(0, start, start + rows.count(e)), false));
        });
        MemorySegment factors = weights.memory();
        int inner = activated.size(1);
        Tasks.rows(workers, activated.size(0), 2L * inner, (from, to, _) -> {
            for (int row = from; row < to; row++) {
                long d = row * dActivated.stride(0);
                float dWeight = Rows.dot(dActivated.memory(), d, activated.memory(), row * activated.stride(0), inner);
                dWeights.memory().setAtIndex(ValueLayout.JAVA_FLOAT, rows.rowSlot()[row], dWeight);
                Rows.scale(
                        dActivated.memory(), d, factors.getAtIndex(ValueLayout.JAVA_FLOAT, rows.rowSlot()[row]), inner);
            }
        });
    }

    @Override
    protected void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {
        Tasks.requireFloats("Experts", dy, weights, activated, dWeight);
        Assignment rows = Assignment.of(plan, dy.dim(0));
        float[] factors = weights.toFloats();
        forEachExpert(dWeight.size(0), e -> {
            int start = rows.offsets()[e];
            return new Gemm.Problem(
                    rows.count(e) == 0 ? 0 : dy.size(1),
                    activated.size(1),
                    rows.count(e),
                    Gemm.columns(dy, p -> rows.token(start + p), p -> factors[rows.rowSlot()[start + p]]),
                    true,
                    Gemm.plain(activated.slice(0, start, start + rows.count(e))),
                    Gemm.into(dWeight.select(0, e), true));
        });
    }

    @Override
    protected void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor to) {
        multiplyRows(dGateUp, plan, weight.value(), Gemm::plain, to);
    }

    @Override
    protected void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {
        Tasks.requireFloats("Experts", dGateUp, x, dWeight);
        Assignment rows = Assignment.of(plan, x.dim(0));
        forEachExpert(dWeight.size(0), e -> {
            int start = rows.offsets()[e];
            int end = start + rows.count(e);
            return new Gemm.Problem(
                    rows.count(e) == 0 ? 0 : dGateUp.size(1),
                    x.size(1),
                    rows.count(e),
                    Gemm.columns(dGateUp.slice(0, start, end)),
                    true,
                    Gemm.plain(x, p -> rows.token(start + p)),
                    Gemm.into(dWeight.select(0, e), true));
        });
    }
}
