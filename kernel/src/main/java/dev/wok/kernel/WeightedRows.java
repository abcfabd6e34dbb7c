package dev.wok.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Which rows [RowSums#sum(MemorySegment, long, WeightedRows, int, MemorySegment, long)] adds up, and their weights.
/// One thread at a time.
///
/* In native memory, where machine code reads it: 16 bytes a row, the offset as a long and the weight as a float. */
public final class WeightedRows {
    /// Bytes of a row's entry.
    public static final int ENTRY = 16;

    /// Where in an entry the weight is.
    public static final int WEIGHT = 8;

    private MemorySegment entries = room(16);
    private int size;

    private static MemorySegment room(int rows) {
        return Arena.ofAuto().allocate((long) rows * ENTRY, ENTRY);
    }

    public void clear() {
        size = 0;
    }

    /// @param offset bytes
    public void add(long offset, float weight) {
        long at = (long) size * ENTRY;
        if (at == entries.byteSize()) {
            entries = room(2 * size).copyFrom(entries);
        }
        entries.set(ValueLayout.JAVA_LONG, at, offset);
        entries.set(ValueLayout.JAVA_FLOAT, at + WEIGHT, weight);
        size++;
    }

    public int size() {
        return size;
    }

    /// @return bytes
    public long offset(int row) {
        return entries.get(ValueLayout.JAVA_LONG, (long) row * ENTRY);
    }

    public float weight(int row) {
        return entries.get(ValueLayout.JAVA_FLOAT, (long) row * ENTRY + WEIGHT);
    }

    /// @return the entries, until another row is added
    public MemorySegment memory() {
        return entries;
    }
}
