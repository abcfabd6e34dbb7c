package dev.wok.kernel;

import static dev.wok.kernel.Contract.U;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.kernel.Packed.Element;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PackedTest {
    private static final int[] GROUPS = {32, 64, 128, 512};
    private static final Memory MEMORY = Device.host(1).memory();

    private static Packed packed(Tensor source, Element element, int group, Activations activations) {
        return Packed.of(Tensors.as(DType.F32, source), element, group, activations, MEMORY);
    }

    /* Float: a group's sum of at most k rounded products, its scaling, the sum of the groups and what is added to.
     * Bytes: the inner sum is exact; it is rounded to float32, scaled twice and added. The sum of magnitudes is that of
     * the magnitudes' product, since rounding is symmetric.
     */
    private static void product(Contract.Run run, Case c, Element element, Activations activations) {
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
        Packed w = Contract.seenBy(run.kernels(), packed(source, element, group, activations));
        run.kernels().matmul().linear(x, w, y, accumulate);
        run.result("y", y, () -> {
            Packed magnitudes = packed(Contract.abs(source), element, group, activations);
            run.kernels().matmul().linear(Contract.abs(x), magnitudes, before, accumulate);
            int length = element.isScaled() ? group : k;
            int inner = activations == Activations.INT8 ? 1 : Math.min(k, length);
            int groups = magnitudes.groups();
            return Contract.map(before, sum -> (inner + groups + 4) * U * sum + Contract.TINY);
        });
    }

    /// `y = x * w^T`, wherever the kernels work.
    private static void linear(Kernels kernels, Tensor x, Packed w, Tensor y) {
        Tensor written = Contract.seenBy(kernels, y);
        kernels.matmul().linear(Contract.seenBy(kernels, x), Contract.seenBy(kernels, w), written, false);
        kernels.stream().synchronize();
        y.copyFrom(written);
    }

    private static void check(Element element, Activations activations) {
        Property.of("Matmul.linear, %s, %s".formatted(element, activations))
                .size("m", 0, 20)
                .size("n", 0, 110)
                .size("k", 0, 300)
                .size("group", 0, 3)
                .flag("accumulate")
                .size("gap", 0, 3)
                .cases(Contract.orOnPtx(20, 5))
                .check(c -> Contract.checkProducts(run -> product(run, c, element, activations)));
        Property.of("Matmul.linear, blocks, %s, %s".formatted(element, activations))
                .size("m", 193, 200)
                .size("n", 49, 60)
                .size("k", Contract.orOnPtx(1025, 513), Contract.orOnPtx(1100, 600))
                .size("group", 0, 3)
                .flag("accumulate")
                .size("gap", 0, 1)
                .cases(1)
                .check(c -> Contract.checkProducts(run -> product(run, c, element, activations)));
        Property.of("Matmul.linear, few rows, blocks, %s, %s".formatted(element, activations))
                .size("m", 1, 9)
                .size("n", 1, 60)
                .size("k", 1025, 1600)
                .size("group", 0, 3)
                .flag("accumulate")
                .size("gap", 0, 1)
                .cases(Contract.orOnPtx(4, 1))
                .check(c -> Contract.checkProducts(run -> product(run, c, element, activations)));
    }

    @Test
    void float32() {
        check(Element.F32, Activations.FLOAT);
    }

    @Test
    void bfloat16() {
        check(Element.BF16, Activations.FLOAT);
    }

    @Test
    void e4m3() {
        check(Element.FP8, Activations.FLOAT);
    }

    @Test
    void eightBitsTimesFloat() {
        check(Element.INT8, Activations.FLOAT);
    }

    @Test
    void fourBitsTimesFloat() {
        check(Element.INT4, Activations.FLOAT);
    }

    @Test
    void eightBitsTimesEightBits() {
        check(Element.INT8, Activations.INT8);
    }

    @Test
    void fourBitsTimesEightBits() {
        check(Element.INT4, Activations.INT8);
    }

    /// A row's result is the same bits alone and among others, however the others make the product be cut.
    @Test
    void bitsDoNotDependOnOtherRows() {
        Rng rng = Seeds.rng("rows");
        int k = Contract.orOnPtx(1200, 560);
        for (Element element : Element.values()) {
            Packed w = packed(Tensors.normal(rng.split("w"), DType.F32, 70, k), element, 64, Activations.INT8);
            Tensor x = Tensors.normal(rng.split("x"), DType.F32, 230, k);
            for (Precision precision : Precision.values()) {
                Contract.fast(precision).forEach(kernels -> {
                    Tensor all = Tensors.zeros(DType.F32, 230, 70);
                    linear(kernels, x, w, all);
                    Tensor some = Tensors.zeros(DType.F32, 40, 70);
                    linear(kernels, x.slice(0, 190, 230), w, some);
                    Close.assertSame(
                            "%s, rows of %s".formatted(element, kernels.choice()), all.slice(0, 190, 230), some);
                    for (int row : new int[] {0, 1, 100, 229}) {
                        Tensor alone = Tensors.zeros(DType.F32, 1, 70);
                        linear(kernels, x.slice(0, row, row + 1), w, alone);
                        Close.assertSame(
                                "%s, row %d of %s".formatted(element, row, kernels.choice()),
                                all.slice(0, row, row + 1),
                                alone);
                    }
                });
            }
        }
    }

    /// All values there are, and sums as large as they get.
    @Test
    void extremeValuesAreExact() {
        for (Element element : new Element[] {Element.INT8, Element.INT4}) {
            int k = 8192;
            Packed w = Packed.allocate(element, 0, 2, k, k, Activations.INT8, MEMORY);
            for (int row = 0; row < 2; row++) {
                byte[] whole = new byte[k];
                Arrays.fill(whole, (byte) (element == Element.INT8 ? -128 + 255 * row : -8 + 15 * row));
                w.putCodes(row, whole, new float[] {1});
            }
            Tensor x = Tensors.of(i -> i < k ? 127 : -127, DType.F32, 2, k);
            Contract.fast(Precision.F32).forEach(kernels -> {
                Tensor expected = Tensors.zeros(DType.F32, 2, 2);
                Contract.REFERENCE.matmul().linear(x, w, expected, false);
                Tensor y = Tensors.zeros(DType.F32, 2, 2);
                linear(kernels, x, w, y);
                Close.assertSame("y of " + kernels.choice(), expected, y);
            });
        }
    }

    /// Each product of a row and a column takes one element: it must be that one's value to the last bit, below
    /// the smallest normal number too.
    @Test
    void everyE4m3CountsForWhatItIs() {
        byte[] codes = new byte[254];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (i < 127 ? i : i + 1);
        }
        int k = codes.length;
        Tensor x = Tensors.of(i -> i / k == i % k ? 3 : 0, DType.F32, k, k);
        for (int group : new int[] {128, 256}) {
            Packed w = Packed.allocate(Element.FP8, 0, 17, k, group, Activations.FLOAT, MEMORY);
            float[] factors = {0.5f, 0x1.02p-10f};
            for (int row = 0; row < 17; row++) {
                w.putCodes(row, codes, factors);
            }
            Stream.concat(Stream.of(Contract.REFERENCE), Contract.fast(Precision.F32))
                    .forEach(kernels -> {
                        Tensor y = Tensors.zeros(DType.F32, k, 17);
                        linear(kernels, x, w, y);
                        for (int i = 0; i < y.elements(); i++) {
                            int p = i / 17;
                            double expected = 3 * factors[p / group] * E4m3.value(codes[p]);
                            assertEquals(
                                    expected, y.get(i), 0, () -> "code %x on %s".formatted(codes[p], kernels.choice()));
                        }
                    });
        }
    }

    /// What is no number spoils its row and no other; a group of zeros is zeros.
    @Test
    void rowsKeepTheirNansToThemselves() {
        Rng rng = Seeds.rng("nan");
        for (Element element : new Element[] {Element.INT8, Element.INT4}) {
            Packed w = packed(Tensors.normal(rng.split("w"), DType.F32, 50, 200), element, 64, Activations.INT8);
            for (double spoiler : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0}) {
                for (int at : new int[] {0, 77, 199}) {
                    Tensor x = Tensors.normal(rng.split("x"), DType.F32, 5, 200);
                    for (int p = 64; p < 128; p++) {
                        x.set(3 * 200 + p, 0);
                    }
                    x.set(2 * 200 + at, spoiler);
                    Tensor expected = Tensors.zeros(DType.F32, 5, 50);
                    Contract.REFERENCE.matmul().linear(x, w, expected, false);
                    for (int i = 0; i < 250; i++) {
                        boolean spoiled = !Double.isFinite(spoiler) && i / 50 == 2;
                        assertEquals(spoiled, Double.isNaN(expected.get(i)), "row " + i / 50);
                    }
                    Contract.fast(Precision.F32).forEach(kernels -> {
                        Tensor y = Tensors.zeros(DType.F32, 5, 50);
                        linear(kernels, x, w, y);
                        Close.assertClose("y of " + kernels.choice(), expected, y, 1e-3);
                    });
                }
            }
        }
    }

    @Test
    void activationsMayBeBf16() {
        Rng rng = Seeds.rng("bf16");
        Tensor narrow = Tensors.normal(rng.split("x"), DType.BF16, 5, 133);
        for (Element element : Element.values()) {
            for (Activations activations : Activations.values()) {
                Packed w = packed(Tensors.normal(rng.split("w"), DType.F32, 50, 133), element, 64, activations);
                Contract.fast(Precision.BF16).forEach(kernels -> {
                    Tensor expected = Tensors.zeros(DType.F32, 5, 50);
                    linear(kernels, Tensors.as(DType.F32, narrow), w, expected);
                    Tensor y = Tensors.zeros(DType.F32, 5, 50);
                    linear(kernels, narrow, w, y);
                    Close.assertSame("y of " + kernels.choice(), expected, y);
                });
            }
        }
    }

    @Test
    void roundsToTheNearest() {
        Rng rng = Seeds.rng("round");
        for (Element element : new Element[] {Element.INT8, Element.INT4}) {
            int most = element == Element.INT8 ? 127 : 7;
            Tensor source = Tensors.normal(rng, DType.F32, 2, 3, 77);
            source.set(5, 0);
            Packed w = Packed.of(source, element, 32, Activations.FLOAT, MEMORY);
            assertEquals(6, w.rows());
            assertEquals(3, w.groups());
            assertEquals("%s in groups of 32 [2, 3, 77]".formatted(element), w.toString());
            for (int row = 0; row < 6; row++) {
                for (int p = 0; p < 77; p++) {
                    int first = row * 77 + p / 32 * 32;
                    double largest = IntStream.range(0, Math.min(32, 77 - p / 32 * 32))
                            .mapToDouble(i -> Math.abs(source.get(first + i)))
                            .max()
                            .orElseThrow();
                    double scale = w.scale(row, p / 32);
                    assertEquals(Bf16.round((float) largest / most), scale);
                    double value = source.get(row * 77L + p);
                    double limit = Math.max(scale / 2, largest - most * scale);
                    assertTrue(Math.abs(value - scale * w.value(row, p)) <= limit * (1 + 1e-9), () -> value + "");
                    assertTrue(Math.abs(w.value(row, p)) <= most);
                }
            }
        }
    }

    /* A quotient has 4 bits from 2^-6 on: half a step of the largest of a binade is 2^-4 of its smallest number. Below,
     * steps are 2^-9.
     */
    @Test
    void roundsToTheNearestE4m3() {
        Rng rng = Seeds.rng("e4m3");
        Tensor source = Tensors.of(i -> rng.normal(i) * Math.scalb(1, (int) -(i % 23)), DType.F32, 3, 77);
        Packed w = packed(source, Element.FP8, 32, Activations.INT8);
        assertEquals("FP8 in groups of 32 [3, 77]", w.toString());
        assertEquals(Activations.FLOAT, w.activations());
        int small = 0;
        for (int i = 0; i < source.elements(); i++) {
            int row = i / 77;
            int p = i % 77;
            double largest = IntStream.range(p / 32 * 32, Math.min(77, p / 32 * 32 + 32))
                    .mapToDouble(other -> Math.abs(source.get(row * 77L + other)))
                    .max()
                    .orElseThrow();
            double scale = w.scale(row, p / 32);
            assertEquals(Bf16.round((float) largest / 448), scale);
            double quotient = source.get(i) / scale;
            double value = w.value(row, p);
            double limit = Math.max(Math.abs(quotient) * 0x1p-4, 0x1p-10);
            assertTrue(Math.abs(quotient - value) <= limit, () -> quotient + " became " + value);
            for (int code = 0; code < 256; code++) {
                double other = E4m3.value((byte) code);
                assertFalse(Math.abs(quotient - other) < Math.abs(quotient - value), () -> quotient + " is " + other);
            }
            small += value != 0 && Math.abs(value) < 0x1p-6 ? 1 : 0;
        }
        assertTrue(small > 3, small + " below the smallest normal number");
    }

    @Test
    void scalesAtTheEdges() {
        for (Element element : new Element[] {Element.FP8, Element.INT8, Element.INT4}) {
            Packed zero = packed(Tensors.zeros(DType.F32, 1, 3), element, 32, Activations.FLOAT);
            assertEquals(0, zero.scale(0, 0));
            assertEquals(0, zero.value(0, 2));
            for (double spoiler : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
                Tensor source = Tensors.of(i -> i == 1 ? spoiler : 1, DType.F32, 1, 33);
                Packed spoiled = packed(source, element, 32, Activations.FLOAT);
                assertTrue(Double.isNaN(spoiled.scale(0, 0)));
                assertTrue(spoiled.scale(0, 1) > 0);
            }
        }
        // The least scale there is: the quotient is 1.4 times what can be held.
        Tensor tiny = Tensors.of(i -> i == 0 ? -1.4f * 448 * 0x1p-133f : 0, DType.F32, 1, 2);
        Packed least = packed(tiny, Element.FP8, 32, Activations.FLOAT);
        assertEquals(0x1p-133, least.scale(0, 0));
        assertEquals(-448, least.value(0, 0));
        for (byte nan : new byte[] {0x7f, (byte) 0xff}) {
            Packed spoiled = Packed.allocate(Element.FP8, 0, 1, 70, 32, Activations.FLOAT, MEMORY);
            byte[] codes = new byte[70];
            codes[40] = nan;
            spoiled.putCodes(0, codes, new float[] {1, 1, 1});
            for (int g = 0; g < 3; g++) {
                assertEquals(g == 1 ? Double.NaN : 1, spoiled.scale(0, g));
            }
        }
    }

    @Test
    void rowsOfAlikeWeightsAreCopied() {
        Rng rng = Seeds.rng("copied");
        for (Element element : Element.values()) {
            Packed from = packed(Tensors.normal(rng.split("w"), DType.F32, 2, 20, 70), element, 32, Activations.FLOAT);
            Packed to = Packed.allocate(element, 0, 3, 70, 32, Activations.FLOAT, MEMORY);
            assertTrue(to.isLike(from));
            to.put(2, from, 37);
            for (int p = 0; p < 70; p++) {
                assertEquals(from.value(37, p), to.value(2, p));
                assertEquals(from.scale(37, p / from.group()), to.scale(2, p / to.group()));
            }
            assertEquals(
                    !element.isScaled(), to.isLike(Packed.allocate(element, 0, 3, 70, 64, Activations.FLOAT, MEMORY)));
        }
    }

    /// Every element of every expert is where it belongs, whatever the sizes.
    @Test
    void floatsAreKept() {
        Property.of("Packed")
                .size("experts", 1, 3)
                .size("n", 1, 40)
                .size("k", 1, 40)
                .check(c -> {
                    Tensor source = Tensors.normal(c.rng("w"), DType.BF16, c.size("experts"), c.size("n"), c.size("k"));
                    for (Element element : new Element[] {Element.F32, Element.BF16}) {
                        Packed w = packed(source, element, 0, Activations.FLOAT);
                        for (int i = 0; i < source.elements(); i++) {
                            int row = i / c.size("k");
                            int p = i % c.size("k");
                            assertEquals(source.get(i), w.value(row, p));
                            assertEquals(1, w.scale(row, 0));
                            Packed own = w.matrix(row / c.size("n"));
                            assertEquals(source.get(i), own.value(row % c.size("n"), p));
                        }
                        assertEquals(element.bits() == 32, w.exact());
                    }
                });
    }

    @Test
    void refusesWhatDoesNotFit() {
        Tensor values = Tensors.zeros(DType.U8, 1, 64 * 16);
        Tensor scales = Tensors.zeros(DType.BF16, 1, 32);
        assertEquals(
                "Packed: a group of 48, expected a multiple of 32 up to 65536",
                refusal(() -> Packed.of(Element.INT8, values, scales, 3, 40, 48, Activations.FLOAT)));
        assertEquals(
                "Packed: scales is [1, 32], expected [1, 16]",
                refusal(() -> Packed.of(Element.INT8, values, scales, 3, 40, 64, Activations.FLOAT)));
        assertEquals(
                "Packed: values is [1, 1024], expected [2, 1024]",
                refusal(() -> Packed.of(Element.INT8, values, scales, 17, 40, 32, Activations.FLOAT)));
        assertEquals(
                "Packed: values holds F32, expected U8",
                refusal(() -> Packed.of(
                        Element.INT8, Tensors.zeros(DType.F32, 1, 1024), scales, 3, 40, 32, Activations.FLOAT)));
        assertEquals(
                "Packed: INT8 without scales",
                refusal(() -> Packed.of(Element.INT8, values, null, 3, 40, 32, Activations.FLOAT)));
        assertEquals(
                "Packed: a row of INT8 in groups of 32 [3, 40], expected one of FP8 in groups of 32 [3, 40]",
                refusal(() -> Packed.of(Element.FP8, values, scales, 3, 40, 32, Activations.FLOAT)
                        .put(0, Packed.of(Element.INT8, values, scales, 3, 40, 32, Activations.FLOAT), 0)));
        Packed w = Packed.of(Element.INT8, values, scales, 3, 40, 32, Activations.FLOAT);
        Tensor x = Tensors.zeros(DType.F32, 2, 40);
        assertEquals(
                "Matmul.linear: w is [3, 40], expected [4, 40]",
                refusal(() -> Contract.REFERENCE.matmul().linear(x, w, Tensors.zeros(DType.F32, 2, 4), false)));
        assertEquals(
                "Matmul: x holds I32, expected F32",
                refusal(() -> Contract.REFERENCE
                        .matmul()
                        .linear(Tensors.zeros(DType.I32, 2, 40), w, Tensors.zeros(DType.F32, 2, 3), false)));
    }

    private static String refusal(Thrown.Code code) {
        return Thrown.message(IllegalArgumentException.class, code);
    }
}
