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
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
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
    void addsABiasAndSumsItsGradient() {
        Property.of("Elementwise.addBias")
                .size("rows", 0, 70)
                .size("n", 1, 600)
                .size("gap", 0, 3)
                .cases(20)
                .check(c -> Contract.check(run -> {
                    int rows = c.size("rows");
                    Tensor x = run.updated(c.rng("x"), c.size("gap"), rows, c.size("n"));
                    run.kernels().elementwise().addBias(x, run.input(c.rng("bias"), 0, c.size("n")));
                    run.relative("x", x, U);
                    Tensor sum = run.updated(c.rng("sum"), 0, c.size("n"));
                    run.kernels()
                            .elementwise()
                            .biasGradient(run.input(c.rng("dy"), c.size("gap"), rows, c.size("n")), sum);
                    // Normal numbers stay below 6: partial sums below 6 (rows + 1), each rounded once.
                    double bound = U * 6 * (rows + 1) * (rows + 1);
                    run.result("sum", sum, () -> Contract.map(sum, _ -> bound));
                }));
    }

    @Test
    void fillsAnyType() {
        for (DType dtype : DType.values()) {
            for (int n : new int[] {1, 40_001, 40_016}) {
                Contract.each(run -> {
                    Tensor x = run.zeros(dtype, 0, n);
                    x.copyFrom(Tensors.of(i -> i, dtype, n));
                    for (double value : new double[] {-3, 0, -0.0}) {
                        run.kernels().elementwise().fill(x, value);
                        run.synchronize();
                        Close.assertSame(dtype + " on " + run.kernels().choice(), Tensors.of(_ -> value, dtype, n), x);
                    }
                });
            }
        }
    }

    /// Through both types: what [Tensor#set] rounds, the kernels round, for every kind of number.
    @Test
    void casts() {
        Property.of("Elementwise.cast")
                .size("rows", 0, 9)
                .size("n", 1, 300)
                .size("gap", 0, 3)
                .check(c -> Contract.check(run -> {
                    long[] shape = {2, c.size("rows"), c.size("n")};
                    Tensor x = run.input(c.rng("x"), c.size("gap"), shape);
                    Tensor same = run.written(c.size("gap"), shape);
                    Tensor narrow = run.zeros(DType.BF16, c.size("gap"), shape);
                    Tensor copy = run.zeros(DType.BF16, 0, shape);
                    Tensor wide = run.written(0, shape);
                    Elementwise elementwise = run.kernels().elementwise();
                    elementwise.cast(x, same);
                    elementwise.cast(x, narrow);
                    elementwise.cast(narrow, copy);
                    elementwise.cast(narrow, wide);
                    run.exact("same", same);
                    run.exact("narrow", narrow);
                    run.exact("copy", copy);
                    run.exact("wide", wide);
                }));
    }

    /// Each token's row goes where its sequence's table says, and nothing else is touched.
    @Test
    void castsToPages() {
        Property.of("Elementwise.castToPages")
                .size("heads", 1, 3)
                .size("n", 1, 90)
                .size("gap", 0, 3)
                .size("first", 0, 9)
                .check(c -> Contract.check(run -> {
                    int[] starts = {0, 5, 5, 13};
                    int[] positions = new int[13];
                    Arrays.setAll(positions, t -> t == 7 ? -1 : c.size("first") + (t < 5 ? t : t - 5));
                    PageTable table = new PageTable(
                            run.integers(starts),
                            run.integers(4, 0, 9, 9, 9, 9, 3, 1, 7).reshape(3, 3));
                    Tensor from = run.input(c.rng("from"), c.size("gap"), 13, c.size("heads"), c.size("n"));
                    Tensor at = run.integers(positions);
                    long[] shape = {10, 6, c.size("heads"), c.size("n")};
                    Tensor to = run.updated(c.rng("to"), c.size("gap"), shape);
                    Tensor before = Tensors.copy(to);
                    run.kernels().elementwise().castToPages(from, to, table, at);
                    Tensor narrow = run.zeros(DType.BF16, 0, shape);
                    run.kernels().elementwise().castToPages(from, narrow, table, at);
                    run.exact("to", to);
                    run.exact("narrow", narrow);
                    if (run.isReference()) {
                        for (int t = 0; t < 13; t++) {
                            int p = positions[t];
                            int page = t < 5
                                    ? new int[] {4, 0, 9}[Math.max(0, p) / 6]
                                    : new int[] {3, 1, 7}[Math.max(0, p) / 6];
                            if (p >= 0) {
                                before.select(0, page).select(0, p % 6).copyFrom(from.select(0, t));
                            }
                        }
                        Close.assertSame("to", before, to);
                    }
                }));
    }

    /* All upper halves of a float, with lower halves on either side of the middle: every exponent, infinities, numbers
     * below the normal ones, NaN with and without its quiet bit.
     */
    @Test
    void roundsEveryKindOfNumber() {
        int[] lower = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
        Tensor x = Tensors.zeros(DType.F32, 1 << 16, lower.length);
        for (int i = 0; i < x.elements(); i++) {
            x.memory().setAtIndex(ValueLayout.JAVA_INT, i, i / lower.length << 16 | lower[i % lower.length]);
        }
        Tensor expected = Tensors.as(DType.BF16, x);
        Tensor widened = Tensors.as(DType.F32, expected);
        for (Kernels kernels : Contract.ALL) {
            Tensor narrow = Tensors.zeros(DType.BF16, x.shape());
            Tensor wide = Tensors.zeros(DType.F32, x.shape());
            kernels.elementwise().cast(x, narrow);
            kernels.elementwise().cast(narrow, wide);
            assertEquals(
                    -1,
                    expected.memory().mismatch(narrow.memory()),
                    kernels.choice().reason());
            assertEquals(
                    -1,
                    widened.memory().mismatch(wide.memory()),
                    kernels.choice().reason());
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
