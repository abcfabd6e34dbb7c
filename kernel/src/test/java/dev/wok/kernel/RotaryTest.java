package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.dot;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.kernel.Rotary.Pairing;
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

class RotaryTest {
    private static int[] positions(Case c) {
        int[] positions = new int[c.size("tokens")];
        for (int t = 0; t < positions.length; t++) {
            positions[t] = c.rng("positions").below(t, 100_000);
        }
        return positions;
    }

    private static float frequency(long i, int half) {
        return (float) Math.pow(10_000, -(double) i / half);
    }

    /* Cosine and sine of the same float32 angle, rounded once. */
    @Test
    void tableIsCorrectlyRounded() {
        Property.of("Rotary.table")
                .size("tokens", 0, 70)
                .size("half", 1, 40)
                .size("gap", 0, 2)
                .check(c -> Contract.check(run -> {
                    int half = c.size("half");
                    Tensor frequencies = run.input(i -> frequency(i, half), 0, half);
                    Tensor cos = run.written(c.size("gap"), c.size("tokens"), half);
                    Tensor sin = run.written(c.size("gap"), c.size("tokens"), half);
                    run.kernels().rotary().table(run.integers(positions(c)), frequencies, 0.75, cos, sin);
                    run.relative("cos", cos, U);
                    run.relative("sin", sin, U);
                }));
    }

    /// The angle of transformers: position 100,003 times frequency 0.1f is rounded to float32 before the cosine.
    @Test
    void theAngleIsAFloat32Product() {
        Tensor cos = Tensors.zeros(DType.F64, 1, 1);
        Tensor sin = Tensors.zeros(DType.F64, 1, 1);
        REFERENCE.rotary().table(Tensor.of(100_003), Tensor.of(0.1f), 1, cos, sin);
        assertEquals(Math.cos(100_003f * 0.1f), cos.get(0));
        assertEquals(Math.sin(100_003f * 0.1f), sin.get(0));
    }

    /* Two products and their sum; |cos| and |sin| are at most 1. */
    @Test
    void rotatesInPlace() {
        Property.of("Rotary.rotate")
                .size("tokens", 0, 140)
                .size("heads", 1, 5)
                .size("half", 1, 40)
                .size("gap", 0, 3)
                .flag("halves")
                .flag("backward")
                .cases(40)
                .check(c -> Contract.check(run -> {
                    int half = c.size("half");
                    long[] shape = {c.size("tokens"), c.size("heads"), 2L * half};
                    Tensor x = run.updated(c.rng("x"), c.size("gap"), shape);
                    Tensor before = Contract.abs(x);
                    Tensor cos = run.input(i -> Math.cos(c.rng("a").normal(i)), c.size("gap"), shape[0], half);
                    Tensor sin = run.input(i -> Math.sin(c.rng("a").normal(i)), c.size("gap"), shape[0], half);
                    Pairing pairing = c.flag("halves") ? Pairing.HALVES : Pairing.INTERLEAVED;
                    run.kernels().rotary().rotate(x, cos, sin, pairing, c.flag("backward"));
                    run.result(
                            "x",
                            x,
                            () -> Tensors.of(
                                    i -> {
                                        long partner = pairing == Pairing.INTERLEAVED
                                                ? i ^ 1
                                                : i % (2L * half) < half ? i + half : i - half;
                                        return 3 * U * (before.get(i) + before.get(partner)) + Contract.TINY;
                                    },
                                    DType.F64,
                                    shape));
                }));
    }

    @Test
    void pairsLieWhereTheyShould() {
        Contract.each(run -> {
            Tensor cos = run.input(i -> i, 0, 1, 2);
            Tensor sin = run.input(i -> 1 - i, 0, 1, 2);
            Tensor x = run.updated(i -> i + 1, 0, 1, 1, 4);
            Tensor y = run.updated(i -> i + 1, 0, 1, 1, 4);
            run.kernels().rotary().rotate(x, cos, sin, Pairing.INTERLEAVED, false);
            run.kernels().rotary().rotate(y, cos, sin, Pairing.HALVES, false);
            run.synchronize();
            Close.assertSame("interleaved", Tensor.of(-2f, 1f, 3f, 4f).reshape(1, 1, 4), x);
            Close.assertSame("halves", Tensor.of(-3f, 2f, 1f, 4f).reshape(1, 1, 4), y);
        });
    }

    @Test
    void gradientAgreesWithDifferences() {
        Rng rng = Seeds.rng("rotary");
        Tensor x = Tensors.normal(rng.split("x"), DType.F64, 3, 2, 6);
        Tensor dy = Tensors.normal(rng.split("dy"), DType.F64, 3, 2, 6);
        Tensor cos = Tensors.of(i -> 1.5 * Math.cos((double) i), DType.F64, 3, 3);
        Tensor sin = Tensors.of(i -> 1.5 * Math.sin((double) i), DType.F64, 3, 3);
        for (Pairing pairing : Pairing.values()) {
            Tensor dx = Tensors.copy(dy);
            REFERENCE.rotary().rotate(dx, cos, sin, pairing, true);
            GradCheck.check(
                    pairing.name(),
                    x,
                    dx,
                    () -> {
                        Tensor y = Tensors.copy(x);
                        REFERENCE.rotary().rotate(y, cos, sin, pairing, false);
                        return dot(y, dy);
                    },
                    36,
                    1);
        }
    }
}
