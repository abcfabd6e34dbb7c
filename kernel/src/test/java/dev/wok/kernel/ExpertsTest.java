package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.abs;
import static dev.wok.kernel.Contract.dot;
import static dev.wok.kernel.Contract.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.kernel.Routing.Plan;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/* All but SwiGLU is a sum of products, linear in each operand: the reference on absolute values gives sum |a b|, and
 * the number of terms (plus a few for factors and additions) times u bounds the relative error of each sum. In
 * bfloat16 the operands are rounded alike on both sides, but for w_r dy_t in the gradient of the down weights, which
 * each side computes and then rounds.
 */
class ExpertsTest {
    private static final Memory MEMORY = Device.host(1).memory();

    private static Property sizes(String name) {
        return sizes(name, 70);
    }

    private static Property sizes(String name, int tokens) {
        return Property.of(name)
                .size("tokens", 1, tokens)
                .size("experts", 1, 9)
                .size("topK", 1, 4)
                .size("hidden", 1, 70)
                .size("inner", 1, 50)
                .size("gap", 0, 3)
                .flag("bytes")
                .cases(Contract.orOnPtx(25, 8));
    }

    /// Sizes within a block of the products, and sizes that take several.
    private static void everySize(String name, Consumer<Case> body) {
        sizes(name).check(body);
        Property.of(name + ", several blocks")
                .size("tokens", 257, 270)
                .size("experts", 1, 2)
                .size("topK", 1, 1)
                .size("hidden", 257, 270)
                .size("inner", 241, 258)
                .size("gap", 0, 3)
                .flag("bytes")
                .cases(2)
                .check(body);
        Property.of(name + ", many experts")
                .size("tokens", 1, 12)
                .size("experts", 33, 300)
                .size("topK", 1, 8)
                .size("hidden", 1, 40)
                .size("inner", 1, 20)
                .size("gap", 0, 3)
                .flag("bytes")
                .cases(2)
                .check(body);
    }

    /// A case's sizes and a plan in which some experts get nothing.
    private record Layer(int tokens, int experts, int topK, int hidden, int inner, int gap, Plan plan) {
        static Layer of(Case c) {
            int experts = c.size("experts");
            int topK = Math.min(experts, c.size("topK"));
            int tokens = c.size("tokens");
            int used = Math.max(topK, (experts + 1) / 2);
            Tensor chosen =
                    Tensors.of(i -> (c.rng("first").below(i / topK, used) + i % topK) % used, DType.I32, tokens, topK);
            Plan plan = RoutingTest.plan(experts, tokens * topK);
            REFERENCE.routing().plan(chosen, plan, Tensors.zeros(DType.I32, experts));
            return new Layer(tokens, experts, topK, c.size("hidden"), c.size("inner"), c.size("gap"), plan);
        }

        int rows() {
            return tokens * topK;
        }

        /// @return the plan in memory that a run's kernels see
        Plan plan(Contract.Run run) {
            return ExpertsTest.plan(run, plan);
        }
    }

    private static Plan plan(Contract.Run run, Plan plan) {
        return new Plan(
                run.integers(plan.offsets().toInts()),
                run.integers(plan.rowSlot().toInts()),
                run.integers(plan.slotRow().toInts()));
    }

