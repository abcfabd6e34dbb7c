package dev.wok.kernel.host;

import dev.wok.kernel.E4m3Rows;
import dev.wok.tensor.E4m3;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// In Java.
public final class HostE4m3Rows implements E4m3Rows {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final byte NAN = E4m3.bits(Float.NaN);

    @Override
    public void encode(MemorySegment from, long at, int count, MemorySegment to, long scalesAt, long codesAt) {
        for (int first = 0; first < count; first += GROUP) {
            int size = Math.min(GROUP, count - first);
            long source = at + (long) Float.BYTES * first;
            float scale = scale(from, source, size);
            to.set(FLOAT, scalesAt + (long) Float.BYTES * (first / GROUP), scale);
            for (int i = 0; i < size; i++) {
                float value = from.get(FLOAT, source + (long) Float.BYTES * i);
                to.set(BYTE, codesAt + first + i, Float.isNaN(scale) ? NAN : E4m3.bits(value / scale));
            }
        }
    }

    private static float scale(MemorySegment from, long at, int count) {
        float greatest = 0;
        for (int i = 0; i < count; i++) {
            greatest = Math.max(greatest, Math.abs(from.get(FLOAT, at + (long) Float.BYTES * i)));
        }
        return greatest <= Float.MAX_VALUE ? Math.max(greatest / E4m3.MAX, Float.MIN_NORMAL) : Float.NaN;
    }

    @Override
    public void decode(MemorySegment from, long scalesAt, long codesAt, int count, MemorySegment to, long toAt) {
        for (int first = 0; first < count; first += GROUP) {
            float scale = from.get(FLOAT, scalesAt + (long) Float.BYTES * (first / GROUP));
            int end = Math.min(first + GROUP, count);
            for (int i = first; i < end; i++) {
                to.set(FLOAT, toAt + (long) Float.BYTES * i, E4m3.value(from.get(BYTE, codesAt + i)) * scale);
            }
        }
    }
}
