package dev.wok.kernel.host;

import dev.wok.kernel.RowSums;
import dev.wok.kernel.WeightedRows;
import dev.wok.tensor.Bf16;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// In Java.
public final class HostRowSums implements RowSums {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    @Override
    public void add(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt) {
        for (int i = 0; i < count; i++) {
            float value = row.get(FLOAT, at + (long) Float.BYTES * i);
            y.set(
                    FLOAT,
                    yAt + (long) Float.BYTES * i,
                    Math.fma(weight, value, y.get(FLOAT, yAt + (long) Float.BYTES * i)));
        }
    }

    @Override
    public void addBf16(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt) {
        for (int i = 0; i < count; i++) {
            float value = Bf16.value(row.get(SHORT, at + (long) Short.BYTES * i));
            y.set(
                    FLOAT,
                    yAt + (long) Float.BYTES * i,
                    Math.fma(weight, value, y.get(FLOAT, yAt + (long) Float.BYTES * i)));
        }
    }

    @Override
    public void sum(
            MemorySegment a,
            long aAt,
            MemorySegment b,
            long bAt,
            int count,
            MemorySegment to,
            long toAt,
            boolean past) {
        for (int i = 0; i < count; i++) {
            float sum = a.get(FLOAT, aAt + (long) Float.BYTES * i) + b.get(FLOAT, bAt + (long) Float.BYTES * i);
            to.set(FLOAT, toAt + (long) Float.BYTES * i, sum);
        }
    }

    @Override
    public void sum(MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt) {
        to.asSlice(toAt, (long) Float.BYTES * count).fill((byte) 0);
        for (int row = 0; row < rows.size(); row++) {
            add(rows.weight(row), memory, rows.offset(row) + at, count, to, toAt);
        }
    }
}
