package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What the experts' kernels do beyond [dev.wok.kernel.ExpertsTest]: rows that do not notice each other, rows in
/// bfloat16, and plans that are wrong.
class ExpertsPtxTest {
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_90A);

    private final EmulatedGpu gpu = Device.emulated();
    private final Memory memory = gpu.pinned();

    private Tensor here(Tensor host) {
        return OnGpu.copy(gpu, host);
    }

    private Tensor empty(DType dtype, long... shape) {
        return here(Tensors.of(_ -> Double.NaN, dtype, shape));
    }

    private Experts experts(Target target, Precision precision) {
        return new ExpertsPtx(new Programs(gpu, target), precision);
    }

    /// @param chosen the experts of each token's slots, one token after the other
    private Plan plan(int experts, int... chosen) {
        int[] offsets = new int[experts + 1];
        int[] rowSlot = new int[chosen.length];
        int[] slotRow = new int[chosen.length];
        int row = 0;
        for (int e = 0; e < experts; e++) {
            for (int slot = 0; slot < chosen.length; slot++) {
                if (chosen[slot] == e) {
                    rowSlot[row] = slot;
                    slotRow[slot] = row++;
                }
            }
            offsets[e + 1] = row;
        }
        return new Plan(here(Tensor.of(offsets)), here(Tensor.of(rowSlot)), here(Tensor.of(slotRow)));
    }

    /// The operations whose results belong to a row or a token.
    private record Results(Tensor gateUp, Tensor activated, Tensor y, Tensor dActivated, Tensor dWeights, Tensor dx) {}

    /// A layer's operands.
    private record Operands(Weight up, Weight down, Tensor x, Tensor factors, Tensor dy) {
        Operands token(int t) {
            return new Operands(up, down, x.slice(0, t, t + 1), factors.slice(0, t, t + 1), dy.slice(0, t, t + 1));
        }
    }

    private Results run(Experts experts, Plan plan, Operands o) {
        int rows = plan.rowSlot().size(0);
        long hidden = o.x.dim(1);
        long inner = o.up.shape()[1] / 2;
        DType dtype = o.x.dtype();
        Tensor gateUp = empty(dtype, rows, 2 * inner);
        Tensor activated = empty(dtype, rows, inner);
        Tensor scratch = empty(dtype, rows, hidden);
        Tensor y = here(Tensors.zeros(dtype, o.x.shape()));
        Tensor dActivated = empty(dtype, rows, inner);
        Tensor dWeights = empty(dtype, o.factors.shape());
        Tensor dx = here(Tensors.zeros(dtype, o.x.shape()));
        experts.gateUp(o.x, plan, o.up, gateUp, activated);
        experts.down(activated, plan, o.down, o.factors, scratch, y);
        if (o.down instanceof Dense down && o.up instanceof Dense up) {
            experts.downBackward(o.dy, plan, down, o.factors, activated, dActivated, dWeights);
            experts.gateUpBackward(gateUp, plan, up, scratch, dx);
        }
        return new Results(gateUp, activated, y, dActivated, dWeights, dx);
    }

    private static void assertRow(String name, Tensor all, int row, Tensor alone, int aloneRow) {
        Close.assertSame(name, all.slice(0, row, row + 1), alone.slice(0, aloneRow, aloneRow + 1));
    }

    private void assertAloneAsAmongOthers(String name, Experts experts, Operands o, int count, int[] chosen) {
        int topK = o.factors.size(1);
        Plan plan = plan(count, chosen);
        Results all = run(experts, plan, o);
        for (int t : new int[] {0, o.x.size(0) - 1}) {
            Plan own = plan(count, Arrays.copyOfRange(chosen, t * topK, (t + 1) * topK));
            Results alone = run(experts, own, o.token(t));
            gpu.stream().synchronize();
            for (int i = 0; i < topK; i++) {
                int row = plan.slotRow().getInt((long) t * topK + i);
                int ownRow = own.slotRow().getInt(i);
                assertRow(name + " gateUp", all.gateUp, row, alone.gateUp, ownRow);
                assertRow(name + " activated", all.activated, row, alone.activated, ownRow);
                assertRow(name + " dActivated", all.dActivated, row, alone.dActivated, ownRow);
            }
            assertRow(name + " y", all.y, t, alone.y, 0);
            assertRow(name + " dWeights", all.dWeights, t, alone.dWeights, 0);
            assertRow(name + " dx", all.dx, t, alone.dx, 0);
        }
    }

    /// Rows that say whose they are have the bits of rows that hold their tokens; one token has none.
    @Test
    void rowsSayTheirTokens() {
        int[] rowToken = {0, 2, 4, 0, 4, 1, 2};
        Tensor offsets = here(Tensor.of(0, 3, 3, 7));
        Tensor identity = here(Tensor.of(0, 1, 2, 3, 4, 5, 6));
        Plan plain = new Plan(offsets, identity, identity);
        Plan saying = new Plan(offsets, identity, identity, here(Tensor.of(rowToken)));
        for (Precision precision : List.of(Precision.F32, Precision.BF16)) {
            for (Target target : TARGETS) {
                Experts experts = experts(target, precision);
                Tensor tokens = Tensors.normal(new Rng(3), DType.F32, 5, 40);
                Tensor rows = Tensors.of(i -> tokens.get(rowToken[(int) i / 40] * 40 + i % 40), DType.F32, 7, 40);
                List<Tensor> expected = results(experts, plain, here(rows));
                List<Tensor> actual = results(experts, saying, here(tokens));
                gpu.stream().synchronize();
                for (int i = 0; i < expected.size(); i++) {
                    Close.assertSame(target + ", result " + i, expected.get(i), actual.get(i));
                }
            }
        }
    }

    /// @param x tokens, and gradients of their results
    private List<Tensor> results(Experts experts, Plan plan, Tensor x) {
        Tensor up = Tensors.normal(new Rng(5), DType.F32, 3, 48, 40);
        Tensor down = here(Tensors.normal(new Rng(6), DType.F32, 3, 40, 24));
        Tensor weights = here(Tensors.normal(new Rng(7), DType.F32, 7, 1));
        Tensor gateUp = empty(DType.F32, 7, 48);
        Tensor activated = empty(DType.F32, 7, 24);
        Tensor packed = empty(DType.F32, 7, 48);
        Tensor dActivated = empty(DType.F32, 7, 24);
        Tensor dWeights = empty(DType.F32, 7, 1);
        Tensor dDown = here(Tensors.zeros(DType.F32, down.shape()));
        Tensor dUp = here(Tensors.zeros(DType.F32, up.shape()));
        experts.gateUp(x, plan, Packed.of(up, Packed.Element.INT8, 32, Activations.FLOAT, memory), packed, activated);
        experts.gateUp(x, plan, Weight.of(here(up)), gateUp, activated);
        experts.downBackward(x, plan, Weight.of(down), weights, activated, dActivated, dWeights);
        experts.downWeightGradient(x, plan, weights, activated, dDown);
        experts.gateUpWeightGradient(gateUp, plan, x, dUp);
        return List.of(packed, gateUp, activated, dActivated, dWeights, dDown, dUp);
    }

    /// A row is the same bits alone and among others, in whatever tile.
    @Test
    void bitsDoNotDependOnOtherRows() {
        Rng rng = Seeds.rng("alone");
        int experts = 2;
        int tokens = 70;
        int topK = 2;
        int hidden = 136;
        int inner = 72;
        int[] chosen = new int[tokens * topK];
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] = (i + i / topK) % topK;
        }
        Tensor up = here(Tensors.normal(rng.split("u"), DType.F32, experts, 2 * inner, hidden));
        Tensor down = here(Tensors.normal(rng.split("d"), DType.F32, experts, hidden, inner));
        Operands o = new Operands(
                Weight.of(up),
                Weight.of(down),
                here(Tensors.normal(rng.split("x"), DType.F32, tokens, hidden)),
                here(Tensors.normal(rng.split("f"), DType.F32, tokens, topK)),
                here(Tensors.normal(rng.split("dy"), DType.F32, tokens, hidden)));
        assertAloneAsAmongOthers("F32", experts(Target.SM_80, Precision.F32), o, experts, chosen);
        for (Target target : TARGETS) {
            assertAloneAsAmongOthers("" + target, experts(target, Precision.BF16), o, experts, chosen);
        }
        for (Activations entering : Activations.values()) {
            Operands packed = new Operands(
                    Packed.of(up, Packed.Element.INT4, 64, entering, memory),
                    Packed.of(down, Packed.Element.INT4, 64, entering, memory),
                    o.x,
                    o.factors,
                    o.dy);
            assertAloneAsAmongOthers(
                    "packed " + entering, experts(Target.SM_80, Precision.BF16), packed, experts, chosen);
        }
    }

    /* The reference computes from the same bfloat16 numbers in double precision and rounds its results too. A result is at
     * most one rounding on either side from what is near to it, and what it is computed from is rounded alike but where
     * two numbers lie on either side of a tie; sums of such differ by as much of the sum of the magnitudes.
     */
    @Test
    void rowsInBf16() {
        Rng rng = Seeds.rng("bf16");
        for (int inner : new int[] {24, 13}) {
            int experts = 3;
            int hidden = inner + 16;
            int tokens = 9;
            int topK = 2;
            int[] chosen = new int[tokens * topK];
            for (int i = 0; i < chosen.length; i++) {
                chosen[i] = (i + i / 5) % topK * 2;
            }
            Tensor x = bf16(rng.split("x"), tokens, hidden);
            Tensor up = bf16(rng.split("u"), experts, 2L * inner, hidden);
            Tensor down = bf16(rng.split("d"), experts, hidden, inner);
            Tensor factors = bf16(rng.split("f"), tokens, topK);
            Tensor dy = bf16(rng.split("dy"), tokens, hidden);
            Plan plan = plan(experts, chosen);
            for (Precision precision : Precision.values()) {
                Operands o = new Operands(Weight.of(here(up)), Weight.of(here(down)), here(x), here(factors), here(dy));
                Experts reference = Kernels.on(Device.host(1).stream(), Backend.REFERENCE, precision)
                        .experts();
                Results expected = run(reference, plan, o);
                Tensor gradient = bf16(rng.split("g"), experts, hidden, inner);
                Tensor expectedGradient = here(gradient);
                reference.downWeightGradient(o.dy, plan, o.factors, expected.activated, expectedGradient);
                for (Target target : TARGETS) {
                    Experts own = experts(target, precision);
                    Results got = run(own, plan, o);
                    Tensor gotGradient = here(gradient);
                    own.downWeightGradient(o.dy, plan, o.factors, expected.activated, gotGradient);
                    gpu.stream().synchronize();
                    assertNear("gateUp", expected.gateUp, got.gateUp);
                    assertNear("activated", expected.activated, got.activated);
                    assertNear("y", expected.y, got.y);
                    assertNear("dActivated", expected.dActivated, got.dActivated);
                    assertNear("dWeights", expected.dWeights, got.dWeights);
                    assertNear("dx", expected.dx, got.dx);
                    assertNear("dWeight", expectedGradient, gotGradient);
                }
            }
        }
    }

    private static Tensor bf16(Rng rng, long... shape) {
        return Tensors.as(DType.BF16, Tensors.normal(rng, DType.F32, shape));
    }

    /// Within three roundings of the largest number there is.
    private static void assertNear(String name, Tensor expected, Tensor got) {
        double largest = 0;
        for (double value : Tensors.values(expected)) {
            largest = Math.max(largest, Math.abs(value));
        }
        double bound = 3 * 0x1p-8 * largest;
        Close.assertClose(name, expected, got, Tensors.of(_ -> bound, DType.F64, expected.shape()));
    }

    /// Slots, rows and offsets outside of their tables: nothing is touched that should not be, and what they concern is
    /// NaN.
    @Test
    void wrongPlans() {
        Rng rng = Seeds.rng("wrong");
        int experts = 3;
        int hidden = 20;
        int inner = 12;
        for (Precision precision : Precision.values()) {
            for (Target target : TARGETS) {
                for (int wrong : new int[] {-1, 6, Integer.MAX_VALUE}) {
                    Operands o = new Operands(
                            Weight.of(here(Tensors.normal(rng.split("u"), DType.F32, experts, 2 * inner, hidden))),
                            Weight.of(here(Tensors.normal(rng.split("d"), DType.F32, experts, hidden, inner))),
                            here(Tensors.normal(rng.split("x"), DType.F32, 3, hidden)),
                            here(Tensors.normal(rng.split("f"), DType.F32, 3, 2)),
                            here(Tensors.normal(rng.split("dy"), DType.F32, 3, hidden)));
                    Plan plan = plan(experts, 0, 2, 2, 0, 0, 2);
                    int row = plan.slotRow().getInt(3);
                    plan.rowSlot().set(row, wrong);
                    plan.slotRow().set(3, wrong);
                    Experts own = experts(target, precision);
                    Results got = run(own, plan, o);
                    Tensor gradient = here(Tensors.zeros(DType.F32, experts, hidden, inner));
                    own.downWeightGradient(o.dy, plan, o.factors, got.activated, gradient);
                    Tensor upGradient = here(Tensors.zeros(DType.F32, experts, 2 * inner, hidden));
                    own.gateUpWeightGradient(got.gateUp, plan, o.x, upGradient);
                    gpu.stream().synchronize();
                    for (int r = 0; r < 6; r++) {
                        assertNumbers(r != row, got.gateUp.slice(0, r, r + 1));
                        assertNumbers(r != row, got.dActivated.slice(0, r, r + 1));
                    }
                    for (int t = 0; t < 3; t++) {
                        assertNumbers(t != 1, got.y.slice(0, t, t + 1));
                        assertNumbers(t != 1, got.dx.slice(0, t, t + 1));
                    }
                    for (int e = 0; e < experts; e++) {
                        assertNumbers(e != 0, gradient.slice(0, e, e + 1));
                        assertNumbers(e != 0, upGradient.slice(0, e, e + 1));
                    }
                    plan.offsets().set(1, wrong);
                    plan.offsets().set(2, wrong);
                    run(own, plan, o);
                    own.downWeightGradient(o.dy, plan, o.factors, got.activated, gradient);
                    gpu.stream().synchronize();
                }
            }
        }
    }

    private static void assertNumbers(boolean areNumbers, Tensor tensor) {
        for (double value : Tensors.values(tensor)) {
            assertEquals(areNumbers, !Double.isNaN(value));
        }
    }
}
