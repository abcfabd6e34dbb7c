package dev.wok.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/// The element types of tensors in GGUF files that Wok reads, named as ggml names them. A quantised type
/// packs its elements into blocks; each row of a tensor is whole blocks.
public enum GgufType {
    /// IEEE 754 binary32.
    F32(0, 1, 4, 0),
    /// IEEE 754 binary16.
    F16(1, 1, 2, 0),
    /// The upper half of a binary32.
    BF16(30, 1, 2, 0),
    /// 8 bits and a scale for 32 elements.
    Q8_0(8, 32, 34, 32),
    /// 4 bits and a scale for 32 elements.
    Q4_0(2, 32, 18, 32),
    /// 4 bits, a scale and a minimum of 6 bits for 32 elements.
    Q4_K(12, 256, 144, 32),
    /// 5 bits, a scale and a minimum of 6 bits for 32 elements.
    Q5_K(13, 256, 176, 32),
    /// 6 bits and a scale of 8 bits for 16 elements.
    Q6_K(14, 256, 210, 16);

    private static final String[] NAMES = {
        "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1",
        "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
        "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M",
        "BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
        "NVFP4", "Q1_0"
    };

    private final int id;
    private final int blockElements;
    private final int blockBytes;
    private final int group;

    GgufType(int id, int blockElements, int blockBytes, int group) {
        this.id = id;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
        this.group = group;
    }

    static Optional<GgufType> of(int id) {
        return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
    }

    /// @return what ggml calls a type, supported or not, where that is known here
    static String nameOf(int id) {
        return id >= 0 && id < NAMES.length ? NAMES[id] : "type " + Integer.toUnsignedString(id);
    }

    /// @return the supported types, for messages
    static String names() {
        return Arrays.stream(values()).map(GgufType::name).collect(Collectors.joining(", "));
    }

    /// @return the type's number in a file
    public int id() {
        return id;
    }

    /// @return how many elements share a block; 1 where the type is not quantised
    public int blockElements() {
        return blockElements;
    }

    /// @return the size of a block
    public int blockBytes() {
        return blockBytes;
    }

    /// @return whether elements are integers with scales, which [#parts] takes apart
    public boolean isQuantized() {
        return group > 0;
    }

    /// Reads elements as ggml defines them, each rounded at most once.
    ///
    /// @param data the bytes of a tensor of this type, as [Gguf#data] gives them
    /// @param from the first element, in row order; a multiple of [#blockElements]
    /// @param values takes the elements, from index 0
    /// @param count how many; a multiple of [#blockElements]
    public void dequantize(MemorySegment data, long from, float[] values, int count) {
        requireBlocks(from, count);
        if (!isQuantized()) {
            Tensor plain = Tensor.of(data.asSlice(from * blockBytes, (long) count * blockBytes), dtype(), count);
            for (int i = 0; i < count; i++) {
                values[i] = (float) plain.get(i);
            }
            return;
        }
        GgufParts block = GgufParts.allocate(group, blockElements);
        for (int i = 0; i < count; i += blockElements) {
            GgufBlocks.unpack(this, data, (from + i) / blockElements * blockBytes, block, 0);
            for (int j = 0; j < blockElements; j++) {
                values[i + j] = block.value(j);
            }
        }
    }

    /// Takes elements apart into integers, scales and minima.
    ///
    /// @param data the bytes of a tensor of this type, as [Gguf#data] gives them
    /// @param from the first element, in row order; a multiple of [#blockElements]
    /// @param count how many; a multiple of [#blockElements]
    /// @throws IllegalArgumentException where the type is not quantised
    public GgufParts parts(MemorySegment data, long from, int count) {
        requireBlocks(from, count);
        if (!isQuantized()) {
            throw new IllegalArgumentException(this + " has no parts");
        }
        GgufParts parts = GgufParts.allocate(group, count);
        for (int i = 0; i < count; i += blockElements) {
            GgufBlocks.unpack(this, data, (from + i) / blockElements * blockBytes, parts, i);
        }
        return parts;
    }

    /// @return what elements are that are not quantised
    /// @throws IllegalStateException where they are
    public DType dtype() {
        return switch (this) {
            case F32 -> DType.F32;
            case F16 -> DType.F16;
            case BF16 -> DType.BF16;
            case Q8_0, Q4_0, Q4_K, Q5_K, Q6_K -> throw new IllegalStateException(name());
        };
    }

    private void requireBlocks(long from, int count) {
        if (from < 0 || count < 0 || from % blockElements != 0 || count % blockElements != 0) {
            throw new IllegalArgumentException("%s: elements %d and the next %d are no whole blocks of %d"
                    .formatted(this, from, count, blockElements));
        }
    }
}
