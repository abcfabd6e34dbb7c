package dev.wok.kernel.x86.emulated;

/// A place in memory.
///
/// @param base a general register, or [Core#ZERO]
/// @param index a general register, or [Core#ZERO]
record Place(int base, int index, int scale, long displacement) {
    long address(Core core) {
        return core.r[base] + core.r[index] * scale + displacement;
    }
}
