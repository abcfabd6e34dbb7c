package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.wok.device.Device;
import dev.wok.tensor.DType;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.Test;

class WeightTest {
    private final Dense weight = Weight.of(Tensors.zeros(DType.F32, 2, 3, 4));
    private final Dense exact = Weight.exact(Tensors.zeros(DType.F32, 3, 4));

    @Test
    void versionsTellChangesApart() {
        long before = weight.version();
        weight.changed();
        assertNotEquals(before, weight.version());
        assertEquals("F32[2, 3, 4]", weight.toString());
        assertEquals("exact F32[3, 4]", exact.toString());
    }

    @Test
    void formsTakeWhatTheirElementsTake() {
        assertEquals(0, Contract.REFERENCE.formBytes(weight, 2));
        assertEquals(0, Contract.VECTOR.formBytes(weight, 2));
        Kernels bf16 = named(Backend.X86, Precision.BF16);
        Kernels f32 = named(Backend.X86, Precision.F32);
        assertEquals(2 * 24 * 2, bf16.formBytes(weight, 2));
        assertEquals(12 * 4, bf16.formBytes(exact, 1));
        assertEquals(24 * 4, f32.formBytes(weight, 1));
        Packed packed = Packed.of(
                Tensors.zeros(DType.F32, 3, 40),
                Packed.Element.INT4,
                32,
                Activations.INT8,
                Device.host(1).memory());
        assertEquals(0, Contract.VECTOR.formBytes(packed, 1));
        assertEquals(0, f32.formBytes(packed, 1));
        assertEquals(64 * 8 + 2 * 16 * 2, packed.bytes());
    }

    /// On a GPU one form serves all orientations, and its rows are multiples of 16 bytes.
    @Test
    void formsOfTensorCoresHaveWholeRows() {
        Kernels bf16 = named(Backend.PTX, Precision.BF16);
        assertEquals(2 * 3 * 16, bf16.formBytes(weight, 1));
        assertEquals(2 * 3 * 16, bf16.formBytes(weight, 2));
        assertEquals(0, bf16.formBytes(exact, 1));
        assertEquals(0, named(Backend.PTX, Precision.F32).formBytes(weight, 1));
        assertEquals(5 * 16 * 2, bf16.formBytes(Weight.of(Tensors.zeros(DType.BF16, 5, 12)), 1));
        assertEquals(0, bf16.formBytes(Weight.of(Tensors.zeros(DType.BF16, 5, 16)), 1));
    }

    /// Operations of other kernels under the name of those that keep forms.
    private static Kernels named(Backend backend, Precision precision) {
        Kernels k = Kernels.on(Device.dry().stream(), Backend.DRY, precision);
        return new Kernels(
                new Kernels.Choice(backend, "for its bytes"),
                precision,
                k.stream(),
                k.embedding(),
                k.rmsNorm(),
                k.matmul(),
                k.fp8Matmul(),
                k.rotary(),
                k.attention(),
                k.latentKeys(),
                k.latentAttention(),
                k.cachedAttention(),
                k.swiglu(),
                k.routing(),
                k.balanceLoss(),
                k.experts(),
                k.crossEntropy(),
                k.elementwise(),
                k.adamW());
    }
}
