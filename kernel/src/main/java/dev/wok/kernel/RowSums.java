package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.kernel.host.HostRowSums;
import dev.wok.kernel.x86.RowSumsX86;
import java.lang.foreign.MemorySegment;

/// Adds rows of float32, weighted ones as `y[i] = fma(weight, row[i], y[i])`, rounded once. That is how
/// [Experts#combine] adds choices on the x86 and vector backends. What is no number stays none. Memory is native; any
/// thread.
public interface RowSums {
    /// @param device holds the code
    /// @return in machine code where some is written for the processor and the environment does not ask for none
    static RowSums of(HostDevice device) {
        return RowSumsX86.of(device).orElseGet(HostRowSums::new);
    }

    /// Adds a row of float32.
    ///
    /// @param at bytes
    /// @param yAt bytes
    void add(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt);

    /// Adds a row of bfloat16.
    ///
    /// @param at bytes
    /// @param yAt bytes
    void addBf16(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt);

    /// `to[i] = a[i] + b[i]`, float32.
    ///
    /// @param aAt bytes
    /// @param bAt bytes
    /// @param to may be one of the others
    /// @param toAt bytes
    /// @param past whether `to` is stored past the caches where it is aligned to 64 bytes: for
    ///     results so large that they leave the caches before anybody reads them
    void sum(
            MemorySegment a, long aAt, MemorySegment b, long bAt, int count, MemorySegment to, long toAt, boolean past);

    /// Sums rows of float32, one after the other from zero on: `to[i] = fma(weight, row[i], to[i])`.
    ///
    /// @param memory where all rows lie
    /// @param at bytes that are added to each row's offset
    /// @param to none of the rows
    /// @param toAt bytes
    void sum(MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt);
}
