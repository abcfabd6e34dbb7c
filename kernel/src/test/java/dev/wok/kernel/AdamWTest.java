package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.TINY;
import static dev.wok.kernel.Contract.U;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdamWTest {
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.95;
    private static final double EPS = 1e-8;

    /// PyTorch's single-tensor loop, in double: `mul_`, `lerp_`, `addcmul_`, `addcdiv_`.
    private static void torch(
            double[] p, double[] g, double[] m, double[] v, double rate, double decay, int step, double clip) {
        double correction1 = 1 - Math.pow(BETA1, step);
        double correction2 = 1 - Math.pow(BETA2, step);
        for (int i = 0; i < p.length; i++) {
            double gradient = g[i] * clip;
            p[i] *= 1 - rate * decay;
            m[i] += (gradient - m[i]) * (1 - BETA1);
            v[i] = v[i] * BETA2 + gradient * gradient * (1 - BETA2);
            double denominator = Math.sqrt(v[i]) / Math.sqrt(correction2) + EPS;
            p[i] -= rate / correction1 * m[i] / denominator;
        }
    }

    /* Ten steps, the rate warming up, every other gradient clipped. The reference agrees to double's accuracy. The
     * vector kernels round the parameter (below 4 in size) three times per step and move it by a few rates at most, off
     * by some 20 roundings.
     */
    @Test
    void followsTorchOverSteps() {
        int n = 1000;
        for (Kernels kernels : Contract.ALL) {
            DType dtype = kernels.choice().backend() == Backend.REFERENCE ? DType.F64 : DType.F32;
            Tensor p = Tensors.as(dtype, Tensors.normal(Seeds.rng("p"), DType.F32, n));
            Tensor m = Tensors.zeros(dtype, n);
            Tensor v = Tensors.zeros(dtype, n);
            Tensor normAndClip = Tensors.zeros(dtype, 2);
            double[] rightP = Tensors.values(p);
            double[] rightM = new double[n];
            double[] rightV = new double[n];
            double rates = 0;
            for (int step = 1; step <= 10; step++) {
                Tensor g = Tensors.as(dtype, Tensors.normal(Seeds.rng("g").split(step), DType.F32, n));
                double[] gradient = Tensors.values(g);
                double rate = 1e-2 * Math.min(1, step / 5.0);
                double maxNorm = step % 2 == 0 ? 1 : 1e9;
                double norm = 0;
                for (double value : gradient) {
                    norm += value * value;
                }
                double clip = Math.min(1, maxNorm / (Math.sqrt(norm) + 1e-6));
                kernels.adamW().clip(List.of(g), maxNorm, normAndClip);
                kernels.adamW().update(new AdamW.Step(rate, BETA1, BETA2, EPS, 0.1, step), p, g, m, v, normAndClip);
                torch(rightP, gradient, rightM, rightV, rate, 0.1, step, clip);
                rates += rate;
                double unit = kernels.choice().backend() == Backend.REFERENCE ? 0x1p-53 * 10 : U;
                double bound = unit * (12.0 * step + 40 * rates);
                Close.assertClose("p at step " + step, Tensors.of(i -> rightP[(int) i], DType.F64, n), p, bound);
                Close.assertClose(
                        "m at step " + step, Tensors.of(i -> rightM[(int) i], DType.F64, n), m, 10 * step * unit);
                Close.assertRelative(
                        "v at step " + step, Tensors.of(i -> rightV[(int) i], DType.F64, n), v, 40 * step * unit);
            }
        }
    }

    @Test
    void updates() {
        Property.of("AdamW.update").size("n", 0, 300).size("step", 1, 50).check(this::update);
        Property.of("AdamW.update, several tasks")
                .size("n", 70_001, 70_001)
                .size("step", 1, 50)
                .cases(1)
                .check(this::update);
    }

    private void update(Case c) {
        Contract.check(run -> {
            int n = c.size("n");
            double rate = 0.01;
            Tensor p = run.updated(c.rng("p"), 0, n);
            Tensor g = run.input(c.rng("g"), 0, n);
            Tensor m = run.updated(c.rng("m"), 0, n);
            Tensor v = run.updated(i -> 1e-3 + c.rng("v").uniform(i), 0, n);
            Tensor normAndClip = run.input(i -> i == 0 ? 7 : 0.5, 0, 2);
            double[] m0 = Tensors.values(m);
            double[] p0 = Tensors.values(p);
            AdamW.Step step = new AdamW.Step(rate, BETA1, BETA2, EPS, 0.1, c.size("step"));
            run.kernels().adamW().update(step, p, g, m, v, normAndClip);
            run.relative("v", v, 6 * U);
            Tensor spread =
                    Tensors.of(i -> BETA1 * Math.abs(m0[(int) i]) + (1 - BETA1) * Math.abs(g.get(i)), DType.F64, n);
            run.result("m", m, () -> Contract.map(spread, s -> 5 * U * s + TINY));
            double correction = Math.sqrt(1 - Math.pow(BETA2, c.size("step"))) / (1 - Math.pow(BETA1, c.size("step")));
            run.result(
                    "p",
                    p,
                    () -> Tensors.of(
                            i -> U
                                    * (4 * Math.abs(p0[(int) i])
                                            + 20 * rate * correction * spread.get(i) / Math.sqrt(v.get(i))),
                            DType.F64,
                            n));
        });
    }

    /* Squares are positive: blocks of 4096 of them are off by 4096 u at most, the root halves that. */
    @Test
    void normOverSeveralTensors() {
        Property.of("AdamW.clip").size("n", 0, 9000).size("m", 0, 70).cases(12).check(this::norm);
        Property.of("AdamW.clip, several tasks")
                .size("n", 140_001, 140_001)
                .size("m", 70, 70)
                .cases(1)
                .check(this::norm);
    }

    private void norm(Case c) {
        Contract.check(run -> {
            Tensor a = run.input(c.rng("a"), 0, c.size("n"));
            Tensor b = run.input(c.rng("b"), 0, c.size("m"), 3);
            Tensor normAndClip = run.written(0, 2);
            run.kernels().adamW().clip(List.of(a, b), 5, normAndClip);
            run.relative("normAndClip", normAndClip, 2048 * U);
        });
    }

    /// The norm is the root of the squares' sum, of however many tensors that begin at multiples of
    /// a block.
    @Test
    void squaresAddUpToTheNorm() {
        int n = AdamW.BLOCK + 1000;
        Tensor a = Tensors.normal(Seeds.rng("a"), DType.F32, n);
        Tensor b = Tensors.normal(Seeds.rng("b"), DType.F32, 3, 5);
        for (Kernels kernels : Contract.ALL) {
            AdamW adamW = kernels.adamW();
            Tensor normAndClip = Tensors.zeros(DType.F32, 2);
            adamW.clip(List.of(a, b), 1, normAndClip);
            double sum = 0;
            for (double square : adamW.squares(List.of(a, b))) {
                sum += square;
            }
            assertEquals((float) Math.sqrt(sum), normAndClip.get(0));
            List<Tensor> cut = List.of(a.slice(0, 0, AdamW.BLOCK), a.slice(0, AdamW.BLOCK, n), b);
            assertArrayEquals(adamW.squares(List.of(a, b)), adamW.squares(cut));
        }
    }

    @Test
    void clipsOnlyAboveTheLimitAndShowsNaN() {
        for (Kernels kernels : Contract.ALL) {
            Tensor normAndClip = Tensors.zeros(DType.F32, 2);
            kernels.adamW().clip(List.of(Tensor.of(3f, 4f)), 5.1, normAndClip);
            Close.assertSame("small", Tensor.of(5f, 1f), normAndClip);
            kernels.adamW().clip(List.of(Tensor.of(3f), Tensor.of(4f)), 1, normAndClip);
            Close.assertClose("large", Tensor.of(5f, 0.2f), normAndClip, 1e-6);
            kernels.adamW().clip(List.of(), 1, normAndClip);
            Close.assertSame("none", Tensor.of(0f, 1f), normAndClip);
            kernels.adamW().clip(List.of(Tensor.of(3f, Float.NaN)), 1, normAndClip);
            assertTrue(Double.isNaN(normAndClip.get(0)) && Double.isNaN(normAndClip.get(1)));
        }
    }

    /// An embedding row that no token used: nothing over nothing must stay nothing.
    @Test
    void noGradientMovesNothing() {
        for (Kernels kernels : Contract.ALL) {
            Tensor p = Tensors.of(i -> i - 8, DType.F32, 17);
            Tensor zeros = Tensors.zeros(DType.F32, 17);
            Tensor before = Tensors.copy(p);
            kernels.adamW()
                    .update(
                            new AdamW.Step(0.1, BETA1, BETA2, EPS, 0, 1),
                            p,
                            zeros,
                            Tensors.zeros(DType.F32, 17),
                            Tensors.zeros(DType.F32, 17),
                            Tensor.of(0f, 1f));
            Close.assertSame("p", before, p);
        }
    }

    /// One element, by hand: with a first gradient the step is the rate, whatever the gradient's size.
    @Test
    void theFirstStepMovesByTheRate() {
        Tensor p = Tensors.of(_ -> 2, DType.F64, 1);
        Tensor g = Tensors.of(_ -> -1e-3, DType.F64, 1);
        Tensor clip = Tensors.of(_ -> 1, DType.F64, 2);
        REFERENCE
                .adamW()
                .update(
                        new AdamW.Step(0.1, BETA1, BETA2, 0, 0.5, 1),
                        p,
                        g,
                        Tensors.zeros(DType.F64, 1),
                        Tensors.zeros(DType.F64, 1),
                        clip);
        assertEquals(2 * (1 - 0.1 * 0.5) + 0.1, p.get(0), 1e-12);
    }
}
