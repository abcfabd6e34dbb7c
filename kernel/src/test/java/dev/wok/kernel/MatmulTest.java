package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.abs;

import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import org.junit.jupiter.api.Test;

class MatmulTest {
    private interface Product {
        void of(Matmul matmul, Tensor a, Tensor b, Tensor c, boolean accumulate);
    }

    /* A sum of k rounded products, in any order, is off by at most k u sum |a b| (to first order in u); a result that
     * is added to is one more term.
     */
    private static void check(String name, Product product, boolean transposedLeft, boolean transposedRight) {
        Property.of(name)
                .size("m", 0, 70)
                .size("n", 0, 110)
                .size("k", 0, 300)
                .flag("accumulate")
                .size("gap", 0, 3)
                .cases(30)
                .check(c -> Contract.check(run -> product(run, c, product, transposedLeft, transposedRight)));
    }

    private static void product(
            Contract.Run run, Case c, Product product, boolean transposedLeft, boolean transposedRight) {
        int m = c.size("m");
        int n = c.size("n");
        int k = c.size("k");
        int gap = c.size("gap");
        boolean accumulate = c.flag("accumulate");
        Tensor a = transposedLeft ? run.input(c.rng("a"), gap, k, m) : run.input(c.rng("a"), gap, m, k);
        Tensor b = transposedRight ? run.input(c.rng("b"), gap, n, k) : run.input(c.rng("b"), gap, k, n);
        Tensor result = accumulate ? run.updated(c.rng("c"), gap, m, n) : run.written(gap, m, n);
        Tensor before = abs(result);
        product.of(run.kernels().matmul(), a, b, result, accumulate);
        run.result("c", result, () -> {
            product.of(Contract.REFERENCE.matmul(), abs(a), abs(b), before, accumulate);
            return Contract.map(before, sum -> (k + 2) * U * sum);
        });
    }

    @Test
    void leftTimesTransposedRight() {
        check("Matmul.nt", Matmul::nt, false, true);
    }

    @Test
    void leftTimesRight() {
        check("Matmul.nn", Matmul::nn, false, false);
    }

    @Test
    void transposedLeftTimesRight() {
        check("Matmul.tn", Matmul::tn, true, false);
    }

    /// Larger than one block in every dimension.
    @Test
    void manyBlocks() {
        Property.of("Matmul.blocks")
                .size("m", 257, 330)
                .size("n", 241, 500)
                .size("k", 257, 300)
                .flag("accumulate")
                .size("gap", 0, 1)
                .cases(2)
                .check(c -> {
                    Contract.check(run -> product(run, c, Matmul::nt, false, true));
                    Contract.check(run -> product(run, c, Matmul::nn, false, false));
                    Contract.check(run -> product(run, c, Matmul::tn, true, false));
                });
    }
}
