package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CrossEntropyTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 40)
                .size("vocab", 1, 520)
                .size("gap", 0, 3)
                .size("scale", 1, 30)
                .size("offset", -600, 600);
    }

    private static Tensor logits(Contract.Run run, Case c) {
        return run.updated(
                i -> c.size("offset") + c.size("scale") * c.rng("x").normal(i),
                c.size("gap"),
                c.size("tokens"),
                c.size("vocab"));
    }

    private static int[] targets(Case c) {
        int[] targets = new int[c.size("tokens")];
        for (int t = 0; t < targets.length; t++) {
            targets[t] = c.rng("none").below(t, 5) == 0 ? -1 : c.rng("targets").below(t, c.size("vocab"));
        }
        return targets;
    }

    /// The largest difference of a row's logits.
    private static double range(Tensor logits) {
        double range = 0;
        for (long t = 0; t < logits.dim(0); t++) {
            double[] row = Tensors.values(logits.select(0, t));
            double least = Double.POSITIVE_INFINITY;
            double most = Double.NEGATIVE_INFINITY;
            for (double x : row) {
                least = Math.min(least, x);
                most = Math.max(most, x);
            }
            range = Math.max(range, most - least);
        }
        return range;
    }

    /* A sum of vocab exponentials, all positive: each is off by a factor of (range + 3) u, since x - max is rounded
     * before the exponential, and the sum by vocab u more. The loss is its logarithm plus a difference of logits.
     */
    private static Tensor lossBounds(Tensor losses, int vocab, double range) {
        return Contract.map(losses, loss -> U * (vocab + 2 * range + 6 + 2 * Math.abs(loss)));
    }

    @Test
    void losses() {
        sizes("CrossEntropy.forward")
                .check(c -> Contract.check(run -> {
                    Tensor logits = logits(run, c);
                    Tensor before = Tensors.copy(logits);
                    Tensor losses = run.written(0, c.size("tokens"));
                    run.kernels().crossEntropy().forward(logits, run.integers(targets(c)), losses);
                    run.result("losses", losses, () -> lossBounds(losses, c.size("vocab"), range(logits)));
                    Close.assertSame("logits", before, logits);
                }));
    }

    /* p inherits the factor of the loss; p - 1 rounds once more. */
    @Test
    void gradients() {
        double factor = 0.037;
        sizes("CrossEntropy.forwardBackward")
                .check(c -> Contract.check(run -> {
                    Tensor logits = logits(run, c);
                    double range = range(logits);
                    int vocab = c.size("vocab");
                    Tensor losses = run.written(0, c.size("tokens"));
                    run.kernels().crossEntropy().forwardBackward(logits, run.integers(targets(c)), factor, losses);
                    run.result("losses", losses, () -> lossBounds(losses, vocab, range));
                    run.result("logits", logits, () -> gradientBounds(logits, vocab, range, factor));
                }));
    }

    private static Tensor gradientBounds(Tensor logits, int vocab, double range, double factor) {
        return Contract.map(
                logits, d -> factor * U * ((vocab + 2 * range + 8) * Math.min(1, Math.abs(d) / factor) + 3));
    }

    /// Rows of several of the pieces that they are taken in, the largest logit in any of them.
    @Test
    void longRows() {
        double factor = 0.037;
        Property.of("CrossEntropy.long")
                .size("tokens", 0, 3)
                .size("vocab", 4000, 13_000)
                .size("gap", 0, 3)
                .size("scale", 1, 30)
                .size("offset", -600, 600)
                .cases(12)
                .check(c -> Contract.check(run -> {
                    Tensor logits = logits(run, c);
                    double range = range(logits);
                    Tensor losses = run.written(0, c.size("tokens"));
                    run.kernels().crossEntropy().forwardBackward(logits, run.integers(targets(c)), factor, losses);
                    run.result("losses", losses, () -> lossBounds(losses, c.size("vocab"), range));
                    run.result("logits", logits, () -> gradientBounds(logits, c.size("vocab"), range, factor));
                }));
    }

    /// Evaluation and training print the same loss.
    @Test
    void bothFormsGiveTheSameLossBits() {
        Contract.each(run -> {
            Tensor logits = run.updated(i -> 9 * Seeds.rng("bits").normal(i), 0, 200, 77);
            int[] target = new int[200];
            Arrays.setAll(target, t -> t % 77);
            Tensor targets = run.integers(target);
            Tensor first = run.written(0, 200);
            Tensor second = run.written(0, 200);
            run.kernels().crossEntropy().forward(logits, targets, first);
            run.kernels().crossEntropy().forwardBackward(logits, targets, 1, second);
            run.synchronize();
            Close.assertSame("losses", first, second);
        });
    }

    @Test
    void gradientAgreesWithDifferences() {
        Rng rng = Seeds.rng("cross entropy");
        Tensor logits = Tensors.normal(rng, DType.F64, 4, 6);
        Tensor targets = Tensor.of(5, 0, -1, 3);
        Tensor losses = Tensors.zeros(DType.F64, 4);
        Tensor gradient = Tensors.copy(logits);
        REFERENCE.crossEntropy().forwardBackward(gradient, targets, 0.25, losses);
        GradCheck.check(
                "logits",
                logits,
                gradient,
                () -> {
                    REFERENCE.crossEntropy().forward(logits, targets, losses);
                    double sum = 0;
                    for (double loss : Tensors.values(losses)) {
                        sum += loss / 4;
                    }
                    return sum;
                },
                24,
                1);
    }

    /// Impossible tokens (minus infinity) cost nothing; a target among them costs infinitely much; NaN spreads.
    @Test
    void infinitiesAndNaN() {
        float none = Float.NEGATIVE_INFINITY;
        float[] values = {none, 0, 0, none, 0, 0, Float.NaN, 0, 0, 90, -90, 90};
        Contract.each(run -> {
            Tensor logits = run.updated(i -> values[(int) i], 0, 4, 3);
            Tensor losses = run.written(0, 4);
            run.kernels().crossEntropy().forward(logits, run.integers(1, 0, 1, 1), losses);
            run.synchronize();
            Close.assertClose(
                    "losses",
                    Tensor.of((float) Math.log(2), Float.POSITIVE_INFINITY, Float.NaN, (float) (180 + Math.log(2))),
                    losses,
                    1e-5);
            run.kernels().crossEntropy().forwardBackward(logits, run.integers(1, 1, 1, 1), 1, losses);
            run.synchronize();
            Close.assertClose(
                    "gradients",
                    Tensor.of(0f, -0.5f, 0.5f, 0f, -0.5f, 0.5f, Float.NaN, Float.NaN, Float.NaN, 0.5f, -1f, 0.5f)
                            .reshape(4, 3),
                    logits,
                    1e-6);
        });
    }
}
