package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// A description of a tensor and of the box that one instruction copies of it (`cp.async.bulk.tensor`),
/// as an argument of a launch. Dimensions are listed from the innermost, as the instruction has its
/// coordinates. The rules are those of `cuTensorMapEncodeTiled`.
///
/// @param type of the elements; those of 8 bits are copied as bytes
/// @param address of the first element on the GPU, a multiple of 16
/// @param sizes 1 to 5 of them, each 1 to 2^32
/// @param strides in bytes, of all dimensions but the innermost: multiples of 16 below 2^40
/// @param box elements of each dimension, 1 to 256; a row of it takes a multiple of 16 bytes, and with
///     a swizzle no more than that is wide
/// @param elementStrides 1 to 8: of every how many elements of `box` one is taken; the first is ignored
/// @param swizzle how rows are shuffled in shared memory
/// @param promotion what the second-level cache fetches at once
/// @param fill what stands for elements outside
public record TensorMap(
        DType type,
        long address,
        List<Long> sizes,
        List<Long> strides,
        List<Integer> box,
        List<Integer> elementStrides,
        Swizzle swizzle,
        Promotion promotion,
        Fill fill) {

    /// The bytes of an encoded map.
    public static final int BYTES = 128;

    private static final int ALIGNMENT = 16;
    private static final int MAX_RANK = 5;
    private static final int MAX_BOX = 256;
    private static final int MAX_ELEMENT_STRIDE = 8;
    private static final long MAX_SIZE = 1L << 32;
    private static final long STRIDES_END = 1L << 40;

    /// How chunks of 16 bytes are exchanged within a span, so that columns meet different banks of
    /// shared memory.
    public enum Swizzle {
        NONE(Integer.MAX_VALUE),
        B32(32),
        B64(64),
        B128(128);

        private final int bytes;

        Swizzle(int bytes) {
            this.bytes = bytes;
        }
    }

    /// The bytes that the second-level cache fetches at once.
    public enum Promotion {
        NONE,
        B64,
        B128,
        B256
    }

    /// What a copy writes for elements outside of the tensor.
    public enum Fill {
        ZEROS,
        /// A special NaN that a fused multiply-add takes for zero.
        NAN
    }

    public TensorMap {
        sizes = List.copyOf(sizes);
        strides = List.copyOf(strides);
        box = List.copyOf(box);
        elementStrides = List.copyOf(elementStrides);
        int rank = sizes.size();
        require(rank >= 1 && rank <= MAX_RANK, "%d dimensions, expected 1 to %d", rank, MAX_RANK);
        require(strides.size() == rank - 1, "%d strides, expected %d: one fewer than sizes", strides.size(), rank - 1);
        require(box.size() == rank, "the box has %d dimensions, expected %d", box.size(), rank);
        require(elementStrides.size() == rank, "%d element strides, expected %d", elementStrides.size(), rank);
        require(
                address > 0 && address % ALIGNMENT == 0,
                "the address is 0x%x, expected a multiple of %d on the GPU",
                address,
                ALIGNMENT);
        for (int i = 0; i < rank; i++) {
            long size = sizes.get(i);
            int boxed = box.get(i);
            int step = elementStrides.get(i);
            require(size >= 1 && size <= MAX_SIZE, "size %d is %d, expected 1 to 2^32", i, size);
            require(boxed >= 1 && boxed <= MAX_BOX, "box %d is %d, expected 1 to %d", i, boxed, MAX_BOX);
            require(
                    step >= 1 && step <= MAX_ELEMENT_STRIDE,
                    "element stride %d is %d, expected 1 to %d",
                    i,
                    step,
                    MAX_ELEMENT_STRIDE);
        }
        for (int i = 0; i < rank - 1; i++) {
            long stride = strides.get(i);
            require(
                    stride > 0 && stride < STRIDES_END && stride % ALIGNMENT == 0,
                    "stride %d is %d bytes, expected a multiple of %d below 2^40: pad the rows",
                    i + 1,
                    stride,
                    ALIGNMENT);
        }
        int row = box.getFirst() * type.bytes();
        require(
                row % ALIGNMENT == 0,
                "a row of the box is %d x %d = %d bytes, expected a multiple of %d",
                box.getFirst(),
                type.bytes(),
                row,
                ALIGNMENT);
        require(
                row <= swizzle.bytes,
                "a row of the box is %d bytes, expected at most %d with swizzle %s",
                row,
                swizzle.bytes,
                swizzle);
        require(
                fill == Fill.ZEROS || type.isFloating() && type.bytes() > 1,
                "elements outside are NaN, but the type is %s: expected F16, BF16, F32 or F64",
                type);
    }

    private static void require(boolean holds, String message, Object... values) {
        if (!holds) {
            throw new IllegalArgumentException("TensorMap: " + message.formatted(values));
        }
    }

    /// The map of a tensor's own sizes and strides, without swizzle, zeros outside.
    ///
    /// @param tensor in the GPU's memory, of 1 to 5 dimensions, the elements of its rows adjacent
    /// @param box one for each dimension, in the tensor's order
    public static TensorMap of(Tensor tensor, int... box) {
        int rank = tensor.rank();
        require(box.length == rank, "the box has %d dimensions, %s has %d", box.length, tensor, rank);
        require(rank >= 1 && rank <= MAX_RANK, "%s has %d dimensions, expected 1 to %d", tensor, rank, MAX_RANK);
        require(
                tensor.dim(rank - 1) <= 1 || tensor.stride(rank - 1) == 1,
                "elements of a row of %s are %d apart, expected 1",
                tensor,
                tensor.stride(rank - 1));
        List<Long> sizes = new ArrayList<>();
        List<Long> strides = new ArrayList<>();
        List<Integer> boxes = new ArrayList<>();
        long inner = tensor.dim(rank - 1) * tensor.dtype().bytes();
        for (int i = rank - 1; i >= 0; i--) {
            sizes.add(tensor.dim(i));
            boxes.add(box[i]);
            if (i > 0) {
                inner = tensor.dim(i - 1) == 1
                        ? Math.ceilDiv(inner, ALIGNMENT) * ALIGNMENT
                        : tensor.stride(i - 1) * tensor.dtype().bytes();
                strides.add(inner);
            }
        }
        return new TensorMap(
                tensor.dtype(),
                tensor.memory().address(),
                sizes,
                strides,
                boxes,
                Collections.nCopies(rank, 1),
                Swizzle.NONE,
                Promotion.NONE,
                Fill.ZEROS);
    }

    public TensorMap withSwizzle(Swizzle other) {
        return new TensorMap(type, address, sizes, strides, box, elementStrides, other, promotion, fill);
    }

    public TensorMap withPromotion(Promotion other) {
        return new TensorMap(type, address, sizes, strides, box, elementStrides, swizzle, other, fill);
    }

    public TensorMap withFill(Fill other) {
        return new TensorMap(type, address, sizes, strides, box, elementStrides, swizzle, promotion, other);
    }

    /// @return how many dimensions there are
    public int rank() {
        return sizes.size();
    }

    /// @return the bytes from the first element to behind the last
    public long extent() {
        long extent = sizes.getFirst() * type.bytes();
        for (int i = 1; i < rank(); i++) {
            extent += (sizes.get(i) - 1) * strides.get(i - 1);
        }
        return extent;
    }
}
