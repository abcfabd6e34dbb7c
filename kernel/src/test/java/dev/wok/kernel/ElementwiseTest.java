package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.VECTOR;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class ElementwiseTest {
    @Test
    void addsWithOneRounding() {
        Property.of("Elementwise.add")
                .size("n", 0, 600)
                .cases(20)
                .check(c -> Contract.check(run -> {
                    Tensor a = run.input(c.rng("a"), 0, c.size("n"));
                    Tensor b = run.input(c.rng("b"), 0, c.size("n"));
                    Tensor out = run.written(0, c.size("n"));
                    run.kernels().elementwise().add(a, b, out);
                    run.relative("out", out, U);
                }));
    }

    @Test
    void addsManyBlocksInPlace() {
        Contract.check(run -> {
            Tensor a = run.updated(i -> i % 97, 0, 3, 33_333);
            Tensor b = run.input(i -> i % 89, 0, 3, 33_333);
            run.kernels().elementwise().add(a, b, a);
            run.kernels().elementwise().add(b, a, a);
            run.exact("a", a);
        });
    }

    @Test
    void fillsAnyType() {
        for (DType dtype : DType.values()) {
            for (Kernels kernels : Contract.ALL) {
                Tensor x = Tensors.of(i -> i, dtype, 40_001);
                for (double value : new double[] {-3, 0, -0.0}) {
                    kernels.elementwise().fill(x, value);
                    Close.assertSame(dtype + " on " + kernels.choice(), Tensors.of(_ -> value, dtype, x.elements()), x);
                }
            }
        }
    }

    @Test
    void refusesGaps() {
        Tensor wide = Tensors.zeros(DType.F32, 3, 4).slice(1, 0, 2);
        assertEquals(
                "Elementwise.fill: x, F32[3, 2], has gaps between its rows",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> VECTOR.elementwise().fill(wide, 1)));
    }
}