    /* A row of an expert is a row of that expert's matrix product, bit for bit. Of the activation each of the few steps of
     * a sigmoid and two products rounds once; of the sum each product and each sum does.
     */
    @Test
    void packed() {
        for (Packed.Element element : Packed.Element.values()) {
            Consumer<Case> body = c -> {
                Layer l = Layer.of(c);
                Activations entering = c.flag("bytes") ? Activations.INT8 : Activations.FLOAT;
                Tensor x = Tensors.normal(c.rng("x"), DType.F32, l.tokens, l.hidden);
                Tensor factors = Tensors.normal(c.rng("f"), DType.F32, l.tokens, l.topK);
                Packed up = Packed.of(
                        Tensors.normal(c.rng("up"), DType.F32, l.experts, 2L * l.inner, l.hidden),
                        element,
                        32,
                        entering,
                        MEMORY);
                Packed down = Packed.of(
                        Tensors.normal(c.rng("down"), DType.F32, l.experts, l.hidden, l.inner),
                        element,
                        32,
                        entering,
                        MEMORY);
                for (Precision precision : Precision.values()) {
                    Stream.concat(Stream.of(Contract.reference(precision)), Contract.fast(precision))
                            .forEach(kernels -> packed(
                                    kernels,
                                    l,
                                    Contract.seenBy(kernels, l.plan),
                                    Contract.seenBy(kernels, x),
                                    Contract.seenBy(kernels, factors),
                                    Contract.seenBy(kernels, up),
                                    Contract.seenBy(kernels, down)));
                }
            };
            sizes("Experts, %s".formatted(element), Contract.orOnPtx(70, 12))
                    .cases(Contract.orOnPtx(6, 2))
                    .check(body);
            Property.of("Experts, %s, many rows".formatted(element))
                    .size("tokens", 40, 50)
                    .size("experts", 2, 3)
                    .size("topK", 1, 2)
                    .size("hidden", 65, 100)
                    .size("inner", 17, 40)
                    .size("gap", 0, 0)
                    .flag("bytes")
                    .cases(Contract.orOnPtx(2, 1))
                    .check(body);
        }
    }

