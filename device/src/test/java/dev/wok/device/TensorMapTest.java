package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.TensorMap.Fill;
import dev.wok.device.TensorMap.Promotion;
import dev.wok.device.TensorMap.Swizzle;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class TensorMapTest {
    private static Tensor far(DType type, long... shape) {
        return Tensor.of(MemorySegment.ofAddress(4096), type, shape);
    }

    private static String refusal(Thrown.Code code) {
        return Thrown.message(IllegalArgumentException.class, code);
    }

    private static TensorMap map(long address, List<Long> sizes, List<Long> strides, List<Integer> box) {
        return new TensorMap(
                DType.BF16,
                address,
                sizes,
                strides,
                box,
                Collections.nCopies(sizes.size(), 1),
                Swizzle.NONE,
                Promotion.NONE,
                Fill.ZEROS);
    }

    @Test
    void aTensorsMapHasItsInnermostDimensionFirst() {
        TensorMap map = TensorMap.of(far(DType.BF16, 5, 7, 64), 1, 4, 32);
        assertEquals(List.of(64L, 7L, 5L), map.sizes());
        assertEquals(List.of(128L, 896L), map.strides());
        assertEquals(List.of(32, 4, 1), map.box());
        assertEquals(List.of(1, 1, 1), map.elementStrides());
        assertEquals(5 * 7 * 64 * 2, map.extent());
        TensorMap view = TensorMap.of(far(DType.BF16, 10, 64).slice(1, 8, 40).slice(0, 2, 5), 3, 8);
        assertEquals(4096 + 2 * 128 + 16, view.address());
        assertEquals(List.of(128L), view.strides());
        assertEquals(2 * 128 + 64, view.extent());
        assertEquals(List.of(), TensorMap.of(far(DType.F32, 9), 4).strides());
    }

    /// The stride of a dimension of one element never matters, and need not be a multiple of 16.
    @Test
    void singleRowsMayHaveAnyLength() {
        assertEquals(List.of(32L), TensorMap.of(far(DType.F32, 1, 5), 1, 4).strides());
    }

    @Test
    void whatTheDriverWouldRefuseIsRefusedInWords() {
        assertEquals(
                "TensorMap: F32[1, 1, 1, 1, 1, 4] has 6 dimensions, expected 1 to 5",
                refusal(() -> TensorMap.of(far(DType.F32, 1, 1, 1, 1, 1, 4), 1, 1, 1, 1, 1, 4)));
        assertEquals(
                "TensorMap: the box has 1 dimensions, F32[4, 4] has 2",
                refusal(() -> TensorMap.of(far(DType.F32, 4, 4), 4)));
        assertEquals(
                "TensorMap: elements of a row of F32[4, 8] are 4 apart, expected 1",
                refusal(() -> TensorMap.of(far(DType.F32, 8, 4).swap(0, 1), 4, 4)));
        assertEquals(
                "TensorMap: the address is 0x1008, expected a multiple of 16 on the GPU",
                refusal(() -> TensorMap.of(far(DType.F32, 4, 4).slice(1, 2, 4), 4, 4)));
        assertEquals(
                "TensorMap: the address is 0x0, expected a multiple of 16 on the GPU",
                refusal(() -> map(0, List.of(8L), List.of(), List.of(8))));
        assertEquals(
                "TensorMap: size 0 is 0, expected 1 to 2^32",
                refusal(() -> map(4096, List.of(0L), List.of(), List.of(8))));
        assertEquals(
                "TensorMap: size 0 is 4294967297, expected 1 to 2^32",
                refusal(() -> map(4096, List.of((1L << 32) + 1), List.of(), List.of(8))));
        assertEquals(
                "TensorMap: 0 strides, expected 1: one fewer than sizes",
                refusal(() -> map(4096, List.of(8L, 8L), List.of(), List.of(8, 8))));
        assertEquals(
                "TensorMap: stride 1 is 24 bytes, expected a multiple of 16 below 2^40: pad the rows",
                refusal(() -> map(4096, List.of(8L, 8L), List.of(24L), List.of(8, 8))));
        assertEquals(
                "TensorMap: stride 1 is 1099511627776 bytes, expected a multiple of 16 below 2^40: pad the rows",
                refusal(() -> map(4096, List.of(8L, 8L), List.of(1L << 40), List.of(8, 8))));
        assertEquals(
                "TensorMap: box 1 is 257, expected 1 to 256",
                refusal(() -> map(4096, List.of(8L, 300L), List.of(16L), List.of(8, 257))));
        assertEquals(
                "TensorMap: a row of the box is 12 x 2 = 24 bytes, expected a multiple of 16",
                refusal(() -> TensorMap.of(far(DType.BF16, 4, 64), 4, 12)));
        TensorMap wide = TensorMap.of(far(DType.BF16, 4, 128), 4, 128);
        assertEquals(
                "TensorMap: a row of the box is 256 bytes, expected at most 128 with swizzle B128",
                refusal(() -> wide.withSwizzle(Swizzle.B128)));
        TensorMap half = TensorMap.of(far(DType.BF16, 4, 128), 4, 32).withSwizzle(Swizzle.B64);
        assertEquals(
                "TensorMap: a row of the box is 64 bytes, expected at most 32 with swizzle B32",
                refusal(() -> half.withSwizzle(Swizzle.B32)));
        assertEquals(
                "TensorMap: elements outside are NaN, but the type is U8: expected F16, BF16, F32 or F64",
                refusal(() -> TensorMap.of(far(DType.U8, 4, 32), 4, 32).withFill(Fill.NAN)));
        assertEquals(
                "TensorMap: element stride 1 is 9, expected 1 to 8",
                refusal(() -> new TensorMap(
                        DType.BF16,
                        4096,
                        List.of(8L, 8L),
                        List.of(16L),
                        List.of(8, 8),
                        List.of(1, 9),
                        Swizzle.NONE,
                        Promotion.B128,
                        Fill.NAN)));
    }
}
