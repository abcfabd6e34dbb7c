package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.dot;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class LatentKeysTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 70)
                .size("heads", 1, 9)
                .size("nope", 0, 40)
                .size("rope", 0, 40)
                .size("gap", 0, 3);
    }

    @Test
    void joinsExactly() {
        sizes("LatentKeys.forward")
                .check(c -> Contract.check(run -> {
                    int gap = c.size("gap");
                    Tensor nope = run.input(c.rng("nope"), gap, c.size("tokens"), c.size("heads"), c.size("nope"));
                    Tensor rope = run.input(c.rng("rope"), gap, c.size("tokens"), c.size("rope"));
                    Tensor k = run.written(gap, c.size("tokens"), c.size("heads"), c.size("nope") + c.size("rope"));
                    run.kernels().latentKeys().forward(nope, rope, k);
                    run.exact("k", k);
                }));
    }

    /* dRope is a sum of one term per head, dNope a copy. */
    @Test
    void partsGradients() {
        sizes("LatentKeys.backward")
                .check(c -> Contract.check(run -> {
                    int gap = c.size("gap");
                    int heads = c.size("heads");
                    Tensor dk = run.input(c.rng("dk"), gap, c.size("tokens"), heads, c.size("nope") + c.size("rope"));
                    Tensor dNope = run.written(gap, c.size("tokens"), heads, c.size("nope"));
                    Tensor dRope = run.written(gap, c.size("tokens"), c.size("rope"));
                    run.kernels().latentKeys().backward(dk, dNope, dRope);
                    run.exact("dNope", dNope);
                    run.result("dRope", dRope, () -> {
                        Tensor sums = Tensors.zeros(DType.F64, dRope.shape());
                        REFERENCE.latentKeys().backward(Contract.abs(dk), Tensors.copy(dNope), sums);
                        return Contract.map(sums, sum -> heads * U * sum);
                    });
                }));
    }

    @Test
    void gradientAgreesWithDifferences() {
        Rng rng = Seeds.rng("latent keys");
        Tensor nope = Tensors.normal(rng.split("nope"), DType.F64, 2, 3, 2);
        Tensor rope = Tensors.normal(rng.split("rope"), DType.F64, 2, 4);
        Tensor dk = Tensors.normal(rng.split("dk"), DType.F64, 2, 3, 6);
        Tensor dNope = Tensors.zeros(DType.F64, 2, 3, 2);
        Tensor dRope = Tensors.zeros(DType.F64, 2, 4);
        Tensor k = Tensors.zeros(DType.F64, 2, 3, 6);
        DoubleSupplier loss = () -> {
            REFERENCE.latentKeys().forward(nope, rope, k);
            return dot(k, dk);
        };
        REFERENCE.latentKeys().backward(dk, dNope, dRope);
        GradCheck.check("nope", nope, dNope, loss, 12, 1);
        GradCheck.check("rope", rope, dRope, loss, 8, 1);
    }
}
