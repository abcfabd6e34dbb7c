package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Mirrors.Mirror;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import org.junit.jupiter.api.Test;

class MirrorsTest {
    @Test
    void onTheProcessorATensorIsItsOwn() {
        try (Device device = Device.host(1);
                Memory memory = device.memory();
                Mirrors mirrors = new Mirrors(device)) {
            Tensor here = memory.tensor(DType.F32, 2, 3);
            assertFalse(mirrors.copies());
            try (Mirror mirror = mirrors.read(here)) {
                assertSame(here, mirror.host());
                mirror.host().set(4, 7);
                mirror.write();
            }
            Tensor other = memory.tensor(DType.F32, 2, 3);
            mirrors.copy(here, other);
            assertEquals(7, other.get(4));
        }
    }

    @Test
    void ofAGpuItIsACopy() {
        try (Device device = Device.emulated();
                Memory memory = device.memory();
                Mirrors mirrors = new Mirrors(device)) {
            Tensor here = memory.tensor(DType.F32, 5);
            device.upload(Tensor.of(1f, 2, 3, 4, 5), here);
            assertTrue(mirrors.copies());
            try (Mirror mirror = mirrors.read(here)) {
                assertArrayEquals(new float[] {1, 2, 3, 4, 5}, mirror.host().toFloats());
                mirror.host().copyFrom(Tensor.of(6f, 7, 8, 9, 10));
                mirror.part(1, 3).write();
                mirror.part(3, 3).write();
                assertArrayEquals(new float[] {1, 7, 8, 4, 5}, floats(device, here));
                mirror.part(3, 5).read();
                assertArrayEquals(new float[] {6, 7, 8, 4, 5}, mirror.host().toFloats());
            }
            Tensor other = memory.tensor(DType.F32, 5);
            mirrors.copy(here, other);
            assertArrayEquals(new float[] {1, 7, 8, 4, 5}, floats(device, other));
        }
    }

    private static float[] floats(Device device, Tensor here) {
        float[] floats = new float[here.size(0)];
        Tensor host = Tensor.of(floats);
        device.download(here, host);
        return host.toFloats();
    }

    @Test
    void memoryIsUsedAgain() {
        try (Device device = Device.emulated();
                Memory memory = device.memory();
                Mirrors mirrors = new Mirrors(device)) {
            Tensor large = memory.tensor(DType.F32, 3000);
            Tensor small = memory.tensor(DType.I32, 2, 0);
            long first = address(mirrors, large);
            assertEquals(first, address(mirrors, large));
            try (Mirror one = mirrors.of(large)) {
                assertEquals(first, one.host().memory().address());
                assertNotEquals(first, address(mirrors, large));
            }
            try (Mirror nothing = mirrors.read(small)) {
                assertArrayEquals(new long[] {2, 0}, nothing.host().shape());
            }
        }
    }

    /// As a driver has it: what would be copied there is not there yet.
    @Test
    void nothingIsReadWhileWorkIsCaptured() {
        try (EmulatedGpu gpu = Device.emulated();
                Memory memory = gpu.memory();
                Mirrors mirrors = new Mirrors(gpu)) {
            Tensor here = memory.tensor(DType.F32, 3);
            mirrors.read(here).close();
            assertThrows(IllegalStateException.class, () -> gpu.stream().capture(() -> mirrors.read(here)));
        }
    }

    private static long address(Mirrors mirrors, Tensor here) {
        try (Mirror mirror = mirrors.of(here)) {
            return mirror.host().memory().address();
        }
    }
}
