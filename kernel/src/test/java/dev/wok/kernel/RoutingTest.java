package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.TINY;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.dot;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.kernel.Routing.Desc;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.Routing.Scoring;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class RoutingTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 140)
                .size("groupSize", 2, 17)
                .size("groups", 1, 5)
                .size("topkGroup", 1, 5)
                .size("topK", 1, 9)
                .flag("softmax")
                .flag("normalize")
                .flag("bias")
                .size("gap", 0, 3)
                .cases(60);
    }

    private static Desc desc(Case c) {
        int topkGroup = Math.min(c.size("groups"), c.size("topkGroup"));
        return new Desc(
                c.flag("softmax") ? Scoring.SOFTMAX : Scoring.SIGMOID,
                c.size("groups") * c.size("groupSize"),
                Math.min(c.size("topK"), topkGroup * c.size("groupSize")),
                c.size("groups"),
                topkGroup,
                c.flag("normalize"),
                2.5);
    }

    /// Logits on a coarse grid: many exact ties, and no two scores that only rounding tells apart.
    private static double logit(Case c, long i) {
        return 0.25 * c.rng("logits").below(i, 16) + 0.1;
    }

    /* A sigmoid rounds once. A softmax rounds logit - max, the exponential and the quotient: (range + 3) u. A weight is
     * a score over a sum of topK scores.
     */
    @Test
    void chooses() {
        sizes("Routing.forward").check(c -> Contract.check(run -> choose(run, c, desc(c))));
    }

    /// The published models' sizes, and more groups and choices than a warp has lanes.
    @Test
    void choosesAmongMany() {
        List<Desc> all = List.of(
                new Desc(Scoring.SIGMOID, 256, 8, 8, 4, true, 2.5),
                new Desc(Scoring.SOFTMAX, 160, 6, 8, 3, false, 16),
                new Desc(Scoring.SOFTMAX, 64, 6, 1, 1, false, 1),
                new Desc(Scoring.SIGMOID, 512, 2, 16, 3, true, 1),
                new Desc(Scoring.SIGMOID, 140, 35, 70, 40, true, 1));
        for (Desc desc : all) {
            Property.of("Routing.forward, " + desc)
                    .size("tokens", 5, 9)
                    .flag("bias")
                    .size("gap", 0, 3)
                    .cases(3)
                    .check(c -> Contract.check(run -> choose(run, c, desc)));
        }
    }

    private static void choose(Contract.Run run, Case c, Desc desc) {
        Tensor logits = run.input(i -> logit(c, i), c.size("gap"), c.size("tokens"), desc.experts());
        Tensor bias = c.flag("bias") ? run.input(i -> c.rng("bias").uniform(i), 0, desc.experts()) : null;
        Tensor scores = run.written(c.size("gap"), c.size("tokens"), desc.experts());
        Tensor chosen = run.whole(_ -> -1, c.size("tokens"), desc.topK());
        Tensor weights = run.written(0, c.size("tokens"), desc.topK());
        run.kernels().routing().forward(desc, logits, bias, scores, chosen, weights);
        run.relative("scores", scores, 8 * U);
        run.exact("chosen", chosen);
        run.relative("weights", weights, (desc.topK() + 20) * U);
    }

    private static Tensor choose(Kernels kernels, Desc desc, Tensor logits, Tensor bias, Tensor weights) {
        Tensor chosen = Contract.seenBy(kernels, Tensors.zeros(DType.I32, logits.dim(0), desc.topK()));
        Tensor scores = Contract.seenBy(kernels, Tensors.zeros(DType.F32, logits.shape()));
        Tensor written = Contract.seenBy(kernels, weights);
        kernels.routing()
                .forward(
                        desc,
                        Contract.seenBy(kernels, logits),
                        Contract.seenBy(kernels, bias),
                        scores,
                        chosen,
                        written);
        kernels.stream().synchronize();
        weights.copyFrom(written);
        return chosen;
    }

    @Test
    void tiesGoToTheLowerIndex() {
        Desc plain = new Desc(Scoring.SIGMOID, 6, 4, 1, 1, false, 1);
        Desc grouped = new Desc(Scoring.SIGMOID, 6, 2, 3, 2, false, 1);
        for (Kernels kernels : Contract.all()) {
            Tensor weights = Tensors.zeros(DType.F32, 1, 4);
            Tensor logits = Tensor.of(0f, 1f, 0f, 1f, 0f, 1f).reshape(1, 6);
            Tensor none = Tensors.zeros(DType.F32, 6);
            assertArrayEquals(
                    new int[] {1, 3, 5, 0},
                    choose(kernels, plain, logits, none, weights).toInts());
            Tensor same = Tensors.zeros(DType.F32, 1, 6);
            assertArrayEquals(
                    new int[] {0, 1},
                    choose(kernels, grouped, same, none, Tensors.zeros(DType.F32, 1, 2))
                            .toInts());
        }
    }

    /// V3 ranks groups by the sum of their best two: 0.9 + 0.1 loses against 0.6 + 0.6; V2 by the best.
    @Test
    void groupsAreRankedByTheirBestTwoOrTheirBest() {
        for (Kernels kernels : Contract.all()) {
            Tensor logits = Tensor.of(2.2f, -2.2f, 0.4f, 0.4f).reshape(1, 4);
            Tensor none = Tensors.zeros(DType.F32, 4);
            Tensor weights = Tensors.zeros(DType.F32, 1, 1);
            Desc v3 = new Desc(Scoring.SIGMOID, 4, 1, 2, 1, false, 1);
            assertArrayEquals(
                    new int[] {2}, choose(kernels, v3, logits, none, weights).toInts());
            Desc v2 = new Desc(Scoring.SOFTMAX, 4, 1, 2, 1, false, 1);
            assertArrayEquals(
                    new int[] {0}, choose(kernels, v2, logits, none, weights).toInts());
        }
    }

    /// With biases so low that every choice value is negative, an expert of a dropped group must still not be taken.
    @Test
    void droppedGroupsStayOutBelowAnyBias() {
        Desc desc = new Desc(Scoring.SIGMOID, 4, 2, 2, 1, false, 1);
        for (Kernels kernels : Contract.all()) {
            Tensor bias = Tensor.of(-100f, -100f, -50f, -200f);
            Tensor weights = Tensors.zeros(DType.F32, 1, 2);
            Tensor chosen = choose(kernels, desc, Tensors.zeros(DType.F32, 1, 4), bias, weights);
            assertArrayEquals(new int[] {0, 1}, chosen.toInts());
            Close.assertSame("weights without the bias", Tensor.of(0.5f, 0.5f).reshape(1, 2), weights);
        }
    }

    @Test
    void theBiasDecidesAndDoesNotWeigh() {
        Desc desc = new Desc(Scoring.SIGMOID, 3, 1, 1, 1, true, 2.5);
        for (Kernels kernels : Contract.all()) {
            Tensor weights = Tensors.zeros(DType.F32, 1, 1);
            Tensor logits = Tensor.of(3f, 0f, 1f).reshape(1, 3);
            Tensor chosen = choose(kernels, desc, logits, Tensor.of(0f, 9f, 0f), weights);
            assertArrayEquals(new int[] {1}, chosen.toInts());
            Close.assertClose("weights", Tensor.of(2.5f).reshape(1, 1), weights, 1e-6);
        }
    }

    /// A diverged router must not stop the run with an exception: the loss shows it.
    @Test
    void logitsOfNaNStillChooseDistinctExperts() {
        for (Scoring scoring : Scoring.values()) {
            Desc desc = new Desc(scoring, 8, 4, 4, 2, true, 1);
            for (Kernels kernels : Contract.all()) {
                Tensor logits = Tensors.of(i -> i % 3 == 0 ? Float.NaN : i, DType.F32, 2, 8);
                Tensor chosen =
                        choose(kernels, desc, logits, Tensors.zeros(DType.F32, 8), Tensors.zeros(DType.F32, 2, 4));
                for (int t = 0; t < 2; t++) {
                    int[] row = Arrays.copyOfRange(chosen.toInts(), 4 * t, 4 * t + 4);
                    assertEquals(
                            4,
                            Arrays.stream(row)
                                    .filter(e -> e >= 0 && e < 8)
                                    .distinct()
                                    .count());
                }
            }
        }
    }

    /* Each gradient is a sum of a few products of scores and gradients; with s <= 1, |d| and the sum of the chosen
     * scores the terms are bounded as below.
     */
    @Test
    void gradients() {
        sizes("Routing.backward")
                .flag("dScores")
                .check(c -> Contract.check(run -> {
                    Desc desc = desc(c);
                    int tokens = c.size("tokens");
                    int experts = desc.experts();
                    int topK = desc.topK();
                    Tensor scores = run.input(
                            i -> (0.1 + 0.8 * c.rng("s").uniform(i)) / (c.flag("softmax") ? experts : 1),
                            c.size("gap"),
                            tokens,
                            experts);
                    int[] picks = new int[tokens * topK];
                    for (int i = 0; i < picks.length; i++) {
                        picks[i] = (i / topK * 7 + i % topK) % experts;
                    }
                    Tensor chosen = run.integers(picks).reshape(tokens, topK);
                    Tensor dWeights = run.input(c.rng("dw"), 0, tokens, topK);
                    Tensor dScores = c.flag("dScores") ? run.input(c.rng("ds"), c.size("gap"), tokens, experts) : null;
                    Tensor dLogits = run.written(c.size("gap"), tokens, experts);
                    run.kernels().routing().backward(desc, scores, chosen, dWeights, dScores, dLogits);
                    run.result("dLogits", dLogits, () -> {
                        Tensor bounds = Tensors.zeros(DType.F64, tokens, experts);
                        for (int t = 0; t < tokens; t++) {
                            double sum = 0;
                            double most = 0;
                            for (int k = 0; k < topK; k++) {
                                sum += scores.get(scores.offset(t, picks[t * topK + k]));
                                most = Math.max(most, Math.abs(dWeights.get(dWeights.offset(t, k))));
                            }
                            double ds = desc.factor() * most * (desc.normalize() ? 2 / sum : 1);
                            for (int e = 0; dScores != null && e < experts; e++) {
                                ds = Math.max(
                                        ds,
                                        desc.factor() * most * (desc.normalize() ? 2 / sum : 1)
                                                + Math.abs(dScores.get(dScores.offset(t, e))));
                            }
                            for (int e = 0; e < experts; e++) {
                                double s = scores.get(scores.offset(t, e));
                                bounds.set(bounds.offset(t, e), (experts + topK + 12) * U * s * 2 * ds);
                            }
                        }
                        return bounds;
                    });
                }));
    }

    /// Scores and sums of groups far enough apart that no small step changes a choice.
    @Test
    void gradientAgreesWithDifferences() {
        for (Scoring scoring : Scoring.values()) {
            for (boolean normalize : new boolean[] {false, true}) {
                for (int groups : new int[] {1, 3}) {
                    Desc desc = new Desc(scoring, 6, 3, groups, (groups + 1) / 2, normalize, 1.7);
                    Rng rng = Seeds.rng("routing " + desc);
                    Tensor logits = Tensors.of(
                            i -> 0.6 * ((5 * (i % 6) + 2 * (i / 6)) % 6) - 1.1 + 0.02 * rng.normal(i), DType.F64, 4, 6);
                    Tensor bias = Tensors.of(i -> 0.003 * rng.normal(100 + i), DType.F64, 6);
                    Tensor dWeights = Tensors.normal(rng.split("dw"), DType.F64, 4, 3);
                    Tensor dScores = Tensors.normal(rng.split("ds"), DType.F64, 4, 6);
                    Tensor scores = Tensors.zeros(DType.F64, 4, 6);
                    Tensor chosen = Tensors.zeros(DType.I32, 4, 3);
                    Tensor weights = Tensors.zeros(DType.F64, 4, 3);
                    DoubleSupplier loss = () -> {
                        REFERENCE.routing().forward(desc, logits, bias, scores, chosen, weights);
                        return dot(weights, dWeights) + dot(scores, dScores);
                    };
                    assertTrue(Double.isFinite(loss.getAsDouble()));
                    Tensor dLogits = Tensors.zeros(DType.F64, 4, 6);
                    REFERENCE.routing().backward(desc, scores, chosen, dWeights, dScores, dLogits);
                    GradCheck.check(desc.toString(), logits, dLogits, loss, 24, 1);
                }
            }
        }
    }

    @Test
    void plansSortByExpertAndCount() {
        Property.of("Routing.plan")
                .size("tokens", 0, 140)
                .size("experts", 1, 40)
                .size("topK", 1, 6)
                .check(c -> Contract.check(run -> plan(run, c)));
        Property.of("Routing.plan, many")
                .size("tokens", 700, 1100)
                .size("experts", 33, 600)
                .size("topK", 6, 9)
                .cases(3)
                .check(c -> Contract.check(run -> plan(run, c)));
    }

    private static void plan(Contract.Run run, Case c) {
        int experts = c.size("experts");
        int topK = Math.min(experts, c.size("topK"));
        int tokens = c.size("tokens");
        int[] picks = new int[tokens * topK];
        for (int i = 0; i < picks.length; i++) {
            picks[i] = (c.rng("first").below(i / topK, experts) + i % topK) % experts;
        }
        Tensor chosen = run.integers(picks).reshape(tokens, topK);
        Plan plan = new Plan(
                run.whole(_ -> -1, experts + 1), run.whole(_ -> -1, picks.length), run.whole(_ -> -1, picks.length));
        Tensor load = run.whole(i -> 1000 + i, experts);
        run.kernels().routing().plan(chosen, plan, load);
        run.kernels().stream().synchronize();
        if (run.kernels().choice().backend() != Backend.DRY) {
            requireSorted(picks, plan, load);
        }
        run.exact("offsets", plan.offsets());
        run.exact("rowSlot", plan.rowSlot());
        run.exact("slotRow", plan.slotRow());
        run.exact("load", load);
    }

    static Plan plan(int experts, int rows) {
        return new Plan(
                Tensors.zeros(DType.I32, experts + 1), Tensors.zeros(DType.I32, rows), Tensors.zeros(DType.I32, rows));
    }

    private static void requireSorted(int[] picks, Plan plan, Tensor load) {
        int[] offsets = plan.offsets().toInts();
        assertEquals(0, offsets[0]);
        assertEquals(picks.length, offsets[offsets.length - 1]);
        for (int e = 0; e + 1 < offsets.length; e++) {
            assertEquals(1000 + e + offsets[e + 1] - offsets[e], load.getInt(e));
            int before = -1;
            for (int row = offsets[e]; row < offsets[e + 1]; row++) {
                int slot = plan.rowSlot().getInt(row);
                assertEquals(e, picks[slot]);
                assertEquals(row, plan.slotRow().getInt(slot));
                assertEquals(true, slot > before);
                before = slot;
            }
        }
    }

    /// A load that is the mean moves nothing, also where the mean of the counts is no exact sum of quotients.
    @Test
    void balanceMovesTheBiasAgainstTheLoad() {
        for (Kernels kernels : Contract.all()) {
            Tensor bias = Contract.seenBy(kernels, Tensor.of(1f, 1f, 1f, 1f));
            kernels.routing().balance(Contract.seenBy(kernels, Tensor.of(5, 3, 4, 4)), 0.125, bias);
            kernels.stream().synchronize();
            Close.assertSame("bias", Tensor.of(0.875f, 1.125f, 1f, 1f), bias);
            Tensor even = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 49));
            kernels.routing().balance(Contract.seenBy(kernels, Tensors.of(_ -> 3, DType.I32, 49)), 1, even);
            kernels.stream().synchronize();
            Close.assertSame("bias of an even load", Tensors.zeros(DType.F32, 49), even);
        }
        Property.of("Routing.balance")
                .size("experts", 1, 70)
                .check(c -> Contract.check(run -> {
                    int[] counts = new int[c.size("experts")];
                    Arrays.setAll(counts, i -> c.rng("load").below(i, 5));
                    Tensor bias = run.updated(c.rng("bias"), 0, counts.length);
                    run.kernels().routing().balance(run.integers(counts), 0.001, bias);
                    run.result("bias", bias, () -> Contract.map(bias, b -> U * (Math.abs(b) + 0.001) + TINY));
                }));
    }

    @Test
    void refusesImpossibleDescriptions() {
        assertEquals(
                "Routing: 6 experts, 4 groups, 2 kept: groups must divide experts",
                Thrown.message(IllegalArgumentException.class, () -> new Desc(Scoring.SIGMOID, 6, 1, 4, 2, false, 1)));
        assertEquals(
                "Routing: top 5 of 8 experts in 1 of 2 groups",
                Thrown.message(IllegalArgumentException.class, () -> new Desc(Scoring.SOFTMAX, 8, 5, 2, 1, false, 1)));
        assertEquals(
                "Routing: groups of one expert have no best two",
                Thrown.message(IllegalArgumentException.class, () -> new Desc(Scoring.SIGMOID, 4, 1, 4, 2, false, 1)));
        new Desc(Scoring.SOFTMAX, 4, 1, 4, 2, false, 1);
    }

    /// Scores that are all zero in float32: their sum is too, and weights and gradients must still be numbers.
    @Test
    void scoresOfZeroAreNumbers() {
        Desc desc = new Desc(Scoring.SIGMOID, 4, 2, 1, 1, true, 2.5);
        for (Kernels kernels : Contract.all()) {
            Tensor logits = Contract.seenBy(kernels, Tensors.of(_ -> -200, DType.F32, 1, 4));
            Tensor scores = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, 4));
            Tensor chosen = Contract.seenBy(kernels, Tensors.zeros(DType.I32, 1, 2));
            Tensor weights = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, 2));
            Tensor dWeights = Contract.seenBy(kernels, Tensors.of(_ -> 1, DType.F32, 1, 2));
            Tensor dLogits = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, 4));
            kernels.routing().forward(desc, logits, null, scores, chosen, weights);
            kernels.stream().synchronize();
            Close.assertClose("weights", Tensor.of(0f, 0f).reshape(1, 2), weights, 1e-20);
            kernels.routing().backward(desc, scores, chosen, dWeights, null, dLogits);
            kernels.stream().synchronize();
            for (float value : dLogits.toFloats()) {
                assertTrue(Float.isFinite(value));
            }
        }
    }
}
