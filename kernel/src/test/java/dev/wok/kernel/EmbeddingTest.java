package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.abs;
import static dev.wok.kernel.Contract.dot;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.Test;

class EmbeddingTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 210)
                .size("vocab", 1, 20)
                .size("hidden", 1, 210)
                .size("gap", 0, 3);
    }

    /// One in eight tokens is none.
    private static int[] ids(Case c) {
        int[] ids = new int[c.size("tokens")];
        for (int t = 0; t < ids.length; t++) {
            ids[t] = c.rng("none").below(t, 8) == 0 ? -1 : c.rng("ids").below(t, c.size("vocab"));
        }
        return ids;
    }

    @Test
    void gathersRowsExactly() {
        sizes("Embedding.forward")
                .check(c -> Contract.check(run -> {
                    Tensor table = run.input(c.rng("table"), c.size("gap"), c.size("vocab"), c.size("hidden"));
                    Tensor out = run.written(c.size("gap"), c.size("tokens"), c.size("hidden"));
                    run.kernels().embedding().forward(run.integers(ids(c)), table, out);
                    run.exact("out", out);
                }));
    }

    /* A row is a sum of at most tokens + 1 terms. */
    @Test
    void sumsGradientsOfRepeatedTokens() {
        sizes("Embedding.backward")
                .check(c -> Contract.check(run -> {
                    Tensor ids = run.integers(ids(c));
                    Tensor dOut = run.input(c.rng("dOut"), c.size("gap"), c.size("tokens"), c.size("hidden"));
                    Tensor dTable = run.updated(c.rng("dTable"), c.size("gap"), c.size("vocab"), c.size("hidden"));
                    Tensor sums = abs(dTable);
                    run.kernels().embedding().backward(ids, dOut, dTable);
                    run.result("dTable", dTable, () -> {
                        REFERENCE.embedding().backward(ids, abs(dOut), sums);
                        return Contract.map(sums, sum -> (c.size("tokens") + 1) * U * sum);
                    });
                }));
    }

    /// A table may be a part of a larger one: what lies behind it is not read.
    @Test
    void idsBeyondTheTableAreRefused() {
        Tensor table =
                Tensors.normal(Seeds.rng("embedding table"), DType.F32, 5, 3).slice(0, 0, 4);
        Tensor row = Tensors.zeros(DType.F32, 1, 3);
        for (Kernels kernels : Contract.all()) {
            assertThrows(
                    IndexOutOfBoundsException.class, () -> kernels.embedding().forward(Tensor.of(4), table, row));
            assertThrows(
                    IndexOutOfBoundsException.class, () -> kernels.embedding().backward(Tensor.of(4), row, table));
        }
    }

    @Test
    void gradientAgreesWithDifferences() {
        Tensor ids = Tensor.of(2, 0, -1, 2, 3);
        Tensor table = Tensors.normal(Seeds.rng("embedding table"), DType.F64, 5, 3);
        Tensor dOut = Tensors.normal(Seeds.rng("embedding dOut"), DType.F64, 5, 3);
        Tensor gradient = Tensors.zeros(DType.F64, 5, 3);
        REFERENCE.embedding().backward(ids, dOut, gradient);
        Tensor out = Tensors.zeros(DType.F64, 5, 3);
        GradCheck.check(
                "table",
                table,
                gradient,
                () -> {
                    REFERENCE.embedding().forward(ids, table, out);
                    return dot(out, dOut);
                },
                15,
                1);
    }
}
