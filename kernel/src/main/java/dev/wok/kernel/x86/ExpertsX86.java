package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.WeightedRows;
import dev.wok.kernel.host.Assignment;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

final class ExpertsX86 extends Experts {
    private static final int ROWS_PER_TASK = 64;

    private final Gemm gemm;
    private final Forms forms;
    private final PackedGemm packed;
    private final Precision precision;
    private final Workers workers;
    private final Programs programs;
    private final WeightedRows[] selected;

    ExpertsX86(Gemm gemm, Forms forms, PackedGemm packed, Precision precision) {
        this.packed = packed;
        this.gemm = gemm;
        this.forms = forms;
        this.precision = precision;
        programs = gemm.programs();
        workers = programs.device().workers();
        selected = new WeightedRows[workers.count()];
        Arrays.setAll(selected, _ -> new WeightedRows());
    }

    private static void requireFloats(Tensor... tensors) {
        for (Tensor tensor : tensors) {
            Shape.require("Experts on the x86 backend", tensor, "an operand", DType.F32);
        }
    }

    /// Runs a product for each expert that has rows.
    private void forEachExpert(Assignment rows, IntFunction<Gemm.Problem> problem) {
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int e = 0; e < rows.experts(); e++) {
            if (rows.count(e) > 0) {
                problems.add(problem.apply(e));
            }
        }
        gemm.run(problems);
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated) {
        List<Panels> right = forms.of(weight, true, precision);
        gatherGateUp(x, plan, right::get, precision, gateUp, activated);
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated) {
        if (!weight.element().isScaled()) {
            gatherGateUp(x, plan, e -> gemm.panels(weight.matrix(e), precision), entering(weight), gateUp, activated);
            return;
        }
        requireFloats(x, gateUp, activated);
        Span.address(gateUp);
        Span.address(activated);
        Assignment rows = Assignment.of(plan, x.dim(0));
        PackedGemm.Left tokens = packed.enter(x, weight, precision);
        multiply(rows, x.dim(0) == 1 ? _ -> tokens : inOrder(rows, tokens), weight, gateUp);
        workers.run((gateUp.size(0) + ROWS_PER_TASK - 1) / ROWS_PER_TASK, (task, _) -> {
            int row = task * ROWS_PER_TASK;
            activate(gateUp, activated, row, Math.min(ROWS_PER_TASK, gateUp.size(0) - row));
        });
        Reference.reachabilityFence(activated);
    }

    private Precision entering(Packed weight) {
        return weight.exact() ? Precision.F32 : precision;
    }

    /// The rows of each expert, one behind the other.
    private IntFunction<PackedGemm.Left> inOrder(Assignment rows, PackedGemm.Left tokens) {
        PackedGemm.Left sorted = packed.gather(tokens, rows.rowSlot().length, rows::token);
        return e -> sorted.from(rows.offsets()[e]);
    }

    /// The rows of each expert that has some times its matrix.
    private void multiply(Assignment rows, IntFunction<PackedGemm.Left> left, Packed weight, Tensor y) {
        List<PackedGemm.Problem> problems = new ArrayList<>();
        for (int e = 0; e < rows.experts(); e++) {
            if (rows.count(e) > 0) {
                problems.add(
                        new PackedGemm.Problem(rows.count(e), left.apply(e), weight.matrix(e), rows.of(y, e), false));
            }
        }
        packed.run(problems);
    }

    private void gatherGateUp(
            Tensor x, Routing.Plan plan, IntFunction<Panels> right, Precision in, Tensor gateUp, Tensor activated) {
        requireFloats(x, gateUp, activated);
        Span.address(gateUp);
        Span.address(activated);
        Assignment rows = Assignment.of(plan, x.dim(0));
        forEachExpert(rows, e -> {
            int start = rows.offsets()[e];
            return new Gemm.Problem(
                    rows.count(e),
                    gemm.rows(x, i -> rows.token(start + i), in),
                    right.apply(e),
                    rows.of(gateUp, e),
                    false,
                    (row, count) -> activate(gateUp, activated, start + row, count));
        });
        Reference.reachabilityFence(activated);
    }

    private void activate(Tensor gateUp, Tensor activated, int row, int count) {
        programs.get(Activate.class, Activate::write)
                .call(
                        gateUp.memory().address() + row * Span.stride(gateUp, 0),
                        activated.memory().address() + row * Span.stride(activated, 0),
                        activated.dim(1),
                        count,
                        Span.stride(gateUp, 0),
                        Span.stride(activated, 0));
    }

    /// `out = silu(gate) * up` of some rows. Arguments: gate and up, out, width of out, rows, bytes between rows of
    /// either.
    private static final class Activate {
        static void write(Lanes l) {
            Label row = l.x.here();
            l.x.lea(R11, Mem.at(RDI, RDX, 4, 0));
            l.each(RAX, RDX, R10, () -> {
                l.load(l.v(0), Mem.at(RDI, RAX, 4, 0));
                l.move(l.v(1), l.v(0));
                l.sigmoid(l.v(0), l.v(2), l.v(3));
                l.mul(l.v(0), l.v(0), l.v(1));
                l.load(l.v(1), Mem.at(R11, RAX, 4, 0));
                l.mul(l.v(0), l.v(0), l.v(1));
                l.store(Mem.at(RSI, RAX, 4, 0), l.v(0));
            });
            l.x.add(RDI, R8);
            l.x.add(RSI, R9);
            l.x.sub(RCX, 1);
            l.x.jump(Condition.NOT_EQUAL, row);
            l.end();
        }
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor to) {
        multiplyRows(activated, plan, forms.of(weight, true, precision)::get, precision, to);
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor to) {
        if (!weight.element().isScaled()) {
            multiplyRows(activated, plan, e -> gemm.panels(weight.matrix(e), precision), entering(weight), to);
            return;
        }
        requireFloats(activated, to);
        Assignment rows = Assignment.of(plan);
        PackedGemm.Left left = packed.enter(activated, weight, precision);
        multiply(rows, e -> left.from(rows.offsets()[e]), weight, to);
    }

    /// The rows of each expert times its matrix.
    private void multiplyRows(Tensor x, Routing.Plan plan, IntFunction<Panels> right, Precision in, Tensor to) {
        requireFloats(x, to);
        Assignment rows = Assignment.of(plan);
        forEachExpert(
                rows,
                e -> new Gemm.Problem(
                        rows.count(e),
                        gemm.rows(rows.of(x, e), i -> i, in),
                        right.apply(e),
                        rows.of(to, e),
                        false,
                        null));
    }

    @Override
    protected void join(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y) {
        requireFloats(rows, y);
        float[] factors = null;
        if (weights != null) {
            requireFloats(weights);
            factors = weights.toFloats();
        }
        sum(rows, slotRow.toInts(), factors, y);
    }

    /// `y[t] += sum_k factor[t, k] rows[row of choice k of t]`.
    private void sum(Tensor rows, int[] slotRow, float @Nullable [] factors, Tensor y) {
        long from = Span.address(rows);
        long to = Span.address(y);
        long row = Span.stride(rows, 0);
        int tokens = y.size(0);
        int topK = slotRow.length / tokens;
        Program sum = Rows.weightedSum(programs, true);
        workers.run((tokens + ROWS_PER_TASK - 1) / ROWS_PER_TASK, (task, worker) -> {
            WeightedRows some = selected[worker];
            for (int t = task * ROWS_PER_TASK; t < Math.min(tokens, (task + 1) * ROWS_PER_TASK); t++) {
                some.clear();
                for (int slot = t * topK; slot < (t + 1) * topK; slot++) {
                    some.add(slotRow[slot] * row, factors == null ? 1 : factors[slot]);
                    if (slot + topK < slotRow.length) {
                        some.onward(slot - t * topK, slotRow[slot + topK] * row, y.dim(1) * Float.BYTES);
                    }
                }
                sum.call(
                        from,
                        to + t * Span.stride(y, 0),
                        y.dim(1),
                        some.memory().address(),
                        topK);
            }
        });
        Reference.reachabilityFence(rows);
        Reference.reachabilityFence(y);
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
        requireFloats(dy, weights, activated, dActivated, dWeights);
        Assignment rows = Assignment.of(plan, dy.dim(0));
        List<Panels> right = forms.of(weight, false, precision);
        forEachExpert(rows, e -> {
            int start = rows.offsets()[e];
            return new Gemm.Problem(
                    rows.count(e),
                    gemm.rows(dy, i -> rows.token(start + i), precision),
                    right.get(e),
                    rows.of(dActivated, e),
                    false,
                    null);
        });
        long slopes = Span.address(dActivated);
        long values = Span.address(activated);
        long factors = Span.address(weights);
        long results = Span.address(dWeights);
        int count = activated.size(0);
        workers.run((count + ROWS_PER_TASK - 1) / ROWS_PER_TASK, (task, _) -> {
            for (int row = task * ROWS_PER_TASK; row < Math.min(count, (task + 1) * ROWS_PER_TASK); row++) {
                long slot = (long) rows.rowSlot()[row] * Float.BYTES;
                programs.get(DotAndScale.class, DotAndScale::write)
                        .call(
                                slopes + row * Span.stride(dActivated, 0),
                                values + row * Span.stride(activated, 0),
                                activated.dim(1),
                                factors + slot,
                                results + slot);
            }
        });
        Reference.reachabilityFence(List.of(dActivated, activated, weights, dWeights));
    }

    /// `result = d . a`, then `d = factor d`. Arguments: `d`, `a`, their width, the factor's address, the result's.
    private static final class DotAndScale {
        static void write(Lanes l) {
            l.zero(l.v(0));
            l.zero(l.v(1));
            l.x.op(VBROADCASTSS, l.v(2), Mem.at(RCX));
            l.each(RAX, RDX, R10, 2, copy -> {
                Mem d = Mem.at(RDI, RAX, 4, copy * l.isa().bytes());
                l.load(l.v(3 + copy), d);
                l.load(l.v(5 + copy), Mem.at(RSI, RAX, 4, copy * l.isa().bytes()));
                l.fma(l.v(copy), l.v(3 + copy), l.v(5 + copy));
                l.mul(l.v(3 + copy), l.v(3 + copy), l.v(2));
                l.store(d, l.v(3 + copy));
            });
            l.add(l.v(0), l.v(0), l.v(1));
            l.sum(l.v(0), l.v(1));
            l.x.op(VMOVSS, Mem.at(R8), l.v(0).as(16));
            l.end();
        }
    }

    @Override
    protected void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {
        requireFloats(dy, weights, activated, dWeight);
        Assignment rows = Assignment.of(plan, dy.dim(0));
        float[] factors = weights.toFloats();
        List<Panels> right = pack(rows, activated.size(1), e -> rows.of(activated, e), null);
        forEachExpert(rows, e -> {
            int start = rows.offsets()[e];
            return new Gemm.Problem(
                    dy.size(1),
                    gemm.columns(dy, p -> rows.token(start + p), p -> factors[rows.rowSlot()[start + p]], precision),
                    right.get(e),
                    dWeight.select(0, e),
                    true,
                    null);
        });
    }

    @Override
    protected void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor to) {
        multiplyRows(dGateUp, plan, forms.of(weight, false, precision)::get, precision, to);
    }

    @Override
    protected void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {
        requireFloats(dGateUp, x, dWeight);
        Assignment rows = Assignment.of(plan, x.dim(0));
        List<Panels> right = pack(rows, x.size(1), _ -> x, rows);
        forEachExpert(
                rows,
                e -> new Gemm.Problem(
                        dGateUp.size(1),
                        gemm.columns(rows.of(dGateUp, e), p -> p, null, precision),
                        right.get(e),
                        dWeight.select(0, e),
                        true,
                        null));
    }

    /// Packs each expert's rows as the right operand of its weight's gradient.
    ///
    /// @param gathered whose tokens are picked, or null where the matrix holds the expert's rows already
    private List<Panels> pack(Assignment rows, int n, IntFunction<Tensor> matrix, @Nullable Assignment gathered) {
        long[] at = new long[rows.experts() + 1];
        for (int e = 0; e < rows.experts(); e++) {
            at[e + 1] = at[e] + (gemm.panelBytes(n, rows.count(e), precision) + 63) / 64 * 64;
        }
        MemorySegment memory = gemm.temporary(at[rows.experts()]);
        List<Panels> panels = new ArrayList<>();
        List<Gemm.Right> operands = new ArrayList<>();
        for (int e = 0; e < rows.experts(); e++) {
            int start = rows.offsets()[e];
            Panels to = gemm.panels(memory.asSlice(at[e]), n, rows.count(e), precision);
            panels.add(to);
            operands.add(
                    new Gemm.Right(matrix.apply(e), false, p -> gathered == null ? p : gathered.token(start + p), to));
        }
        gemm.pack(operands, precision);
        return panels;
    }
}
