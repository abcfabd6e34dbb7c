package dev.wok.text;

/// A pseudo-random order of 0..size-1 without a table: a Feistel network over the next even number of bits, walked
/// until it lands inside (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", 2002). On average it takes
/// less than four steps.
///
/// @param size how many numbers
/// @param key which order
public record Permutation(long size, long key) {
    private static final int ROUNDS = 6;

    /// A place of an endless walk through numbers that visits each once an epoch, each epoch in an
    /// order of its own.
    ///
    /// @param index from 0 without end: the epoch is `index / size`
    /// @param size how many numbers; [Long#MAX_VALUE] for a walk that never ends its first epoch, in
    ///     their order
    /// @param seed of the orders
    /// @return the number at this place, in 0 ≤ number < size
    public static long place(long index, long size, long seed) {
        return size == Long.MAX_VALUE ? index : new Permutation(size, Mix.of(seed, index / size)).at(index % size);
    }

    /// @param index in 0 ≤ index < size
    /// @return the number at this place, in 0 ≤ number < size
    public long at(long index) {
        int half = (Long.SIZE - Long.numberOfLeadingZeros(size - 1) + 1) / 2;
        long mask = (1L << half) - 1;
        long value = index;
        do {
            long left = value >>> half;
            long right = value & mask;
            for (int round = 0; round < ROUNDS; round++) {
                long mixed = left ^ Mix.of(key + round, right) & mask;
                left = right;
                right = mixed;
            }
            value = left << half | right;
        } while (value >= size);
        return value;
    }
}
