package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.VECTOR;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class BalanceLossTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("sequences", 0, 9)
                .size("length", 1, 33)
                .size("experts", 1, 40)
                .size("topK", 1, 8)
                .size("gap", 0, 3);
    }

    private static Property longSequences(String name) {
        return Property.of(name)
                .size("sequences", 1, 2)
                .size("length", 120, 270)
                .size("experts", 30, 130)
                .size("topK", 1, 8)
                .size("gap", 0, 1)
                .cases(3);
    }

    /// Scores on a grid, with ties.
    private static Tensor scores(Contract.Run run, Case c) {
        return run.input(
                i -> (1 + c.rng("s").below(i, 30)) / 32.0,
                c.size("gap"),
                (long) c.size("sequences") * c.size("length"),
                c.size("experts"));
    }

    /* All sums are in double on both backends: what is written rounds once, the loss is added to. */
    @Test
    void measures() {
        measures(sizes("BalanceLoss.forward"));
        measures(longSequences("BalanceLoss.forward, long"));
    }

    private static void measures(Property sizes) {
        sizes.check(c -> Contract.check(run -> {
            int topK = Math.min(c.size("topK"), c.size("experts"));
            Tensor fractions = run.written(0, c.size("sequences"), c.size("experts"));
            Tensor loss = run.updated(c.rng("loss"), 0, 1);
            run.kernels().balanceLoss().forward(scores(run, c), topK, c.size("length"), 0.25, fractions, loss);
            run.relative("fractions", fractions, 1.001 * U);
            run.relative("loss", loss, 1.001 * U);
        }));
    }

    @Test
    void gradients() {
        sizes("BalanceLoss.backward")
                .check(c -> Contract.check(run -> {
                    long tokens = (long) c.size("sequences") * c.size("length");
                    Tensor scores = scores(run, c);
                    Tensor fractions =
                            run.input(i -> 2 * c.rng("f").uniform(i), 0, c.size("sequences"), c.size("experts"));
                    Tensor dScores = run.written(c.size("gap"), tokens, c.size("experts"));
                    run.kernels().balanceLoss().backward(scores, c.size("length"), 0.7, fractions, dScores);
                    run.result("dScores", dScores, () -> Contract.map(dScores, d -> 1.001 * U * Math.abs(d) + 1e-14));
                }));
    }

    /// Balanced routing has the smallest loss, alpha; everybody on one expert of four costs alpha times four times the
    /// share of the scores that it gets.
    @Test
    void knownValues() {
        for (Kernels kernels : Contract.all()) {
            Tensor fractions = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1, 4));
            Tensor loss = Contract.seenBy(kernels, Tensors.zeros(DType.F32, 1));
            Tensor even = Contract.seenBy(kernels, Tensors.of(i -> i / 4 == i % 4 ? 0.5 : 0.25, DType.F32, 4, 4));
            kernels.balanceLoss().forward(even, 1, 4, 0.5, fractions, loss);
            kernels.stream().synchronize();
            assertEquals(0.5, loss.get(0), 1e-7);
            Close.assertSame("fractions", Tensor.of(1f, 1f, 1f, 1f).reshape(1, 4), fractions);
            Tensor skewed = Contract.seenBy(kernels, Tensors.of(i -> i % 4 == 2 ? 0.5 : 0.125, DType.F32, 4, 4));
            kernels.balanceLoss().forward(skewed, 1, 4, 0.5, fractions, loss);
            kernels.stream().synchronize();
            assertEquals(0.5 + 0.5 * 4 * (0.5 / 0.875), loss.get(0), 1e-6);
        }
    }

    /// The fractions are constants of the gradient: scores of a token are so far apart that no small step changes them.
    @Test
    void gradientAgreesWithDifferences() {
        Tensor scores = Tensors.of(
                i -> 0.2 + 7 * i % 30 / 30.0 + 0.01 * Seeds.rng("balance").uniform(i), DType.F64, 6, 5);
        Tensor fractions = Tensors.zeros(DType.F64, 2, 5);
        Tensor gradient = Tensors.zeros(DType.F64, 6, 5);
        Tensor loss = Tensors.zeros(DType.F64, 1);
        REFERENCE.balanceLoss().forward(scores, 2, 3, 0.3, fractions, loss);
        REFERENCE.balanceLoss().backward(scores, 3, 0.3, fractions, gradient);
        GradCheck.check(
                "scores",
                scores,
                gradient,
                () -> {
                    loss.set(0, 0);
                    REFERENCE.balanceLoss().forward(scores, 2, 3, 0.3, fractions, loss);
                    return loss.get(0);
                },
                30,
                1);
    }

    @Test
    void refusesBrokenSequencesAndChoices() {
        Tensor scores = Tensors.zeros(DType.F32, 6, 4);
        Tensor loss = Tensors.zeros(DType.F32, 1);
        assertEquals(
                "BalanceLoss: 6 tokens are no sequences of 4",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> VECTOR.balanceLoss().forward(scores, 2, 4, 1, Tensors.zeros(DType.F32, 1, 4), loss)));
        assertEquals(
                "BalanceLoss: top 5 of 4 experts",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> VECTOR.balanceLoss().forward(scores, 5, 6, 1, Tensors.zeros(DType.F32, 1, 4), loss)));
    }
}
