package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.kernel.x86.Bf16RowsX86;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Rows of float32 to bfloat16 and back, in machine code, rounded as [dev.wok.tensor.Bf16] rounds.
/// Memory is native; any thread. What was stored past the caches others see after [#fence].
public interface Bf16Rows {
    /// @param device holds the code
    /// @return nothing where no machine code is written for the processor, or where the environment
    ///     asks for none
    static Optional<Bf16Rows> of(HostDevice device) {
        return Bf16RowsX86.of(device);
    }

    /// Rounds float32 to bfloat16.
    ///
    /// @param at bytes
    /// @param toAt bytes
    /// @param past whether to store past the caches, for what another processor reads next or
    ///     nobody does soon: the memory is not fetched first, nor taken from who has it
    void narrow(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past);

    /// @return whether [#sum] takes rows of so many columns
    boolean sums(int count);

    /// Sums rows of float32 as [RowSums#sum(MemorySegment, long, WeightedRows, int, MemorySegment, long)] does,
    /// and rounds the sum to bfloat16.
    ///
    /// @param memory where all rows lie
    /// @param at bytes that are added to each row's offset
    /// @param rows one or more
    /// @param count of columns, as [#sums] takes them
    /// @param toAt bytes
    /// @param past as for [#narrow]
    void sum(MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt, boolean past);

    /// Bfloat16 to float32.
    ///
    /// @param at bytes
    /// @param toAt bytes
    /// @param past whether to store past the caches, for what another processor reads next or
    ///     nobody does soon: the memory is not fetched first, nor taken from who has it
    void widen(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past);

    /// Rounds float32 to values that bfloat16 has.
    ///
    /// @param at bytes
    /// @param toAt bytes
    /// @param past whether to store past the caches, for what another processor reads next or
    ///     nobody does soon: the memory is not fetched first, nor taken from who has it
    void round(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past);

    /// Makes what this thread has stored past the caches visible before what it stores from now on.
    void fence();
}
