package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing.Plan;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Products of many experts' rows: the bits of one expert's own product, whatever tiles they are cut into.
class PackedProductTest {
    private static final Memory MEMORY = Device.host(1).memory();
    private static final int N = 40;
    private static final int K = 200;
    private static final float UNTOUCHED = 7;

    private static Packed weight(EmulatedGpu gpu, Element element, Activations activations, int experts, int n, int k) {
        Rng rng = Seeds.rng("grouped " + element);
        return OnGpu.copy(
                gpu, Packed.of(Tensors.normal(rng, DType.F32, experts, n, k), element, 64, activations, MEMORY));
    }

    /// An expert without rows, one with few and one with most; rows behind the last expert's; choices of no token.
    private static void grouped(Element element, Activations activations, Precision precision, int tokens) {
        try (EmulatedGpu gpu = Device.emulated()) {
            int experts = 3;
            int topK = 2;
            int rows = tokens * topK;
            PackedProduct product = new PackedProduct(new Programs(gpu, Target.SM_80), precision);
            Packed w = weight(gpu, element, activations, experts, N, K);
            Tensor x = OnGpu.copy(gpu, Tensors.normal(Seeds.rng("x"), DType.F32, tokens, K));
            int[] offsets = {0, 0, rows / 9, rows - 3};
            int[] rowSlot = new int[rows];
            Arrays.setAll(rowSlot, r -> r * 7 % rows);
            rowSlot[1] = -1;
            rowSlot[rows / 2] = rows;
            Tensor slots = OnGpu.copy(gpu, Tensor.of(rowSlot));
            Plan plan = new Plan(OnGpu.copy(gpu, Tensor.of(offsets)), slots, slots);
            Tensor y = OnGpu.copy(gpu, Tensors.of(_ -> UNTOUCHED, DType.F32, rows, N));
            product.multiplyGrouped(x, true, plan, w, y);
            gpu.stream().synchronize();
            for (int e = 0; e < experts; e++) {
                for (int r = offsets[e]; r < offsets[e + 1]; r += r < 20 ? 1 : 23) {
                    Tensor expected = OnGpu.copy(gpu, Tensors.of(_ -> Double.NaN, DType.F32, 1, N));
                    int token = rowSlot[r] / topK;
                    if (rowSlot[r] >= 0 && token < tokens) {
                        product.multiply(x.slice(0, token, token + 1), w.matrix(e), expected, false);
                        gpu.stream().synchronize();
                    }
                    Close.assertSame("row %d of %s, %s".formatted(r, w, precision), expected, y.slice(0, r, r + 1));
                }
            }
            for (int r = offsets[experts]; r < rows; r++) {
                assertEquals(UNTOUCHED, y.get((long) r * N));
            }
        }
    }

    @Test
    void anExpertsRowsAreItsOwnProduct() {
        for (int tokens : new int[] {9, 40, 120}) {
            for (Element element : Element.values()) {
                grouped(element, Activations.FLOAT, Precision.BF16, tokens);
            }
            grouped(Element.INT8, Activations.INT8, Precision.BF16, tokens);
            grouped(Element.INT4, Activations.INT8, Precision.F32, tokens);
        }
    }

    /// What warps read from shared memory at once lies in different banks.
    @Test
    void manyRowsHaveNoBankConflicts() {
        for (Element element : new Element[] {Element.BF16, Element.FP8, Element.INT4}) {
            for (Activations activations : Activations.values()) {
                try (EmulatedGpu gpu = Device.emulated()) {
                    PackedProduct product = new PackedProduct(new Programs(gpu, Target.SM_80), Precision.BF16);
                    Tensor x = OnGpu.copy(gpu, Tensors.normal(Seeds.rng("x"), DType.F32, 128, K));
                    Packed w = weight(gpu, element, activations, 1, N, K).matrix(0);
                    Tensor y = gpu.pinned().tensor(DType.F32, 128, N);
                    product.multiply(x, w, y, false);
                    gpu.stream().synchronize();
                    assertEquals(Map.of(), gpu.lastLaunch().bankConflicts(), w.toString());
                }
            }
        }
    }

    /// Nothing to sum up is zero, and adds nothing.
    @Test
    void anEmptyDepthIsZero() {
        for (Element element : Element.values()) {
            for (int rows : new int[] {1, 30, 70}) {
                try (EmulatedGpu gpu = Device.emulated()) {
                    PackedProduct product = new PackedProduct(new Programs(gpu, Target.SM_80), Precision.BF16);
                    Packed w = OnGpu.copy(
                            gpu, Packed.of(Tensors.zeros(DType.F32, 5, 0), element, 64, Activations.INT8, MEMORY));
                    Tensor y = OnGpu.copy(gpu, Tensors.of(_ -> UNTOUCHED, DType.F32, rows, 5));
                    Tensor x = gpu.pinned().tensor(DType.F32, rows, 0);
                    product.multiply(x, w, y, true);
                    gpu.stream().synchronize();
                    assertEquals(UNTOUCHED, y.get(rows * 5 - 1));
                    product.multiply(x, w, y, false);
                    gpu.stream().synchronize();
                    assertEquals(0, y.get(rows * 5 - 1));
                }
            }
        }
    }
}
