package dev.wok.kernel.ptx;

/// What a multiprocessor does in a clock, to compare kernels for products by.
///
/// @param multiplyAdds of bf16 by its tensor cores
/// @param cacheBytes from the second-level cache
/// @param memoryBytes from memory
record Rates(double multiplyAdds, double cacheBytes, double memoryBytes) {
    /// Of the A100, whose tensor cores do half of what Hopper's do.
    static final Rates SM_80 = new Rates(1024, 32, 13);

    static final Rates SM_90 = new Rates(2048, 40, 19);

    /// Clocks to begin and to end tiles that overlap with nothing.
    static final double START = 1500;

    /// Clocks from asking for bytes to having them.
    private static final double LATENCY = 1000;

    /// @param m rows of a tile
    /// @param n columns of a tile
    /// @param k products of each of its sums
    /// @param inFlight bytes that a multiprocessor has asked for at any time
    /// @param cachedBytes that reach a multiprocessor from the cache for each number of `k`
    /// @param efficiency the part of all multiplications that warps get
    /// @param writtenBytes of the result
    /// @return the clocks of a tile
    double clocksOfTile(
            long m, long n, double k, double inFlight, double cachedBytes, double efficiency, double writtenBytes) {
        double multiplies = m * n * k / (multiplyAdds * efficiency);
        double copies = cachedBytes * k / Math.min(cacheBytes, inFlight / LATENCY);
        return Math.max(multiplies, copies) + writtenBytes / cacheBytes;
    }

    /// @param waves of tiles, of float32, that a multiprocessor computes one after the other
    /// @return the clocks of a product
    double clocks(long waves, int m, int n, long k, double inFlight, double cachedBytes, double efficiency) {
        double written = (double) m * n * Float.BYTES;
        return waves * clocksOfTile(m, n, k, inFlight, cachedBytes, efficiency, written) + START;
    }

    /// @param width bytes of a number of the operands
    /// @return the clocks that memory needs to read operands and write the result once
    double clocksOfMemory(int multiprocessors, long m, long n, long k, int width) {
        double bytes = (double) width * k * (m + n) + (double) Float.BYTES * m * n;
        return bytes / (memoryBytes * multiprocessors);
    }
}
