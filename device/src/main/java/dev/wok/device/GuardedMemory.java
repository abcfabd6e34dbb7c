package dev.wok.device;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Memory for tests of kernels: each piece lies flush against pages that may not be touched, so that a single byte read
/// or written out of bounds ends the process instead of passing unseen.
public final class GuardedMemory implements AutoCloseable {
    /// Which end of a piece touches a protected page; both are protected.
    public enum Flush {
        /// The first byte: catches reads before the piece.
        START,
        /// The last byte: catches reads behind it.
        END
    }

    private final List<MemorySegment> mapped = new ArrayList<>();

    /// @param bytes at least 1 is taken
    /// @return zeros between protected pages; at the end flush, they may lie at any address
    public MemorySegment allocate(long bytes, Flush flush) {
        long size = (Math.max(1, bytes) + Pages.SIZE - 1) / Pages.SIZE * Pages.SIZE;
        MemorySegment all = Pages.map(size + 2 * Pages.SIZE);
        mapped.add(all);
        Pages.protect(all.asSlice(0, Pages.SIZE), Pages.NONE);
        Pages.protect(all.asSlice(Pages.SIZE + size, Pages.SIZE), Pages.NONE);
        long from = Pages.SIZE + (flush == Flush.START ? 0 : size - bytes);
        return all.asSlice(from, bytes);
    }

    @Override
    public void close() {
        mapped.forEach(Pages::unmap);
        mapped.clear();
    }
}
