package dev.wok.device.emulated;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/// A tensor map as the emulated GPU writes it: 128 bytes that say how a tile of a tensor is cut from global memory.
///
/// ```
/// 0 magic | 4 type of an element | 5 rank | 6 swizzle | 7 fill with NaN | 8 address | 16 sizes less one, 5 ints
/// 36 strides in bytes from dimension 1 on, 4 longs | 68 box, 5 shorts
/// ```
///
/// @param type of an element
/// @param sizes of the tensor, the innermost first
/// @param strides in bytes; the innermost is an element
/// @param box sizes of a tile
/// @param fillsNan whether what lies outside of the tensor is read as NaN; else as zeros
record TensorBytes(
        Type type, long address, long[] sizes, long[] strides, int[] box, Swizzle swizzle, boolean fillsNan) {
    static final int BYTES = 128;
    private static final int MAGIC = 0x746b6f77;

    int elementBytes() {
        return type.bytes();
    }

    int rank() {
        return sizes.length;
    }

    /// @return how many bytes a tile takes
    int tileBytes() {
        int bytes = type.bytes();
        for (int size : box) {
            bytes *= size;
        }
        return bytes;
    }

    byte[] encode() {
        ByteBuffer to = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        to.putInt(MAGIC)
                .put((byte) type.ordinal())
                .put((byte) rank())
                .put((byte) swizzle.ordinal())
                .put((byte) (fillsNan ? 1 : 0))
                .putLong(address);
        for (int i = 0; i < rank(); i++) {
            to.putInt(16 + 4 * i, (int) (sizes[i] - 1));
            to.putShort(68 + 2 * i, (short) box[i]);
            if (i > 0) {
                to.putLong(36 + 8 * (i - 1), strides[i]);
            }
        }
        return to.array();
    }

    /// @return the map, or null where the bytes are none
    static @Nullable TensorBytes decode(byte[] bytes) {
        ByteBuffer from = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int rank = from.get(5);
        int type = from.get(4);
        if (from.getInt(0) != MAGIC || rank < 1 || rank > 5 || type < 0 || type >= Type.values().length) {
            return null;
        }
        Type element = Type.values()[type];
        long[] sizes = new long[rank];
        long[] strides = new long[rank];
        int[] box = new int[rank];
        for (int i = 0; i < rank; i++) {
            sizes[i] = (from.getInt(16 + 4 * i) & 0xFFFF_FFFFL) + 1;
            strides[i] = i == 0 ? element.bytes() : from.getLong(36 + 8 * (i - 1));
            box[i] = from.getShort(68 + 2 * i) & 0xFFFF;
        }
        return new TensorBytes(
                element, from.getLong(8), sizes, strides, box, Swizzle.values()[from.get(6) & 3], from.get(7) != 0);
    }
}
