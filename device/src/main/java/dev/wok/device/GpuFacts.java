package dev.wok.device;

/// What is known of a GPU before it is opened.
///
/// @param index its number on this machine, from 0, as the driver counts
/// @param memoryBytes all of its memory, used or not
/// @param sharedBytes the shared memory that one block may ask for
/// @param l2Bytes the second-level cache
/// @param clockKhz its usual highest clock
/// @param driver the newest CUDA version that the driver knows
/// @param ptx the newest PTX that the driver's assembler reads
public record GpuFacts(
        int index,
        String name,
        ComputeCapability capability,
        long memoryBytes,
        int multiprocessors,
        int sharedBytes,
        int l2Bytes,
        int clockKhz,
        Version driver,
        Version ptx) {}
