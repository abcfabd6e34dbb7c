package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.abs;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.List;
import org.junit.jupiter.api.Test;

class MatmulTest {
    /// A product that adds to its result always.
    private interface Accumulating extends Product {}

    private interface UnaryWeight {
        Dense of(Tensor value);
    }

    private interface Product {
        void of(Matmul matmul, Tensor a, Tensor b, Tensor c, boolean accumulate);
    }

    /* A sum of k rounded products, in any order, is off by at most k u sum |a b| (to first order in u); a result that
     * is added to is one more term. Both sides round the same operands to bfloat16, where they do, and the products of
     * bfloat16 numbers are exact in float32.
     */
    private static void check(String name, Product product, boolean transposedLeft, boolean transposedRight) {
        Property.of(name)
                .size("m", 0, 70)
                .size("n", 0, 110)
                .size("k", 0, 300)
                .flag("accumulate")
                .size("gap", 0, 3)
                .cases(30)
                .check(c -> Contract.checkProducts(run -> product(run, c, product, transposedLeft, transposedRight)));
    }

    private static void product(
            Contract.Run run, Case c, Product product, boolean transposedLeft, boolean transposedRight) {
        int m = c.size("m");
        int n = c.size("n");
        int k = c.size("k");
        int gap = c.size("gap");
        boolean accumulate = product instanceof Accumulating || c.flag("accumulate");
        Tensor a = transposedLeft ? run.input(c.rng("a"), gap, k, m) : run.input(c.rng("a"), gap, m, k);
        Tensor b = transposedRight ? run.input(c.rng("b"), gap, n, k) : run.input(c.rng("b"), gap, k, n);
        Tensor result = accumulate ? run.updated(c.rng("c"), gap, m, n) : run.written(gap, m, n);
        Tensor before = abs(result);
        product.of(run.kernels().matmul(), a, b, result, accumulate);
        run.result("c", result, () -> {
            product.of(run.kernels().matmul(), abs(a), abs(b), before, accumulate);
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

    @Test
    void linear() {
        check("Matmul.linear", (matmul, x, w, y, add) -> matmul.linear(x, Weight.of(w), y, add), false, true);
        check("Matmul.linear, exact", (matmul, x, w, y, add) -> matmul.linear(x, Weight.exact(w), y, add), false, true);
    }

    @Test
    void linearInput() {
        check(
                "Matmul.linearInput",
                (matmul, dy, w, dx, add) -> matmul.linearInput(dy, Weight.of(w), dx, add),
                false,
                false);
        check(
                "Matmul.linearInput, exact",
                (matmul, dy, w, dx, add) -> matmul.linearInput(dy, Weight.exact(w), dx, add),
                false,
                false);
    }

    @Test
    void linearWeight() {
        weightGradient("Matmul.linearWeight", Weight::of);
        weightGradient("Matmul.linearWeight, exact", Weight::exact);
    }

    private static void weightGradient(String name, UnaryWeight weight) {
        Accumulating product = (matmul, dy, x, dw, _) -> matmul.linearWeight(dy, x, weight.of(dw), dw);
        Property.of(name)
                .size("m", 0, 70)
                .size("n", 0, 110)
                .size("k", 0, 300)
                .size("gap", 0, 3)
                .cases(20)
                .check(c -> Contract.checkProducts(run -> product(run, c, product, true, false)));
    }

    /// Products of an exact weight have float32's bits in bfloat16 kernels.
    @Test
    void exactWeightsAreNotRounded() {
        Rng rng = Seeds.rng("exact");
        Tensor x = Tensors.normal(rng.split("x"), DType.F32, 9, 40);
        Tensor dy = Tensors.normal(rng.split("dy"), DType.F32, 9, 11);
        Tensor w = Tensors.normal(rng.split("w"), DType.F32, 11, 40);
        List<Kernels> f32 = Contract.fast(Precision.F32).toList();
        List<Kernels> bf16 = Contract.fast(Precision.BF16).toList();
        for (int i = 0; i < f32.size(); i++) {
            Close.assertSame("y", linear(f32.get(i), x, Weight.of(w)), linear(bf16.get(i), x, Weight.exact(w)));
            Tensor dw = Tensors.zeros(DType.F32, w.shape());
            Tensor exact = Tensors.zeros(DType.F32, w.shape());
            f32.get(i).matmul().linearWeight(dy, x, Weight.of(w), dw);
            bf16.get(i).matmul().linearWeight(dy, x, Weight.exact(w), exact);
            Close.assertSame("dw", dw, exact);
        }
    }

    private static Tensor linear(Kernels kernels, Tensor x, Dense w) {
        Tensor y = Tensors.zeros(DType.F32, x.dim(0), w.value().dim(0));
        kernels.matmul().linear(x, w, y, false);
        return y;
    }

    private static Tensor linearInput(Kernels kernels, Tensor dy, Dense w) {
        Tensor dx = Tensors.zeros(DType.F32, dy.dim(0), w.value().dim(1));
        kernels.matmul().linearInput(dy, w, dx, false);
        return dx;
    }

    /// What a backend keeps of a weight is made anew when the weight has changed.
    @Test
    void changedWeightsAreReadAgain() {
        Rng rng = Seeds.rng("changed");
        for (Precision precision : Precision.values()) {
            Contract.fast(precision).forEach(kernels -> {
                Tensor x = Tensors.normal(rng.split("x"), DType.F32, 9, 40);
                Dense w = Weight.of(Tensors.normal(rng.split("before"), DType.F32, 11, 40));
                linear(kernels, x, w);
                Tensor dy = Tensors.normal(rng.split("dy"), DType.F32, 9, 11);
                linearInput(kernels, dy, w);
                Tensor after = Tensors.normal(rng.split("after"), DType.F32, 11, 40);
                w.value().copyFrom(after);
                w.changed();
                Close.assertSame("y", linear(kernels, x, Weight.of(after)), linear(kernels, x, w));
                Close.assertSame("dx", linearInput(kernels, dy, Weight.of(after)), linearInput(kernels, dy, w));
            });
        }
    }

    /// One form of a weight is asked for after every change, the other after two of them.
    @Test
    void whatWasNotAskedForMeanwhileIsReadAgain() {
        Rng rng = Seeds.rng("seldom");
        for (Precision precision : Precision.values()) {
            Contract.fast(precision).forEach(kernels -> {
                Tensor x = Tensors.normal(rng.split("x"), DType.F32, 9, 40);
                Tensor dy = Tensors.normal(rng.split("dy"), DType.F32, 9, 11);
                Dense w = Weight.of(Tensors.normal(rng.split("w"), DType.F32, 11, 40));
                linear(kernels, x, w);
                linearInput(kernels, dy, w);
                for (int change = 0; change < 3; change++) {
                    w.value().copyFrom(Tensors.normal(rng.split("change " + change), DType.F32, 11, 40));
                    w.changed();
                    linear(kernels, x, w);
                }
                Close.assertSame("dx", linearInput(kernels, dy, Weight.of(w.value())), linearInput(kernels, dy, w));
            });
        }
    }

    /// The reference reads bfloat16 beside float32.
    @Test
    void operandsMayBeNarrower() {
        Rng rng = Seeds.rng("narrow");
        Tensor x = Tensors.as(DType.BF16, Tensors.normal(rng.split("x"), DType.F32, 3, 7));
        Tensor w = Tensors.as(DType.BF16, Tensors.normal(rng.split("w"), DType.F32, 5, 7));
        Tensor wide = linear(Contract.REFERENCE, Tensors.as(DType.F32, x), Weight.of(Tensors.as(DType.F32, w)));
        Close.assertSame("y", wide, linear(Contract.REFERENCE, x, Weight.of(w)));
        Close.assertSame("y", wide, linear(Contract.REFERENCE, Tensors.as(DType.F32, x), Weight.of(w)));
        assertEquals(
                "Matmul: x holds I32, expected F32",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> linear(Contract.REFERENCE, Tensors.zeros(DType.I32, 3, 7), Weight.of(w))));
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
                .check(MatmulTest::everyOrientation);
    }

    /// The same on the blocks of GPUs, which are smaller, and whose emulator is slow.
    void manySmallBlocks() {
        Property.of("Matmul.blocks")
                .size("m", 130, 160)
                .size("n", 130, 280)
                .size("k", 130, 200)
                .flag("accumulate")
                .size("gap", 0, 1)
                .cases(2)
                .check(MatmulTest::everyOrientation);
    }

    private static void everyOrientation(Case c) {
        Contract.checkProducts(run -> product(run, c, Matmul::nt, false, true));
        Contract.checkProducts(run -> product(run, c, Matmul::nn, false, false));
        Contract.checkProducts(run -> product(run, c, Matmul::tn, true, false));
    }
}
