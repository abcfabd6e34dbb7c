package dev.wok.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Which rows [RowSums#sum(MemorySegment, long, WeightedRows, int, MemorySegment, long)] adds up, and their weights.
/// One thread at a time.
///
/* In native memory, where machine code reads it: 24 bytes a row, the offset as a long, the weight as a float, and at 16 as a
 * long where the row goes on for who reads ahead: the offset of another row less the bytes of this one. */
public final class WeightedRows {
    /// Bytes of a row's entry.
    public static final int ENTRY = 24;

    /// Where in an entry the weight is.
    public static final int WEIGHT = 8;

    /// Where in an entry it is where the row goes on.
    public static final int ONWARD = 16;

    /// Bytes that who reads rows asks for ahead.
    public static final int AHEAD = 2048;

    private MemorySegment entries = room(16);
    private int size;

    private static MemorySegment room(int rows) {
        return Arena.ofAuto().allocate((long) rows * ENTRY, Long.BYTES);
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
        entries.set(ValueLayout.JAVA_LONG, at + ONWARD, offset - AHEAD);
        size++;
    }

    /// Says which other row is read after one of these, for it to be asked for in time. Changes no sum.
    ///
    /// @param offset bytes, of the other
    /// @param bytes of a row
    public void onward(int row, long offset, long bytes) {
        entries.set(ValueLayout.JAVA_LONG, (long) row * ENTRY + ONWARD, offset - bytes);
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
