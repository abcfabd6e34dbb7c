package dev.wok.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Memory by its address, as a driver in C sees it.
final class Raw {
    private Raw() {}

    static MemorySegment at(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    static void put(long out, long value) {
        at(out, 8).set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
    }

    static void putInt(long out, int value) {
        at(out, 4).set(JAVA_INT, 0, value);
    }

    static String string(long address) {
        return at(address, 1 << 20).getString(0);
    }
}