    private static void packed(Kernels kernels, Layer l, Plan plan, Tensor x, Tensor factors, Packed up, Packed down) {
        String what = up + " on " + kernels.choice();
        Tensor gateUp = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.rows(), 2L * l.inner));
        Tensor activated = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.rows(), l.inner));
        Tensor scratch = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.rows(), l.hidden));
        Tensor y = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.tokens, l.hidden));
        kernels.experts().gateUp(x, plan, up, gateUp, activated);
        kernels.experts().down(activated, plan, down, factors, scratch, y);
        kernels.stream().synchronize();
        double[] sums = new double[l.tokens * l.hidden];
        double[] sizes = new double[sums.length];
        for (int e = 0; e < l.experts; e++) {
            for (int row = plan.offsets().getInt(e); row < plan.offsets().getInt(e + 1); row++) {
                int slot = plan.rowSlot().getInt(row);
                int token = slot / l.topK;
                Tensor wide = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, 2L * l.inner));
                kernels.matmul().linear(x.slice(0, token, token + 1), up.matrix(e), wide, false);
                kernels.stream().synchronize();
                Close.assertSame(what, wide, gateUp.slice(0, row, row + 1));
                for (int i = 0; i < l.inner; i++) {
                    double silu = wide.get(i) / (1 + Math.exp(-wide.get(i)));
                    double expected = silu * wide.get(l.inner + i);
                    double bound = 12 * U * Math.abs(expected) + Contract.TINY;
                    assertEquals(expected, activated.get((long) row * l.inner + i), bound, what);
                }
                Tensor out = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, l.hidden));
                kernels.matmul().linear(activated.slice(0, row, row + 1), down.matrix(e), out, false);
                kernels.stream().synchronize();
                for (int i = 0; i < l.hidden; i++) {
                    sums[token * l.hidden + i] += factors.get(slot) * out.get(i);
                    sizes[token * l.hidden + i] += Math.abs(factors.get(slot) * out.get(i));
                }
            }
        }
        for (int i = 0; i < sums.length; i++) {
            assertEquals(sums[i], y.get(i), (l.topK + 2) * U * sizes[i] + Contract.TINY, what);
        }
    }

    private static void eachPacked(String name, BiConsumer<Packed.Element, Case> body) {
        for (Packed.Element element : Packed.Element.values()) {
            Property.of("Experts.%s, %s".formatted(name, element))
                    .size("tokens", 1, 30)
                    .size("experts", 1, 9)
                    .size("topK", 1, 4)
                    .size("hidden", 1, 400)
                    .size("inner", 1, 70)
                    .size("gap", 0, 3)
                    .size("group", 1, 8)
                    .flag("bytes")
                    .cases(4)
                    .check(c -> body.accept(element, c));
        }
    }

    private static Packed packed(Contract.Run run, Case c, Packed.Element element, Tensor weight) {
        Activations entering = c.flag("bytes") ? Activations.INT8 : Activations.FLOAT;
        return run.packed(weight, element, Packed.UNIT * c.size("group"), entering);
    }

    /// How far a sum may be off, relative to that of the magnitudes, as PackedTest has it.
    private static double packedError(Packed weight) {
        int inner = weight.activations() == Activations.INT8 ? 1 : Math.min(weight.k(), weight.group());
        return (inner + weight.groups() + 4) * U;
    }

    @Test
    void packedGateUp() {
        eachPacked(
                "gateUp",
                (element, c) -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor x = run.input(c.rng("x"), l.gap, l.tokens, l.hidden);
                    Tensor weight = Tensors.normal(c.rng("w"), DType.F32, l.experts, 2L * l.inner, l.hidden);
                    Tensor gateUp = run.written(l.gap, l.rows(), 2L * l.inner);
                    Tensor activated = run.written(l.gap, l.rows(), l.inner);
                    Experts experts = run.kernels().experts();
                    experts.gateUp(x, plan, packed(run, c, element, weight), gateUp, activated);
                    run.result("gateUp", gateUp, () -> {
                        Packed magnitudes = packed(run, c, element, abs(weight));
                        Tensor sums = Tensors.zeros(DType.F64, gateUp.shape());
                        experts.gateUp(abs(x), plan, magnitudes, sums, Tensors.zeros(DType.F64, activated.shape()));
                        return map(sums, sum -> packedError(magnitudes) * sum + Contract.TINY);
                    });
                }));
    }

    @Test
    void packedDown() {
        eachPacked(
                "down",
                (element, c) -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor activated = run.input(c.rng("a"), l.gap, l.rows(), l.inner);
                    Tensor weight = Tensors.normal(c.rng("w"), DType.F32, l.experts, l.hidden, l.inner);
                    Tensor weights = run.input(c.rng("g"), 0, l.tokens, l.topK);
                    Tensor scratch = run.written(l.gap, l.rows(), l.hidden);
                    Tensor y = run.updated(c.rng("y"), l.gap, l.tokens, l.hidden);
                    Tensor sums = abs(y);
                    Experts experts = run.kernels().experts();
                    experts.down(activated, plan, packed(run, c, element, weight), weights, scratch, y);
                    run.result("y", y, () -> {
                        Packed magnitudes = packed(run, c, element, abs(weight));
                        experts.down(abs(activated), plan, magnitudes, abs(weights), abs(scratch), sums);
                        return map(sums, sum -> (packedError(magnitudes) + (l.topK + 1) * U) * sum + Contract.TINY);
                    });
                }));
    }

    @Test
    void gateUp() {
        everySize(
                "Experts.gateUp",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor x = run.input(c.rng("x"), l.gap, l.tokens, l.hidden);
                    Tensor weight = run.input(c.rng("w"), l.gap, l.experts, 2L * l.inner, l.hidden);
                    Tensor gateUp = run.written(l.gap, l.rows(), 2L * l.inner);
                    Tensor activated = run.written(l.gap, l.rows(), l.inner);
                    run.kernels().experts().gateUp(x, plan, Weight.of(weight), gateUp, activated);
                    Tensor sums = Tensors.zeros(DType.F64, l.rows(), 2L * l.inner);
                    if (run.isReference()) {
                        run.kernels()
                                .experts()
                                .gateUp(
                                        abs(x),
                                        plan,
                                        Weight.of(abs(weight)),
                                        sums,
                                        Tensors.zeros(DType.F64, l.rows(), l.inner));
                    }
                    double[] error = Tensors.values(map(sums, sum -> (l.hidden + 1) * U * sum));
                    double[] values = Tensors.values(gateUp);
                    run.result("gateUp", gateUp, () -> Tensors.of(i -> error[(int) i], DType.F64, gateUp.shape()));
                    /* silu has slopes up to 1.1. */
                    run.result(
                            "activated",
                            activated,
                            () -> Tensors.of(
                                    i -> {
                                        int gate = (int) (i / l.inner * 2 * l.inner + i % l.inner);
                                        int up = gate + l.inner;
                                        double silu = Math.abs(values[gate]) / (1 + Math.exp(-values[gate]));
                                        return 1.1 * error[gate] * (Math.abs(values[up]) + error[up])
                                                + silu * error[up]
                                                + 9 * U * silu * Math.abs(values[up]);
                                    },
                                    DType.F64,
                                    activated.shape()));
                }));
    }

    @Test
    void down() {
        everySize(
                "Experts.down",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor activated = run.input(c.rng("a"), l.gap, l.rows(), l.inner);
                    Tensor weight = run.input(c.rng("w"), l.gap, l.experts, l.hidden, l.inner);
                    Tensor weights = run.input(c.rng("g"), 0, l.tokens, l.topK);
                    Tensor scratch = run.written(l.gap, l.rows(), l.hidden);
                    Tensor y = run.updated(c.rng("y"), l.gap, l.tokens, l.hidden);
                    Tensor sums = abs(y);
                    run.kernels().experts().down(activated, plan, Weight.of(weight), weights, scratch, y);
                    run.result("y", y, () -> {
                        run.kernels()
                                .experts()
                                .down(abs(activated), plan, Weight.of(abs(weight)), abs(weights), abs(scratch), sums);
                        return map(sums, sum -> (l.inner + l.topK + 2) * U * sum);
                    });
                }));
    }

    /* A product and a sum round once for each choice. */
    @Test
    void combine() {
        sizes("Experts.combine")
                .check(c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor rows = run.input(c.rng("r"), l.gap, l.rows(), l.hidden);
                    Tensor weights = run.input(c.rng("g"), 0, l.tokens, l.topK);
                    Tensor y = run.updated(c.rng("y"), l.gap, l.tokens, l.hidden);
                    Tensor plain = run.updated(c.rng("p"), l.gap, l.tokens, l.hidden);
                    Tensor sums = abs(y);
                    Tensor plainSums = abs(plain);
                    Experts experts = run.kernels().experts();
                    experts.combine(rows, plan.slotRow(), weights, y);
                    experts.combine(rows, plan.slotRow(), null, plain);
                    run.result("y", y, () -> {
                        experts.combine(abs(rows), plan.slotRow(), abs(weights), sums);
                        return map(sums, sum -> (2 * l.topK + 1) * U * sum);
                    });
                    run.result("plain", plain, () -> {
                        experts.combine(abs(rows), plan.slotRow(), null, plainSums);
                        return map(plainSums, sum -> (l.topK + 1) * U * sum);
                    });
                }));
    }

    /// Products without their sums have the bits of both together, where nothing is rounded in between.
    @Test
    void halvesAreTheWhole() {
        sizes("Experts, halves", Contract.orOnPtx(70, 12))
                .cases(Contract.orOnPtx(8, 2))
                .check(c -> {
                    Layer l = Layer.of(c);
                    Tensor activated = Tensors.normal(c.rng("a"), DType.F32, l.rows(), l.inner);
                    Tensor weights = Tensors.normal(c.rng("g"), DType.F32, l.tokens, l.topK);
                    Tensor down = Tensors.normal(c.rng("down"), DType.F32, l.experts, l.hidden, l.inner);
                    Tensor dGateUp = Tensors.normal(c.rng("d"), DType.F32, l.rows(), 2L * l.inner);
                    Tensor up = Tensors.normal(c.rng("up"), DType.F32, l.experts, 2L * l.inner, l.hidden);
                    Tensor before = Tensors.normal(c.rng("y"), DType.F32, l.tokens, l.hidden);
                    for (Precision precision : Precision.values()) {
                        Stream.concat(Stream.of(Contract.reference(precision)), Contract.fast(precision))
                                .forEach(kernels -> halves(kernels, l, activated, weights, down, dGateUp, up, before));
                    }
                });
    }

    private static void halves(
            Kernels kernels,
            Layer l,
            Tensor activated,
            Tensor weights,
            Tensor down,
            Tensor dGateUp,
            Tensor up,
            Tensor before) {
        Experts experts = kernels.experts();
        Plan plan = Contract.seenBy(kernels, l.plan);
        Tensor scratch = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.rows(), l.hidden));
        Tensor rows = Contract.seenBy(kernels, Tensors.zeros(DType.F32, l.rows(), l.hidden));
        Tensor whole = Contract.seenBy(kernels, Tensors.as(DType.F32, before));
        Tensor halves = Contract.seenBy(kernels, Tensors.as(DType.F32, before));
        Tensor factors = Contract.seenBy(kernels, weights);
        Tensor a = Contract.seenBy(kernels, activated);
        Tensor d = Contract.seenBy(kernels, dGateUp);
        Weight downWeight = Weight.of(Contract.seenBy(kernels, down));
        Dense upWeight = Weight.of(Contract.seenBy(kernels, up));
        experts.down(a, plan, downWeight, factors, scratch, whole);
        experts.gateUpBackward(d, plan, upWeight, scratch, whole);
        experts.downRows(a, plan, downWeight, rows);
        experts.combine(rows, plan.slotRow(), factors, halves);
        experts.gateUpBackwardRows(d, plan, upWeight, rows);
        experts.combine(rows, plan.slotRow(), null, halves);
        kernels.stream().synchronize();
        Close.assertSame("halves on " + kernels.choice(), whole, halves);
    }

    @Test
    void downBackward() {
        everySize(
                "Experts.downBackward",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor dy = run.input(c.rng("dy"), l.gap, l.tokens, l.hidden);
                    Tensor weight = run.input(c.rng("w"), l.gap, l.experts, l.hidden, l.inner);
                    Tensor weights = run.input(c.rng("g"), 0, l.tokens, l.topK);
                    Tensor activated = run.input(c.rng("a"), l.gap, l.rows(), l.inner);
                    Tensor dActivated = run.written(l.gap, l.rows(), l.inner);
                    Tensor dWeights = run.written(0, l.tokens, l.topK);
                    run.kernels()
                            .experts()
                            .downBackward(dy, plan, Weight.of(weight), weights, activated, dActivated, dWeights);
                    Tensor sumsA = abs(dActivated);
                    Tensor sumsW = abs(dWeights);
                    if (run.isReference()) {
                        run.kernels()
                                .experts()
                                .downBackward(
                                        abs(dy),
                                        plan,
                                        Weight.of(abs(weight)),
                                        abs(weights),
                                        abs(activated),
                                        sumsA,
                                        sumsW);
                    }
                    run.result("dActivated", dActivated, () -> map(sumsA, sum -> (l.hidden + 2) * U * sum));
                    run.result("dWeights", dWeights, () -> map(sumsW, sum -> (l.hidden + l.inner + 2) * U * sum));
                }));
    }

    @Test
    void downWeightGradient() {
        everySize(
                "Experts.downWeightGradient",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor dy = run.input(c.rng("dy"), l.gap, l.tokens, l.hidden);
                    Tensor weights = run.input(c.rng("g"), 0, l.tokens, l.topK);
                    Tensor activated = run.input(c.rng("a"), l.gap, l.rows(), l.inner);
                    Tensor dWeight = run.updated(c.rng("w"), l.gap, l.experts, l.hidden, l.inner);
                    Tensor sums = abs(dWeight);
                    run.kernels().experts().downWeightGradient(dy, plan, weights, activated, dWeight);
                    run.result("dWeight", dWeight, () -> {
                        run.kernels().experts().downWeightGradient(abs(dy), plan, abs(weights), abs(activated), sums);
                        return map(sums, sum -> ((l.rows() + 2) * U + run.roundingError()) * sum);
                    });
                }));
    }

    @Test
    void gateUpBackward() {
        everySize(
                "Experts.gateUpBackward",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor dGateUp = run.input(c.rng("d"), l.gap, l.rows(), 2L * l.inner);
                    Tensor weight = run.input(c.rng("w"), l.gap, l.experts, 2L * l.inner, l.hidden);
                    Tensor scratch = run.written(l.gap, l.rows(), l.hidden);
                    Tensor dx = run.updated(c.rng("dx"), l.gap, l.tokens, l.hidden);
                    Tensor sums = abs(dx);
                    run.kernels().experts().gateUpBackward(dGateUp, plan, Weight.of(weight), scratch, dx);
                    run.result("dx", dx, () -> {
                        run.kernels()
                                .experts()
                                .gateUpBackward(abs(dGateUp), plan, Weight.of(abs(weight)), abs(scratch), sums);
                        return map(sums, sum -> (2 * l.inner + l.topK + 1) * U * sum);
                    });
                }));
    }

    @Test
    void gateUpWeightGradient() {
        everySize(
                "Experts.gateUpWeightGradient",
                c -> Contract.checkProducts(run -> {
                    Layer l = Layer.of(c);
                    Plan plan = l.plan(run);
                    Tensor dGateUp = run.input(c.rng("d"), l.gap, l.rows(), 2L * l.inner);
                    Tensor x = run.input(c.rng("x"), l.gap, l.tokens, l.hidden);
                    Tensor dWeight = run.updated(c.rng("w"), l.gap, l.experts, 2L * l.inner, l.hidden);
                    Tensor sums = abs(dWeight);
                    run.kernels().experts().gateUpWeightGradient(dGateUp, plan, x, dWeight);
                    run.result("dWeight", dWeight, () -> {
                        run.kernels().experts().gateUpWeightGradient(abs(dGateUp), plan, abs(x), sums);
                        return map(sums, sum -> (l.rows() + 1) * U * sum);
                    });
                }));
    }

    /// Rows that say whose they are have the bits of rows that hold their tokens. Some tokens have no
    /// row, some one for each expert that has rows at all.
    @Test
    void rowsSayTheirTokens() {
        sizes("Experts, rows that say their tokens", 20).cases(8).check(c -> {
            Plan plan = anyNumberOfRows(c);
            for (Precision precision : Precision.values()) {
                rowsSayTheirTokens(Contract.reference(precision), c, plan);
                Contract.fast(precision).forEach(kernels -> rowsSayTheirTokens(kernels, c, plan));
            }
        });
        Property.of("Experts, rows that say their tokens, several blocks")
                .size("tokens", 257, 270)
                .size("experts", 1, 3)
                .size("hidden", 257, 270)
                .size("inner", 241, 258)
                .flag("bytes")
                .cases(2)
                .check(c -> {
                    Plan plan = anyNumberOfRows(c);
                    for (Precision precision : Precision.values()) {
                        Contract.fast(precision).forEach(kernels -> rowsSayTheirTokens(kernels, c, plan));
                    }
                });
    }

    private static Plan anyNumberOfRows(Case c) {
        int tokens = c.size("tokens");
        int experts = c.size("experts");
        int[] offsets = new int[experts + 1];
        IntStream.Builder rowsOf = IntStream.builder();
        for (int e = 0; e < experts; e++) {
            long expert = e;
            int[] of = IntStream.range(0, e % 3 == 2 ? 0 : tokens)
                    .filter(t -> t % 5 == 4 || t % 5 > 0 && c.rng("chosen").below(expert * tokens + t, 4) == 0)
                    .toArray();
            IntStream.of(of).forEach(rowsOf::add);
            offsets[e + 1] = offsets[e] + of.length;
        }
        int[] rowToken = rowsOf.build().toArray();
        Tensor identity = Tensor.of(IntStream.range(0, rowToken.length).toArray());
        return new Plan(Tensor.of(offsets), identity, identity, Tensor.of(rowToken));
    }

    private static void rowsSayTheirTokens(Kernels kernels, Case c, Plan plan) {
        int hidden = c.size("hidden");
        int[] rowToken = Objects.requireNonNull(plan.rowToken()).toInts();
        Plan plain = new Plan(plan.offsets(), plan.rowSlot(), plan.slotRow());
        Tensor x = Tensors.normal(c.rng("x"), DType.F32, c.size("tokens"), hidden);
        Tensor rows = Tensors.of(
                i -> x.get((long) rowToken[(int) (i / hidden)] * hidden + i % hidden),
                DType.F32,
                rowToken.length,
                hidden);
        List<Tensor> expected = results(kernels, c, plain, rows);
        List<Tensor> actual = results(kernels, c, plan, x);
        for (int i = 0; i < expected.size(); i++) {
            Close.assertSame("result %d on %s".formatted(i, kernels.choice()), expected.get(i), actual.get(i));
        }
    }

    /// @param x tokens, and gradients of their results
    private static List<Tensor> results(Kernels kernels, Case c, Plan plan, Tensor x) {
        long rows = plan.rowSlot().dim(0);
        long experts = plan.offsets().dim(0) - 1;
        long inner = c.size("inner");
        Activations entering = c.flag("bytes") ? Activations.INT8 : Activations.FLOAT;
        Tensor up = Tensors.normal(c.rng("up"), DType.F32, experts, 2 * inner, x.dim(1));
        Tensor down = Tensors.normal(c.rng("down"), DType.F32, experts, x.dim(1), inner);
        Tensor weights = Tensors.normal(c.rng("g"), DType.F32, rows, 1);
        Tensor gateUp = Tensors.zeros(DType.F32, rows, 2 * inner);
        Tensor activated = Tensors.zeros(DType.F32, rows, inner);
        Tensor packed = Tensors.zeros(DType.F32, rows, 2 * inner);
        Tensor dActivated = Tensors.zeros(DType.F32, rows, inner);
        Tensor dWeights = Tensors.zeros(DType.F32, rows, 1);
        Tensor dDown = Tensors.zeros(DType.F32, down.shape());
        Tensor dUp = Tensors.zeros(DType.F32, up.shape());
        Experts layer = kernels.experts();
        layer.gateUp(x, plan, Packed.of(up, Packed.Element.INT8, 32, entering, MEMORY), packed, activated);
        layer.gateUp(x, plan, Weight.of(up), gateUp, activated);
        layer.downBackward(x, plan, Weight.of(down), weights, activated, dActivated, dWeights);
        layer.downWeightGradient(x, plan, weights, activated, dDown);
        layer.gateUpWeightGradient(gateUp, plan, x, dUp);
        return List.of(packed, gateUp, activated, dActivated, dWeights, dDown, dUp);
    }

    @Test
    void rowsOfAnyNumberHaveNoSum() {
        Tensor none = Tensor.of(new int[0]);
        Plan plan = new Plan(Tensor.of(0), none, none, none);
        Tensor x = Tensors.zeros(DType.F32, 0, 1);
        Weight weight = Weight.of(Tensors.zeros(DType.F32, 0, 1, 1));
        assertEquals(
                "Experts.down: tokens have any number of rows, expected topK each",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> REFERENCE.experts().down(x, plan, weight, x, x, x))
                        .getMessage());
    }

    /// No token, no work: an empty batch passes through every operation.
    @Test
    void nothingToDo() {
        Contract.checkProducts(run -> {
            Plan plan = plan(run, RoutingTest.plan(3, 0));
            Tensor x = run.input(_ -> 1, 0, 0, 4);
            Tensor gateUp = run.input(_ -> 1, 0, 0, 10);
            Tensor inner = run.input(_ -> 1, 0, 0, 5);
            Tensor weights = run.input(_ -> 1, 0, 0, 2);
            Tensor up = run.input(_ -> 1, 0, 3, 10, 4);
            Tensor down = run.input(_ -> 1, 0, 3, 4, 5);
            Experts experts = run.kernels().experts();
            experts.gateUp(x, plan, Weight.of(up), gateUp, inner);
            experts.gateUpBackward(gateUp, plan, Weight.of(up), x, x);
            experts.gateUpWeightGradient(gateUp, plan, x, up);
            experts.down(inner, plan, Weight.of(down), weights, x, x);
            experts.downRows(inner, plan, Weight.of(down), x);
            experts.gateUpBackwardRows(gateUp, plan, Weight.of(up), x);
            experts.combine(x, plan.slotRow(), null, x);
            experts.downBackward(x, plan, Weight.of(down), weights, inner, inner, weights);
            experts.downWeightGradient(x, plan, weights, inner, down);
        });
    }

    /// The whole layer: both products, the gate and the weighted sum, against differences of one loss.
    @Test
    void gradientsAgreeWithDifferences() {
        Rng rng = Seeds.rng("experts");
        long tokens = 4;
        int experts = 3;
        long topK = 2;
        int hidden = 3;
        long inner = 2;
        Plan plan = RoutingTest.plan(experts, 8);
        Tensor chosen = Tensor.of(0, 2, 2, 0, 0, 2, 2, 1).reshape(tokens, topK);
        REFERENCE.routing().plan(chosen, plan, Tensors.zeros(DType.I32, experts));
        Tensor x = Tensors.normal(rng.split("x"), DType.F64, tokens, hidden);
        Tensor up = Tensors.normal(rng.split("up"), DType.F64, experts, 2 * inner, hidden);
        Tensor down = Tensors.normal(rng.split("down"), DType.F64, experts, hidden, inner);
        Tensor weights = Tensors.normal(rng.split("g"), DType.F64, tokens, topK);
        Tensor dy = Tensors.normal(rng.split("dy"), DType.F64, tokens, hidden);
        Tensor gateUp = Tensors.zeros(DType.F64, tokens * topK, 2 * inner);
        Tensor activated = Tensors.zeros(DType.F64, tokens * topK, inner);
        Tensor scratch = Tensors.zeros(DType.F64, tokens * topK, hidden);
        Experts layer = REFERENCE.experts();
        DoubleSupplier loss = () -> {
            Tensor y = Tensors.zeros(DType.F64, tokens, hidden);
            layer.gateUp(x, plan, Weight.of(up), gateUp, activated);
            layer.down(activated, plan, Weight.of(down), weights, scratch, y);
            return dot(y, dy);
        };
        assertTrue(Double.isFinite(loss.getAsDouble()));
        Tensor dActivated = Tensors.zeros(DType.F64, activated.shape());
        Tensor dWeights = Tensors.zeros(DType.F64, weights.shape());
        Tensor dDown = Tensors.zeros(DType.F64, down.shape());
        Tensor dGateUp = Tensors.zeros(DType.F64, gateUp.shape());
        Tensor dUp = Tensors.zeros(DType.F64, up.shape());
        Tensor dx = Tensors.zeros(DType.F64, x.shape());
        layer.downBackward(dy, plan, Weight.of(down), weights, activated, dActivated, dWeights);
        layer.downWeightGradient(dy, plan, weights, activated, dDown);
        REFERENCE.swiglu().backward(gateUp, dActivated, dGateUp);
        layer.gateUpWeightGradient(dGateUp, plan, x, dUp);
        layer.gateUpBackward(dGateUp, plan, Weight.of(up), scratch, dx);
        GradCheck.check("x", x, dx, loss, 12, 1);
        GradCheck.check("up", up, dUp, loss, 36, 1);
        GradCheck.check("down", down, dDown, loss, 18, 1);
        GradCheck.check("weights", weights, dWeights, loss, 8, 1);
    }
}
