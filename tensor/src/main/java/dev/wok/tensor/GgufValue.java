package dev.wok.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.AbstractList;
import java.util.RandomAccess;

/// The types of metadata values of a fixed size, in the order of their numbers in a GGUF file, where 8
/// and 9 are [#STRING] and [#ARRAY].
enum GgufValue {
    U8(0, 1),
    I8(1, 1),
    U16(2, 2),
    I16(3, 2),
    U32(4, 4),
    I32(5, 4),
    F32(6, 4),
    BOOL(7, 1),
    U64(10, 8),
    I64(11, 8),
    F64(12, 8);

    static final int STRING = 8;
    static final int ARRAY = 9;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int id;
    private final int bytes;

    GgufValue(int id, int bytes) {
        this.id = id;
        this.bytes = bytes;
    }

    int id() {
        return id;
    }

    int bytes() {
        return bytes;
    }

    /// @return whether the bytes at `at` are a value of this type that a [Long], [Double] or [Boolean]
    ///     holds
    boolean isValid(MemorySegment memory, long at) {
        return switch (this) {
            case BOOL -> (memory.get(ValueLayout.JAVA_BYTE, at) & ~1) == 0;
            case U64 -> memory.get(LONG, at) >= 0;
            case U8, I8, U16, I16, U32, I32, F32, I64, F64 -> true;
        };
    }

    /// @return a [Long], [Double] or [Boolean]
    Object get(MemorySegment memory, long at) {
        return switch (this) {
            case U8 -> memory.get(ValueLayout.JAVA_BYTE, at) & 0xFFL;
            case I8 -> (long) memory.get(ValueLayout.JAVA_BYTE, at);
            case U16 -> memory.get(SHORT, at) & 0xFFFFL;
            case I16 -> (long) memory.get(SHORT, at);
            case U32 -> memory.get(INT, at) & 0xFFFF_FFFFL;
            case I32 -> (long) memory.get(INT, at);
            case U64, I64 -> memory.get(LONG, at);
            case F32 -> (double) Float.intBitsToFloat(memory.get(INT, at));
            case F64 -> Double.longBitsToDouble(memory.get(LONG, at));
            case BOOL -> memory.get(ValueLayout.JAVA_BYTE, at) != 0;
        };
    }

    /// An array of such values that takes the memory it takes in the file.
    static final class Values extends AbstractList<Object> implements RandomAccess {
        private final GgufValue type;
        private final MemorySegment memory;

        /// @param memory whole values, all of them valid
        Values(GgufValue type, MemorySegment memory) {
            this.type = type;
            this.memory = memory;
        }

        @Override
        public Object get(int index) {
            return type.get(memory, (long) index * type.bytes);
        }

        @Override
        public int size() {
            return (int) (memory.byteSize() / type.bytes);
        }
    }
}
