package dev.wok.text;

/// SplitMix64's output function: spreads the bits of keyed counters and hashes (G. Steele, D. Lea, C. Flood, "Fast
/// splittable pseudorandom number generators", 2014).
final class Mix {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private Mix() {}

    /// @return the bits of z, each depending on all; a bijection
    static long of(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /// @return 64 bits that depend on both numbers and their order
    static long of(long key, long value) {
        return of(of(key + GOLDEN) + GOLDEN * (value + 1));
    }

    /// @return the hash as a number in [0, 1), a multiple of 2^-53
    static double unit(long hash) {
        return (hash >>> 11) * 0x1.0p-53;
    }
}
