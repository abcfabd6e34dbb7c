package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What code is called with, in memory, where six registers are not enough: 64-bit numbers, and lower halves of them.
final class Slots {
    private final MemorySegment block;

    Slots(HostDevice device, int count) {
        block = device.scratch((long) count * Long.BYTES);
    }

    /// @param slot bytes from the block's start
    Slots put(int slot, long value) {
        block.set(ValueLayout.JAVA_LONG, slot, value);
        return this;
    }

    /// @param slot bytes from the block's start
    Slots put(int slot, float value) {
        block.set(ValueLayout.JAVA_FLOAT, slot, value);
        return this;
    }

    long address() {
        return block.address();
    }
}
