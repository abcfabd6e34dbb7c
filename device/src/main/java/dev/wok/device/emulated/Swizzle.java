package dev.wok.device.emulated;

/// How tiles in shared memory are shuffled so that rows and columns are free of bank conflicts: pieces of
/// 16 bytes change places within a span, by the number of the 128 bytes that they lie in.
enum Swizzle {
    NONE(16, 0),
    B32(32, 1),
    B64(64, 3),
    B128(128, 7);

    /// Bytes of a row within which pieces change places.
    final int span;

    private final int mask;

    Swizzle(int span, int mask) {
        this.span = span;
        this.mask = mask;
    }

    /// @param address of a byte in shared memory
    /// @return where it lies
    long apply(long address) {
        return address ^ (address >>> 7 & mask) << 4;
    }
}
