package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.map;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class Fp8MatmulTest {
    /// The same bits on every backend: each rounding is one of float32.
    @Test
    void roundsGroups() {
        Property.of("Fp8Matmul.quantize")
                .size("m", 0, 9)
                .size("k", 0, 400)
                .size("gap", 0, 4)
                .flag("bf16")
                .cases(20)
                .check(c -> Contract.check(run -> {
                    Rng rng = c.rng("x");
                    int m = c.size("m");
                    int k = c.size("k");
                    int gap = c.size("gap");
                    Tensor x = c.flag("bf16") ? run.narrow(rng::normal, gap, m, k) : run.input(rng, gap, m, k);
                    Tensor values = run.bytes(m, k);
                    Tensor scales = run.written(gap, m, Fp8Matmul.groups(k));
                    run.kernels().fp8Matmul().quantize(x, values, scales);
                    run.exact("values", values);
                    run.exact("scales", scales);
                }));
    }

    /// The largest number of a group becomes the largest E4M3, or the one next to it.
    @Test
    void theLargestIsUsed() {
        Tensor x = Tensors.zeros(DType.F32, 1, 200);
        x.set(3, -8);
        x.set(150, 1e-6);
        Tensor values = Tensors.zeros(DType.F8_E4M3, 1, 200);
        Tensor scales = Tensors.zeros(DType.F32, 1, 2);
        Contract.REFERENCE.fp8Matmul().quantize(x, values, scales);
        assertEquals(-E4m3.MAX, values.get(3));
        assertEquals(8 / E4m3.MAX, scales.get(0));
        assertEquals(Fp8Matmul.LEAST / E4m3.MAX, scales.get(1));
        assertEquals(4.5, values.get(150));
    }

    /* As in MatmulTest; and each product meets two scales, whose product is rounded. */
    @Test
    void products() {
        Property.of("Fp8Matmul.nt")
                .size("m", 0, 40)
                .size("n", 0, 280)
                .size("k", 0, 400)
                .size("gap", 0, 3)
                .cases(10)
                .check(c -> Contract.check(run -> {
                    int m = c.size("m");
                    int n = c.size("n");
                    int k = c.size("k");
                    int gap = c.size("gap");
                    Tensor a = run.numbers(c.rng("a"), m, k);
                    Tensor b = run.numbers(c.rng("b"), n, k);
                    Tensor aScales = run.input(c.rng("a scales"), gap, m, Fp8Matmul.groups(k));
                    Tensor bScales = run.input(c.rng("b scales"), gap, Fp8Matmul.groups(n), Fp8Matmul.groups(k));
                    Tensor result = run.written(gap, m, n);
                    run.kernels().fp8Matmul().nt(a, aScales, b, bScales, result);
                    run.result("c", result, () -> {
                        Tensor sizes = Tensors.zeros(DType.F64, m, n);
                        run.kernels()
                                .fp8Matmul()
                                .nt(magnitudes(a), Contract.abs(aScales), magnitudes(b), Contract.abs(bScales), sizes);
                        return map(sizes, size -> (k + 4) * U * size);
                    });
                }));
    }

    private static Tensor magnitudes(Tensor e4m3) {
        return Tensors.as(DType.F8_E4M3, Contract.abs(e4m3));
    }

    @Test
    void otherTypesAreRefused() {
        assertEquals(
                "Fp8Matmul.nt: a holds U8, expected F8_E4M3",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> Contract.REFERENCE
                                .fp8Matmul()
                                .nt(
                                        Tensors.zeros(DType.U8, 2, 128),
                                        Tensors.zeros(DType.F32, 2, 1),
                                        Tensors.zeros(DType.F8_E4M3, 3, 128),
                                        Tensors.zeros(DType.F32, 1, 1),
                                        Tensors.zeros(DType.F32, 2, 3))));
    }
}
