package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.dot;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class RmsNormTest {
    private static final double EPS = 1e-6;

    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 140)
                .size("n", 1, 300)
                .size("gap", 0, 3)
                .flag("inPlace")
                .flag("accumulate");
    }

    /* The squares are all positive, so their sum is off by a factor of n u at most, the root halves that; three more
     * roundings follow.
     */
    @Test
    void normalizesRows() {
        sizes("RmsNorm.forward")
                .check(c -> Contract.check(run -> {
                    int tokens = c.size("tokens");
                    int n = c.size("n");
                    boolean inPlace = c.flag("inPlace");
                    Tensor x = inPlace
                            ? run.updated(c.rng("x"), c.size("gap"), tokens, n)
                            : run.input(c.rng("x"), c.size("gap"), tokens, n);
                    Tensor weight = run.input(c.rng("w"), 0, n);
                    Tensor y = inPlace ? x : run.written(c.size("gap"), tokens, n);
                    Tensor rstd = run.written(0, tokens);
                    run.kernels().rmsNorm().forward(x, weight, EPS, y, rstd);
                    run.relative("y", y, (n + 8) * U);
                    run.relative("rstd", rstd, (n + 6) * U);
                }));
    }

    /* With g = dy w and h = x rstd: the mean of g h is off by (n + 5) u mean |g h|, so dx by
     * (n + 12) u rstd (|g| + |h| mean |g h|); dw is a sum of tokens products, each off by a few roundings.
     */
    @Test
    void gradients() {
        sizes("RmsNorm.backward")
                .check(c -> Contract.check(run -> {
                    int tokens = c.size("tokens");
                    int n = c.size("n");
                    int gap = c.size("gap");
                    boolean accumulate = c.flag("accumulate");
                    Tensor x = run.input(c.rng("x"), gap, tokens, n);
                    Tensor weight = run.input(c.rng("w"), 0, n);
                    Tensor rstd = run.input(i -> 0.5 + c.rng("rstd").uniform(i), 0, tokens);
                    Tensor dy = run.input(c.rng("dy"), gap, tokens, n);
                    Tensor dx = accumulate ? run.updated(c.rng("dx"), gap, tokens, n) : run.written(gap, tokens, n);
                    Tensor dWeight = run.updated(c.rng("dw"), 0, n);
                    double[] dx0 = Tensors.values(dx);
                    double[] dw = Tensors.values(Contract.abs(dWeight));
                    run.kernels().rmsNorm().backward(x, weight, rstd, dy, dx, accumulate, dWeight);
                    double[] dxBound = new double[tokens * n];
                    for (int t = 0; t < tokens; t++) {
                        double mean = 0;
                        for (int i = 0; i < n; i++) {
                            double h = Math.abs(x.get(x.offset(t, i)) * rstd.get(t));
                            double d = Math.abs(dy.get(dy.offset(t, i)));
                            mean += h * d * Math.abs(weight.get(i)) / n;
                            dw[i] += h * d;
                        }
                        for (int i = 0; i < n; i++) {
                            double h = Math.abs(x.get(x.offset(t, i)) * rstd.get(t));
                            double g = Math.abs(dy.get(dy.offset(t, i)) * weight.get(i));
                            double old = accumulate ? Math.abs(dx0[t * n + i]) : 0;
                            dxBound[t * n + i] = (n + 12) * U * (rstd.get(t) * (g + h * mean) + old);
                        }
                    }
                    run.result("dx", dx, () -> Tensors.of(i -> dxBound[(int) i], DType.F64, tokens, n));
                    run.result("dWeight", dWeight, () -> Tensors.of(i -> (tokens + 6) * U * dw[(int) i], DType.F64, n));
                }));
    }

    @Test
    void gradientAgreesWithDifferences() {
        Rng rng = Seeds.rng("rms");
        Tensor x = Tensors.normal(rng.split("x"), DType.F64, 4, 5);
        Tensor weight = Tensors.normal(rng.split("w"), DType.F64, 5);
        Tensor dy = Tensors.normal(rng.split("dy"), DType.F64, 4, 5);
        Tensor y = Tensors.zeros(DType.F64, 4, 5);
        Tensor rstd = Tensors.zeros(DType.F64, 4);
        Tensor dx = Tensors.zeros(DType.F64, 4, 5);
        Tensor dWeight = Tensors.zeros(DType.F64, 5);
        DoubleSupplier loss = () -> {
            REFERENCE.rmsNorm().forward(x, weight, 0.1, y, rstd);
            return dot(y, dy);
        };
        assertTrue(Double.isFinite(loss.getAsDouble()));
        REFERENCE.rmsNorm().backward(x, weight, rstd, dy, dx, false, dWeight);
        GradCheck.check("x", x, dx, loss, 20, 1);
        GradCheck.check("weight", weight, dWeight, loss, 5, 1);
    }

    @Test
    void aRowOfZerosStaysZero() {
        for (Kernels kernels : Contract.all()) {
            Tensor y = Tensors.of(_ -> 7, DType.F32, 1, 5);
            Tensor rstd = Tensors.zeros(DType.F32, 1);
            kernels.rmsNorm().forward(Tensors.zeros(DType.F32, 1, 5), Tensors.of(_ -> 1, DType.F32, 5), EPS, y, rstd);
            Close.assertSame("y", Tensors.zeros(DType.F32, 1, 5), y);
            Close.assertRelative("rstd", Tensor.of(1000f), rstd, 2 * U);
        }
    }
}
