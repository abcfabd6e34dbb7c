package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import java.lang.foreign.MemorySegment;

/// Memory of a kernel's own that grows with what it is asked for.
final class Buffer {
    private final HostDevice device;
    private MemorySegment memory = MemorySegment.NULL;

    Buffer(HostDevice device) {
        this.device = device;
    }

    /// @return memory with any contents; what was given out before is gone where it has to grow
    MemorySegment of(long bytes) {
        if (memory.byteSize() < bytes) {
            memory = device.scratch(Math.max(bytes, 2 * memory.byteSize()));
        }
        return memory;
    }

    /// @return the address of [#of]
    long at(long bytes) {
        return of(bytes).address();
    }
}
