package dev.wok.tensor;

import java.nio.charset.StandardCharsets;

/// Seeded random numbers by index: number `i` is a pure function of the seed and `i`, so the order and the thread that
/// asks do not matter and a resumed run needs no saved generator.
///
/// The bits are SplitMix64's output function over a keyed counter (G. Steele, D. Lea, C. Flood, "Fast splittable
/// pseudorandom number generators", 2014).
///
/// @param seed any number; different seeds give unrelated streams
public record Rng(long seed) {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    /* Splits begin from seeds of their own: without it, new Rng(1).split(1) would be new Rng(0), and a purpose's first
     * letter could make up for another seed.
     */
    private static final long PURPOSES = 0xD1342543DE82EF95L;
    private static final long NUMBERS = 0x5851F42D4C957F2DL;

    /// @return an unrelated stream for a named purpose
    public Rng split(String purpose) {
        long hash = mix(seed ^ PURPOSES);
        for (byte b : purpose.getBytes(StandardCharsets.UTF_8)) {
            hash = mix(hash + GOLDEN + b);
        }
        return new Rng(mix(hash ^ GOLDEN));
    }

    /// @return an unrelated stream for a numbered purpose
    public Rng split(long number) {
        return new Rng(mix(mix(seed ^ NUMBERS) + GOLDEN * (number + 1)));
    }

    /// @return 64 random bits
    public long bits(long index) {
        return mix(mix(seed) + GOLDEN * (index + 1));
    }

    /// @return uniform in [0, 1), a multiple of 2^-53
    public double uniform(long index) {
        return (bits(index) >>> 11) * 0x1.0p-53;
    }

    /// @return uniform in 0..bound-1
    public int below(long index, int bound) {
        return (int) Math.unsignedMultiplyHigh(bits(index), bound);
    }

    /// @return standard normal (Box and Muller's transform, in strict arithmetic)
    public double normal(long index) {
        double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - uniform(2 * index)));
        return radius * StrictMath.cos(2 * Math.PI * uniform(2 * index + 1));
    }

    private static long mix(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
