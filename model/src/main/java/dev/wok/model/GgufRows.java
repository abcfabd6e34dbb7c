package dev.wok.model;

import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.tensor.GgufParts;
import dev.wok.tensor.GgufType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// A tensor of a GGUF file, or the part of one that is a tensor of a checkpoint.
///
/// @param data the elements, in whole blocks
/// @param shape sizes, or those of the part
record GgufRows(GgufType type, MemorySegment data, long[] shape) implements Stored {
    /// How many neighbours share a scale in Q8_0 and Q4_0.
    static final int GROUP = 32;

    /// @return consecutive rows of all that is here
    GgufRows slice(long from, long[] part) {
        long rowBytes = (long) width() / type.blockElements() * type.blockBytes();
        return new GgufRows(type, data.asSlice(from * rowBytes, part[0] * rowBytes), part);
    }

    @Override
    public long bytes() {
        return data.byteSize();
    }

    @Override
    public @Nullable Tensor plain() {
        return type.isQuantized() ? null : Tensor.of(data, type.dtype(), shape);
    }

    @Override
    public void row(long row, float[] to) {
        Tensor plain = plain();
        if (plain != null) {
            Floats.of(plain).row(row, to);
        } else {
            type.dequantize(data, row * width(), to, width());
        }
    }

    /// Reads the block that an element is in.
    ///
    /// @return that element
    float element(long row, int column) {
        int block = type.blockElements();
        float[] values = new float[block];
        type.dequantize(data, row * width() + column / block * block, values, block);
        return values[column % block];
    }

    /// Whole numbers of Q8_0 and Q4_0 stay what they are where the weight has such groups; their scales,
    /// binary16, are rounded to bfloat16, which moves them by 2^-8 at most.
    @Override
    public void put(long row, Packed to, long at) {
        if (!isHeldBy(to)) {
            Stored.super.put(row, to, at);
            return;
        }
        GgufParts parts = type.parts(data, row * width(), width());
        to.putCodes(at, parts.integers(), parts.scales());
    }

    private boolean isHeldBy(Packed to) {
        boolean alike = type == GgufType.Q8_0 && to.element() == Element.INT8
                || type == GgufType.Q4_0 && to.element() == Element.INT4;
        return alike && to.group() == GROUP;
    }

    @Override
    public String toString() {
        return type + Shape.text(shape);
    }
}
