package dev.wok.model;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A tensor as a checkpoint holds it, read row by row as float32.
///
/// @param tensor of floating-point numbers, without gaps
/// @param scales factors on blocks of an E4M3 matrix, `[ceil(n / blockRows), ceil(k / blockColumns)]`; null where there
///     are none
record Stored(Tensor tensor, @Nullable Tensor scales, int blockRows, int blockColumns) {
    /// How E4M3 weights are scaled (`quantization_config` of DeepSeek-V3): blocks at the edges may be cut off.
    ///
    /// @param rows of a block
    /// @param columns of a block
    record Blocks(int rows, int columns) {
        /// @param how `quantization_config`
        /// @throws BadInput where weights are packed in a way that is not read here
        static Blocks of(JsonFields how) {
            how.refuse("quant_method", !how.text("quant_method", "").equals("fp8"), "fp8");
            how.refuse("fmt", !how.text("fmt", "e4m3").equals("e4m3"), "e4m3");
            var size = how.wholes("weight_block_size");
            if (size.size() != 2 || size.getFirst() < 1 || size.getLast() < 1) {
                throw new BadInput("weight_block_size is %s, expected two sizes, as in [128, 128]."
                        .formatted(how.given("weight_block_size")));
            }
            return new Blocks(size.getFirst(), size.getLast());
        }
    }

    static Stored of(Tensor tensor) {
        return new Stored(tensor, null, 1, 1);
    }

    /// @return how many rows there are: one of a vector
    long rows() {
        return tensor.rank() < 2 ? 1 : tensor.dim(0);
    }

    /// @return the length of a row
    int width() {
        return Math.toIntExact(rows() == 0 ? 0 : tensor.elements() / rows());
    }

    /// Reads a row.
    ///
    /// @param to as long as a row
    void row(long row, float[] to) {
        int k = width();
        long from = row * k;
        MemorySegment memory = tensor.memory();
        switch (tensor.dtype()) {
            case F32 -> MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT_UNALIGNED, from * Float.BYTES, to, 0, k);
            case BF16 -> {
                for (int i = 0; i < k; i++) {
                    to[i] = Bf16.value(memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, (from + i) * Short.BYTES));
                }
            }
            case F16 -> {
                for (int i = 0; i < k; i++) {
                    to[i] = Float.float16ToFloat(
                            memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, (from + i) * Short.BYTES));
                }
            }
            case F8_E4M3 -> scaled(row, memory, from, to);
            case F64, I64, I32, I8, U8 -> {
                for (int i = 0; i < k; i++) {
                    to[i] = (float) tensor.get(from + i);
                }
            }
        }
    }

    private void scaled(long row, MemorySegment memory, long from, float[] to) {
        for (int i = 0; i < width(); i++) {
            float value = E4m3.value(memory.get(ValueLayout.JAVA_BYTE, from + i));
            to[i] = scales == null ? value : value * scale(row, i);
        }
    }

    private float scale(long row, int column) {
        Tensor factors = Objects.requireNonNull(scales);
        return (float) factors.get(row / blockRows * factors.stride(0) + column / blockColumns);
    }

    /// @return all of it as float32, on the host
    Tensor whole() {
        Tensor whole = Tensor.allocate(Arena.ofAuto(), DType.F32, tensor.shape());
        float[] to = new float[width()];
        for (long row = 0; row < rows(); row++) {
            row(row, to);
            MemorySegment.copy(to, 0, whole.memory(), ValueLayout.JAVA_FLOAT, row * to.length * Float.BYTES, to.length);
        }
        return whole;
    }

    /// @return whether a copy of the numbers as they are is what is wanted
    boolean isPlain() {
        return tensor.dtype() != DType.F8_E4M3;
    }
}
