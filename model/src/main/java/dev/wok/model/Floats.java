package dev.wok.model;

import dev.wok.kernel.Packed;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A tensor of a safetensors file.
///
/// @param tensor of floating-point numbers, without gaps
/// @param scales factors on blocks of an E4M3 matrix, `[ceil(n / blockRows), ceil(k / blockColumns)]`; null where there
///     are none
record Floats(Tensor tensor, @Nullable Tensor scales, int blockRows, int blockColumns) implements Stored {
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

    static Floats of(Tensor tensor) {
        return new Floats(tensor, null, 1, 1);
    }

    @Override
    public long[] shape() {
        return tensor.shape();
    }

    @Override
    public long bytes() {
        return tensor.bytes();
    }

    @Override
    public @Nullable Tensor plain() {
        return tensor.dtype() == DType.F8_E4M3 ? null : tensor;
    }

    @Override
    public void row(long row, float[] to) {
        int k = width();
        long from = row * k;
        MemorySegment memory = tensor.memory();
        switch (tensor.dtype()) {
            case F32 -> Copies.floats(memory, from * Float.BYTES, to, 0, k);
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

    /// E4M3 stays what it is where the weight's groups lie within blocks; the blocks' scales are rounded to
    /// bfloat16, which moves them by 2^-8 at most.
    @Override
    public void put(long row, Packed to, long at) {
        if (!isHeldBy(to)) {
            Stored.super.put(row, to, at);
            return;
        }
        byte[] codes = new byte[width()];
        Copies.bytes(tensor.memory(), row * codes.length, codes, 0, codes.length);
        float[] factors = new float[to.groups()];
        for (int g = 0; g < factors.length; g++) {
            factors[g] = scale(row, g * to.group());
        }
        to.putCodes(at, codes, factors);
    }

    private boolean isHeldBy(Packed to) {
        boolean alike = tensor.dtype() == DType.F8_E4M3 && to.element() == Packed.Element.FP8;
        return alike && scales != null && blockColumns % to.group() == 0;
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
}
