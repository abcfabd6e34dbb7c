package dev.wok.device.emulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Global memory: what was allocated, by address.
final class Allocations {
    /// Addresses that no process has, so that the host cannot read what lies there by mistake.
    private static final long FIRST = 0x0001_0000_0000_0000L;

    /// What lies unused between two allocations at least: an index that runs over hits nothing.
    private static final long GAP = 1 << 20;

    /// Addresses of one GPU.
    private static final long EACH = 1L << 40;

    /// Numbers of the GPUs that are open, so that an address says which of them has it.
    private static final BitSet OPEN = new BitSet();

    private final TreeMap<Long, Region> regions = new TreeMap<>();
    private final int number;
    private long next;

    Allocations() {
        synchronized (OPEN) {
            number = OPEN.nextClearBit(0);
            OPEN.set(number);
        }
        next = FIRST + number * EACH;
    }

    /// Lets another GPU have these addresses.
    void close() {
        synchronized (OPEN) {
            OPEN.clear(number);
        }
    }

    /// @param arena owns the bytes
    /// @param isWritten whether zeros count as written
    synchronized Region allocate(String name, long bytes, boolean isWritten, boolean isConstant, Arena arena) {
        return add(
                new Region(name, reserve(bytes), bytes, arena.allocate(Math.max(1, bytes), 64), isWritten, isConstant));
    }

    /// @return an address in front of so many bytes that belong to nothing else
    synchronized long reserve(long bytes) {
        long base = next;
        next += (bytes + GAP - 1) / GAP * GAP + GAP;
        return base;
    }

    /// Lets programs touch memory of this process at its own address.
    synchronized Region share(String name, MemorySegment memory) {
        return add(new Region(name, memory.address(), memory.byteSize(), memory, true, false));
    }

    private Region add(Region region) {
        regions.put(region.base, region);
        return region;
    }

    synchronized void free(Region region) {
        regions.remove(region.base, region);
    }

    /// @return what an address belongs to, or null
    synchronized @Nullable Region find(long address) {
        Map.Entry<Long, Region> entry = regions.floorEntry(address);
        return entry != null && address - entry.getKey() < Math.max(1, entry.getValue().size) ? entry.getValue() : null;
    }

    /// @return words that say what lies next to an address that belongs to nothing
    synchronized String neighbours(long address) {
        Map.Entry<Long, Region> below = regions.floorEntry(address);
        Map.Entry<Long, Region> above = regions.higherEntry(address);
        if (below != null && (above == null || address - below.getKey() <= above.getKey() - address)) {
            Region region = below.getValue();
            return "%d bytes behind the end of %s (%d bytes)"
                    .formatted(address - region.base - region.size, region.name, region.size);
        }
        return above == null
                ? "nothing is allocated"
                : "%d bytes before %s (%d bytes)"
                        .formatted(above.getKey() - address, above.getValue().name, above.getValue().size);
    }
}
