package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import org.junit.jupiter.api.Test;

class DeviceTest {
    @Test
    void hostMemoryIsZeroedCountedAndFreed() {
        try (HostDevice device = Device.host(2)) {
            Memory memory = device.memory();
            Tensor x = memory.tensor(DType.F32, 3, 5);
            Tensor none = memory.tensor(DType.BF16, 0, 5);
            assertEquals(60, memory.bytes());
            assertEquals(0, none.elements());
            assertEquals(0, x.memory().address() % 64);
            for (long i = 0; i < 15; i++) {
                assertEquals(0, x.get(i));
            }
            memory.close();
            assertThrows(IllegalStateException.class, () -> x.get(0));
        }
    }

    @Test
    void copiesConvert() {
        try (HostDevice device = Device.host(1);
                Memory memory = device.memory()) {
            Tensor here = memory.tensor(DType.BF16, 3);
            device.upload(Tensor.of(1f, -2.5f, 3.001f), here);
            Tensor back = memory.tensor(DType.F32, 3);
            device.download(here, back);
            assertArrayEquals(new float[] {1, -2.5f, 3}, back.toFloats());
        }
    }

    @Test
    void devicesDescribeThemselves() {
        try (HostDevice one = Device.host(1);
                HostDevice two = Device.host(2);
                DryDevice dry = Device.dry()) {
            assertEquals("host processor, 1 thread", one.describe());
            assertEquals("host processor, 2 threads", two.describe());
            assertEquals("dry run", dry.describe());
            assertSame(two, two.stream().device());
            assertSame(dry, dry.stream().device());
            two.stream().synchronize();
        }
    }

    @Test
    void dryTensorsHaveShapesAndNoValues() {
        DryDevice dry = Device.dry();
        Memory memory = dry.memory();
        Tensor x = memory.tensor(DType.F32, 1_000_000, 1_000_000);
        assertEquals(4_000_000_000_000L, memory.bytes());
        dry.upload(x, x);
        assertThrows(IllegalArgumentException.class, () -> dry.upload(Tensor.of(1f), x));
        Tensor view = x.slice(0, 10, 20).slice(1, 5, 6);
        assertEquals("F32[10, 1]", view.toString());
        assertThrows(IndexOutOfBoundsException.class, () -> x.get(0));
        assertThrows(IndexOutOfBoundsException.class, () -> view.set(0, 1));
        memory.close();
    }
}
