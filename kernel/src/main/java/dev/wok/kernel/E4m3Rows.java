package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.kernel.host.HostE4m3Rows;
import dev.wok.kernel.x86.E4m3RowsX86;
import java.lang.foreign.MemorySegment;

/// Rows of float32 to E4M3 ([dev.wok.tensor.E4m3]) and back, with a float32 scale for each [#GROUP]
/// values of a row: the group's largest magnitude over 448, the smallest normal number at least. Of a
/// group that holds NaN or an infinity the scale and all values are NaN. Memory is native; any thread.
public interface E4m3Rows {
    /// Values that have a scale in common; the last group of a row may have fewer.
    int GROUP = 128;

    /// @param device holds the code
    /// @return in machine code where some is written for the processor and the environment does not ask for none
    static E4m3Rows of(HostDevice device) {
        return E4m3RowsX86.of(device).orElseGet(HostE4m3Rows::new);
    }

    /// @return how many scales a row has
    static int groups(int count) {
        return Math.ceilDiv(count, GROUP);
    }

    /// Divides by the scales and rounds, nearest even.
    ///
    /// @param at bytes
    /// @param scalesAt bytes of `to`: where [#groups] float32 go
    /// @param codesAt bytes of `to`: where the values go, a byte each
    void encode(MemorySegment from, long at, int count, MemorySegment to, long scalesAt, long codesAt);

    /// The other way round: values times scales.
    ///
    /// @param scalesAt bytes of `from`
    /// @param codesAt bytes of `from`
    /// @param toAt bytes
    void decode(MemorySegment from, long scalesAt, long codesAt, int count, MemorySegment to, long toAt);
}
