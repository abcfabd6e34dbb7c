package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.TINY;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.dot;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.Test;

class SwigluTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 70)
                .size("n", 1, 300)
                .size("gap", 0, 3)
                .flag("inPlace");
    }

    /// Gates from -60 to 60: flat on either side.
    private static double value(Case c, long i) {
        return 20 * (c.rng("x").uniform(i) - 0.5) * (1 + 5 * c.rng("wide").uniform(i));
    }

    /* The exponential is within 2.5 u of its value, the sigmoid within 5 u, three products and roundings follow. */
    @Test
    void gates() {
        sizes("Swiglu.forward")
                .check(c -> Contract.check(run -> {
                    Tensor gateUp = run.input(i -> value(c, i), c.size("gap"), c.size("tokens"), 2L * c.size("n"));
                    Tensor out = run.written(c.size("gap"), c.size("tokens"), c.size("n"));
                    run.kernels().swiglu().forward(gateUp, out);
                    run.relative("out", out, 9 * U);
                }));
    }

    /* The slope is s + s (g - g s): with s within 5 u, the bracket is off by 8 u |g|. */
    @Test
    void gradients() {
        sizes("Swiglu.backward")
                .check(c -> Contract.check(run -> {
                    int n = c.size("n");
                    long[] shape = {c.size("tokens"), 2L * n};
                    boolean inPlace = c.flag("inPlace");
                    Tensor gateUp = inPlace
                            ? run.updated(i -> value(c, i), c.size("gap"), shape)
                            : run.input(i -> value(c, i), c.size("gap"), shape);
                    double[] x = Tensors.values(gateUp);
                    Tensor dOut = run.input(c.rng("dOut"), c.size("gap"), c.size("tokens"), n);
                    double[] d = Tensors.values(dOut);
                    Tensor dGateUp = inPlace ? gateUp : run.written(c.size("gap"), shape);
                    run.kernels().swiglu().backward(gateUp, dOut, dGateUp);
                    run.result(
                            "dGateUp",
                            dGateUp,
                            () -> Tensors.of(
                                    at -> {
                                        int i = (int) at;
                                        boolean up = i % (2 * n) >= n;
                                        double g = x[up ? i - n : i];
                                        double s = 1 / (1 + Math.exp(-g));
                                        double dOutHere = Math.abs(d[i / (2 * n) * n + i % n]);
                                        return TINY
                                                + U
                                                        * dOutHere
                                                        * (up
                                                                ? 8 * Math.abs(g * s)
                                                                : Math.abs(x[i + n]) * s * (12 + 8 * Math.abs(g)));
                                    },
                                    DType.F64,
                                    shape));
                }));
    }

    @Test
    void gradientAgreesWithDifferences() {
        Rng rng = Seeds.rng("swiglu");
        Tensor gateUp = Tensors.normal(rng.split("x"), DType.F64, 3, 8);
        Tensor dOut = Tensors.normal(rng.split("d"), DType.F64, 3, 4);
        Tensor gradient = Tensors.zeros(DType.F64, 3, 8);
        REFERENCE.swiglu().backward(gateUp, dOut, gradient);
        Tensor out = Tensors.zeros(DType.F64, 3, 4);
        GradCheck.check(
                "gateUp",
                gateUp,
                gradient,
                () -> {
                    REFERENCE.swiglu().forward(gateUp, out);
                    return dot(out, dOut);
                },
                24,
                1);
    }

    @Test
    void extremesAreFiniteAndNaNIsSeen() {
        for (Kernels kernels : Contract.all()) {
            Tensor gateUp =
                    Tensor.of(1e30f, -1e30f, -104f, Float.NaN, 1f, 1f, 1f, 1f).reshape(1, 8);
            Tensor out = Tensors.zeros(DType.F32, 1, 4);
            kernels.swiglu().forward(gateUp, out);
            Close.assertClose("out", Tensor.of(1e30f, 0f, 0f, Float.NaN).reshape(1, 4), out, 1e-38);
            Tensor gradient = Tensors.zeros(DType.F32, 1, 8);
            kernels.swiglu().backward(gateUp, Tensors.of(_ -> 1, DType.F32, 1, 4), gradient);
            assertTrue(Double.isNaN(gradient.get(3)) && Double.isNaN(gradient.get(7)));
            Close.assertClose("slopes", Tensor.of(1f, 0f, 0f).reshape(1, 3), gradient.slice(1, 0, 3), 1e-38);
        }
    }
}
