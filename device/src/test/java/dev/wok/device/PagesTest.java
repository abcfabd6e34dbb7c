package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/// Memory for weights and for kernels, on both sides of the size from which it comes in huge pages.
class PagesTest {
    private static final long[] SIZES = {0, 1, 63, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9_000_001};

    @Test
    void scratchMemoryIsZeroedAlignedAndFreed() {
        HostDevice device = Device.host(1);
        MemorySegment last = device.scratch(1);
        for (long size : SIZES) {
            last = device.scratch(size);
            assertEquals(0, last.address() % 64);
            assertEquals(Math.max(size, last.byteSize()), last.byteSize());
            assertZerosThenWritable(last);
        }
        device.close();
        MemorySegment closed = last;
        assertEquals(
                "Already closed",
                Thrown.message(IllegalStateException.class, () -> closed.get(ValueLayout.JAVA_BYTE, 0)));
        assertEquals("Already closed", Thrown.message(IllegalStateException.class, () -> device.scratch(3 << 20)));
    }

    @Test
    void largeTensorsAreZeroedAlignedAndFreed() {
        try (HostDevice device = Device.host(1)) {
            Memory memory = device.memory();
            Tensor large = memory.tensor(DType.F32, 1025, 1023);
            assertEquals(0, large.memory().address() % 64);
            assertEquals(1025 * 1023 * 4, large.memory().byteSize());
            assertZerosThenWritable(large.memory());
            memory.close();
            assertEquals("Already closed", Thrown.message(IllegalStateException.class, () -> large.get(0)));
        }
    }

    private static void assertZerosThenWritable(MemorySegment memory) {
        assertEquals(-1, memory.mismatch(MemorySegment.ofArray(new byte[(int) memory.byteSize()])));
        memory.fill((byte) 7);
    }
}
