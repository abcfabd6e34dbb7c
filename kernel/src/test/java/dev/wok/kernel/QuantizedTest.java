package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class QuantizedTest {
    private static final int[] GROUPS = {32, 64, 128, 512};
    private static final Memory MEMORY = Device.host(1).memory();

    private static Quantized quantized(Tensor source, int bits, int group) {
        return Quantized.of(Tensors.as(DType.F32, source), bits, group, MEMORY);
    }

    /* Float: a group's sum of at most k rounded products, its scaling, the sum of the groups and what is added to.
     * Bytes: the inner sum is exact; it is rounded to float32, scaled twice and added. The sum of magnitudes is that of
     * the magnitudes' product, since rounding to whole numbers is symmetric.
     */
    private static void product(Contract.Run run, Case c, int bits, Activations activations) {
        int m = c.size("m");
        int n = c.size("n");
        int k = c.size("k");
        int gap = c.size("gap");
        int group = GROUPS[c.size("group")];
        boolean accumulate = c.flag("accumulate");
        Tensor x = run.input(c.rng("x"), gap, m, k);
        Tensor source = Tensors.normal(c.rng("w"), DType.F32, n, k);
        Tensor y = accumulate ? run.updated(c.rng("y"), gap, m, n) : run.written(gap, m, n);
        Tensor before = Contract.abs(y);
        run.kernels().matmul().linear(x, quantized(source, bits, group), activations, y, accumulate);
        run.result("y", y, () -> {
            Quantized magnitudes = quantized(Contract.abs(source), bits, group);
            run.kernels().matmul().linear(Contract.abs(x), magnitudes, activations, before, accumulate);
            int inner = activations == Activations.INT8 ? 1 : Math.min(k, group);
            int groups = (k + group - 1) / group;
            return Contract.map(before, sum -> (inner + groups + 4) * U * sum + Contract.TINY);
        });
    }

    private static void check(int bits, Activations activations) {
        Property.of("Matmul.linear, %d bits, %s".formatted(bits, activations))
                .size("m", 0, 20)
                .size("n", 0, 110)
                .size("k", 0, 300)
                .size("group", 0, 3)
                .flag("accumulate")
                .size("gap", 0, 3)
                .cases(20)
                .check(c -> Contract.checkProducts(run -> product(run, c, bits, activations)));
        Property.of("Matmul.linear, blocks, %d bits, %s".formatted(bits, activations))
                .size("m", 193, 200)
                .size("n", 49, 60)
                .size("k", 1025, 1100)
                .size("group", 0, 3)
                .flag("accumulate")
                .size("gap", 0, 1)
                .cases(1)
                .check(c -> Contract.checkProducts(run -> product(run, c, bits, activations)));
    }

    @Test
    void eightBitsTimesFloat() {
        check(8, Activations.FLOAT);
    }

    @Test
    void fourBitsTimesFloat() {
        check(4, Activations.FLOAT);
    }

    @Test
    void eightBitsTimesEightBits() {
        check(8, Activations.INT8);
    }

    @Test
    void fourBitsTimesEightBits() {
        check(4, Activations.INT8);
    }

    /// All bytes there are, and sums as large as they get.
    @Test
    void extremeValuesAreExact() {
        for (int bits : new int[] {8, 4}) {
            int k = 8192;
            Tensor values = Tensors.of(
                    i -> i < k ? bits == 8 ? -128 : 0x00 : bits == 8 ? 127 : 0xFF,
                    bits == 8 ? DType.I8 : DType.U8,
                    2,
                    bits == 8 ? k : k / 2);
            Quantized w = Quantized.of(values, Tensors.of(_ -> 1, DType.BF16, 2, 1), k, k);
            Tensor x = Tensors.of(i -> i < k ? 127 : -127, DType.F32, 2, k);
            Contract.fast(Precision.F32).forEach(kernels -> {
                Tensor expected = Tensors.zeros(DType.F32, 2, 2);
                Contract.REFERENCE.matmul().linear(x, w, Activations.INT8, expected, false);
                Tensor y = Tensors.zeros(DType.F32, 2, 2);
                kernels.matmul().linear(x, w, Activations.INT8, y, false);
                Close.assertSame("y of " + kernels.choice(), expected, y);
            });
        }
    }

    /// What is no number spoils its row and no other; a group of zeros is zeros.
    @Test
    void rowsKeepTheirNansToThemselves() {
        Rng rng = Seeds.rng("nan");
        for (int bits : new int[] {8, 4}) {
            Quantized w = quantized(Tensors.normal(rng.split("w"), DType.F32, 50, 200), bits, 64);
            for (double spoiler : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0}) {
                for (int at : new int[] {0, 77, 199}) {
                    Tensor x = Tensors.normal(rng.split("x"), DType.F32, 5, 200);
                    for (int p = 64; p < 128; p++) {
                        x.set(3 * 200 + p, 0);
                    }
                    x.set(2 * 200 + at, spoiler);
                    Tensor expected = Tensors.zeros(DType.F32, 5, 50);
                    Contract.REFERENCE.matmul().linear(x, w, Activations.INT8, expected, false);
                    for (int i = 0; i < 250; i++) {
                        boolean spoiled = !Double.isFinite(spoiler) && i / 50 == 2;
                        assertEquals(spoiled, Double.isNaN(expected.get(i)), "row " + i / 50);
                    }
                    Contract.fast(Precision.F32).forEach(kernels -> {
                        Tensor y = Tensors.zeros(DType.F32, 5, 50);
                        kernels.matmul().linear(x, w, Activations.INT8, y, false);
                        Close.assertClose("y of " + kernels.choice(), expected, y, 1e-3);
                    });
                }
            }
        }
    }

    @Test
    void activationsMayBeBf16() {
        Rng rng = Seeds.rng("bf16");
        Quantized w = quantized(Tensors.normal(rng.split("w"), DType.F32, 50, 133), 4, 64);
        Tensor narrow = Tensors.normal(rng.split("x"), DType.BF16, 5, 133);
        for (Activations activations : Activations.values()) {
            Contract.fast(Precision.BF16).forEach(kernels -> {
                Tensor expected = Tensors.zeros(DType.F32, 5, 50);
                kernels.matmul().linear(Tensors.as(DType.F32, narrow), w, activations, expected, false);
                Tensor y = Tensors.zeros(DType.F32, 5, 50);
                kernels.matmul().linear(narrow, w, activations, y, false);
                Close.assertSame("y of " + kernels.choice(), expected, y);
            });
        }
    }

    @Test
    void roundsToTheNearest() {
        Rng rng = Seeds.rng("round");
        for (int bits : new int[] {8, 4}) {
            int most = bits == 8 ? 127 : 7;
            Tensor source = Tensors.normal(rng, DType.F32, 2, 3, 77);
            source.set(5, 0);
            Quantized w = Quantized.of(source, bits, 32, MEMORY);
            assertEquals(6, w.rows());
            assertEquals(3, w.groups());
            assertEquals("%d bits in groups of 32 [2, 3, 77]".formatted(bits), w.toString());
            for (int row = 0; row < 6; row++) {
                for (int p = 0; p < 77; p++) {
                    int first = row * 77 + p / 32 * 32;
                    double largest = IntStream.range(0, Math.min(32, 77 - p / 32 * 32))
                            .mapToDouble(i -> Math.abs(source.get(first + i)))
                            .max()
                            .orElseThrow();
                    double scale = w.scale(row, p / 32);
                    assertEquals(Bf16.round(largest / most), scale);
                    double value = source.get(row * 77L + p);
                    double limit = Math.max(scale / 2, largest - most * scale);
                    assertTrue(Math.abs(value - scale * w.value(row, p)) <= limit * (1 + 1e-9), () -> value + "");
                    assertTrue(Math.abs(w.value(row, p)) <= most);
                }
            }
        }
        Quantized zero = Quantized.of(Tensors.zeros(DType.F32, 1, 3), 4, 32, MEMORY);
        assertEquals(0, zero.scale(0, 0));
        assertEquals(0, zero.value(0, 2));
    }

    @Test
    void refusesWhatDoesNotFit() {
        Tensor values = Tensors.zeros(DType.I8, 3, 40);
        Tensor scales = Tensors.zeros(DType.BF16, 3, 2);
        assertEquals(
                "Quantized: a group of 48, expected a multiple of 32 up to 65536",
                refusal(() -> Quantized.of(values, scales, 40, 48)));
        assertEquals(
                "Quantized: scales is [3, 2], expected [3, 1]", refusal(() -> Quantized.of(values, scales, 40, 64)));
        assertEquals(
                "Quantized: values is [3, 40], expected [3, 41]", refusal(() -> Quantized.of(values, scales, 41, 32)));
        assertEquals(
                "Quantized: values holds F32, expected I8",
                refusal(() -> Quantized.of(Tensors.zeros(DType.F32, 3, 40), scales, 40, 32)));
        assertEquals(
                "Quantized: values is [40], expected two or three dimensions",
                refusal(() -> Quantized.of(values.select(0, 0), scales, 40, 32)));
        assertEquals(
                "Quantized: 5 bits, expected 8 or 4",
                refusal(() -> Quantized.of(Tensors.zeros(DType.F32, 3, 40), 5, 32, MEMORY)));
        Quantized w = Quantized.of(values, scales, 40, 32);
        Tensor x = Tensors.zeros(DType.F32, 2, 40);
        assertEquals(
                "Matmul.linear: w is [3, 40], expected [4, 40]",
                refusal(() -> Contract.REFERENCE
                        .matmul()
                        .linear(x, w, Activations.FLOAT, Tensors.zeros(DType.F32, 2, 4), false)));
        assertEquals(
                "Matmul: x holds I32, expected F32",
                refusal(() -> Contract.REFERENCE
                        .matmul()
                        .linear(
                                Tensors.zeros(DType.I32, 2, 40),
                                w,
                                Activations.FLOAT,
                                Tensors.zeros(DType.F32, 2, 3),
                                false)));
    }

    private static String refusal(Thrown.Code code) {
        return Thrown.message(IllegalArgumentException.class, code);
    }
}
