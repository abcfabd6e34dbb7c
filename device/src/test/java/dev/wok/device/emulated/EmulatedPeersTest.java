package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuGraph;
import dev.wok.device.GpuStream;
import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Emulated GPUs that see each other's memory.
class EmulatedPeersTest {
    private static float[] floats(Gpu gpu, Tensor here) {
        Tensor host = Tensor.of(new float[here.size(0)]);
        gpu.download(here, host);
        return host.toFloats();
    }

    private static Tensor numbers(Gpu gpu, Memory memory, float... values) {
        Tensor here = memory.tensor(DType.F32, values.length);
        gpu.upload(Tensor.of(values), here);
        return here;
    }

    @Test
    void copiesReachAnother() {
        try (EmulatedGpu one = Device.emulated();
                EmulatedGpu other = Device.emulated()) {
            Tensor mine = numbers(one, one.memory(), 1, 2, 3);
            Tensor theirs = numbers(other, other.memory(), 4, 5, 6);
            assertNotEquals(mine.memory().address(), theirs.memory().address());
            assertTrue(one.canReach(other));
            assertEquals(
                    "F32[3] does not lie in memory of this GPU",
                    Thrown.message(
                            IllegalArgumentException.class, () -> one.stream().copy(theirs, mine)));
            one.reach(other);
            one.reach(other);
            one.stream().copy(theirs.slice(0, 0, 2), mine.slice(0, 1, 3));
            assertArrayEquals(new float[] {1, 4, 5}, floats(one, mine));
            one.stream().copy(mine, theirs);
            assertArrayEquals(new float[] {1, 4, 5}, floats(other, theirs));
            assertThrows(IllegalArgumentException.class, () -> other.stream().copy(mine, theirs));
        }
    }

    /// Both ends in one process, which sees the file twice.
    @Test
    void memoryIsOpenedElsewhere() {
        Path file;
        try (EmulatedGpu one = Device.emulated();
                EmulatedGpu other = Device.emulated()) {
            Tensor mine = numbers(one, one.memory(), 1, 2, 3);
            byte[] handle = one.export(mine);
            assertArrayEquals(handle, one.export(mine));
            assertArrayEquals(new float[] {1, 2, 3}, floats(one, mine));
            file = Path.of(System.getProperty("java.io.tmpdir"))
                    .resolve(new String(handle, StandardCharsets.US_ASCII).replace("\0", ""));
            assertTrue(Files.exists(file));
            Gpu.Import opened = other.open(handle, DType.F32, 2);
            Tensor here = numbers(other, other.memory(), 0, 0);
            other.stream().copy(opened.tensor(), here);
            assertArrayEquals(new float[] {1, 2}, floats(other, here));
            one.upload(Tensor.of(7f, 8, 9), mine);
            assertArrayEquals(new float[] {7, 8}, floats(other, opened.tensor()));
            opened.close();
            opened.close();
            assertThrows(IllegalArgumentException.class, () -> floats(other, opened.tensor()));
        }
        assertFalse(Files.exists(file));
    }

    /// What nobody waits for is not there.
    @Test
    void workMayBeLate() {
        try (EmulatedGpu gpu = Device.emulated()) {
            gpu.delay();
            Memory memory = gpu.memory();
            Memory pinned = gpu.pinned();
            Tensor host = pinned.tensor(DType.F32, 2);
            Tensor here = numbers(gpu, memory, 1, 2);
            GpuStream other = gpu.newStream();
            Tensor there = memory.tensor(DType.F32, 2);
            other.copy(here, there);
            other.copy(there, host);
            other.synchronize();
            assertArrayEquals(new float[] {0, 0}, host.toFloats());
            GpuEvent uploaded = gpu.stream().record();
            other.waitFor(uploaded);
            other.copy(here, host);
            GpuEvent copied = other.record();
            assertFalse(copied.isDone());
            assertFalse(uploaded.isDone());
            assertArrayEquals(new float[] {0, 0}, host.toFloats());
            assertTrue(copied.isDone());
            assertTrue(uploaded.isDone());
            assertArrayEquals(new float[] {1, 2}, host.toFloats());
            GpuGraph graph = gpu.stream().capture(() -> gpu.stream().fill(here, (byte) 0));
            graph.launch();
            gpu.stream().copy(here, host);
            assertArrayEquals(new float[] {1, 2}, host.toFloats());
            assertArrayEquals(new float[] {0, 0}, floats(gpu, here));
            assertArrayEquals(new float[] {0, 0}, host.toFloats());
        }
    }

    @Test
    void handlesAreDistrusted() {
        try (EmulatedGpu one = Device.emulated();
                EmulatedGpu other = Device.emulated()) {
            byte[] handle = one.export(numbers(one, one.memory(), 1, 2, 3));
            assertEquals(
                    "a handle of 12 bytes of an emulated GPU, expected 16 at least",
                    Thrown.message(IllegalArgumentException.class, () -> other.open(handle, DType.F32, 4)));
            for (String name : new String[] {"", "wok-gpu-1.memory", "../wok-gpu-1.mem", "wok-gpu-1/../2.mem"}) {
                byte[] wrong = Arrays.copyOf(name.getBytes(StandardCharsets.US_ASCII), handle.length);
                assertEquals(
                        "64 bytes are no handle of an emulated GPU's memory, expected the 64 of one",
                        Thrown.message(IllegalArgumentException.class, () -> other.open(wrong, DType.F32, 1)),
                        name);
            }
            one.close();
            assertEquals(
                    "no emulated GPU of this machine has this memory any longer",
                    Thrown.message(IllegalArgumentException.class, () -> other.open(handle, DType.F32, 1)));
        }
    }
}
