package dev.wok.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Copies between memory and arrays that are right for few bytes too.
///
/* MemorySegment.copy copies less than 64 bytes in a loop of its own. Temurin 25.0.3 now and then compiles that such that the
 * second eight of 24 bytes are left out (seen with int[6], in one process out of two, for seconds or for good; not with
 * -Djava.lang.foreign.native.threshold.power.copy=0, which takes the loop out, and which the launcher sets). Programs that
 * have Wok inside start Java as they like, so few bytes are never left to it where they count.
 */
public final class Copies {
    private static final int FEW_BYTES = 64;

    private Copies() {}

    /// @param at bytes
    /// @param toAt bytes
    public static void bytes(MemorySegment from, long at, MemorySegment to, long toAt, long bytes) {
        if (bytes >= FEW_BYTES) {
            MemorySegment.copy(from, at, to, toAt, bytes);
            return;
        }
        for (long i = 0; i < bytes; i++) {
            to.set(ValueLayout.JAVA_BYTE, toAt + i, from.get(ValueLayout.JAVA_BYTE, at + i));
        }
    }

    /// @param at bytes
    public static void bytes(MemorySegment from, long at, byte[] to, int toAt, int count) {
        if (count >= FEW_BYTES) {
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, to, toAt, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            to[toAt + i] = from.get(ValueLayout.JAVA_BYTE, at + i);
        }
    }

    /// @return all bytes
    public static byte[] array(MemorySegment from) {
        byte[] to = new byte[Math.toIntExact(from.byteSize())];
        bytes(from, 0, to, 0, to.length);
        return to;
    }

    /// @param at bytes
    public static void ints(MemorySegment from, long at, int[] to, int toAt, int count) {
        if (count >= FEW_BYTES / Integer.BYTES) {
            MemorySegment.copy(from, ValueLayout.JAVA_INT_UNALIGNED, at, to, toAt, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            to[toAt + i] = from.get(ValueLayout.JAVA_INT_UNALIGNED, at + (long) i * Integer.BYTES);
        }
    }

    /// @param at bytes
    public static void floats(MemorySegment from, long at, float[] to, int toAt, int count) {
        if (count >= FEW_BYTES / Float.BYTES) {
            MemorySegment.copy(from, ValueLayout.JAVA_FLOAT_UNALIGNED, at, to, toAt, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            to[toAt + i] = from.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + (long) i * Float.BYTES);
        }
    }

    /// @param toAt bytes
    public static void floats(float[] from, int at, MemorySegment to, long toAt, int count) {
        if (count >= FEW_BYTES / Float.BYTES) {
            MemorySegment.copy(from, at, to, ValueLayout.JAVA_FLOAT_UNALIGNED, toAt, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            to.set(ValueLayout.JAVA_FLOAT_UNALIGNED, toAt + (long) i * Float.BYTES, from[at + i]);
        }
    }

    /// @param toAt bytes
    public static void ints(int[] from, int at, MemorySegment to, long toAt, int count) {
        if (count >= FEW_BYTES / Integer.BYTES) {
            MemorySegment.copy(from, at, to, ValueLayout.JAVA_INT_UNALIGNED, toAt, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            to.set(ValueLayout.JAVA_INT_UNALIGNED, toAt + (long) i * Integer.BYTES, from[at + i]);
        }
    }
}
