package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.CudaException;
import dev.wok.device.Gpu;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.device.cuda.FakeDriver.Chip;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CudaMemoryTest {
    private final FakeDriver driver = new FakeDriver(Chip.hopper());
    private final CudaGpu gpu = Opened.of(driver);

    @AfterEach
    void close() {
        gpu.close();
        assertEquals(List.of(), driver.alive());
        driver.close();
    }

    /// The fake's memory is the host's: what a GPU would see.
    private static float[] seen(Tensor here) {
        MemorySegment memory = MemorySegment.ofAddress(here.memory().address()).reinterpret(here.bytes());
        return Tensor.of(memory, here.dtype(), here.shape()).toFloats();
    }

    @Test
    void everyMemoryIsZerosAndCounted() {
        for (Memory memory :
                List.of(gpu.memory(), gpu.pinned(), gpu.pooled(gpu.stream()), gpu.pooled(gpu.newStream()))) {
            Tensor x = memory.tensor(DType.F32, 3, 5);
            memory.tensor(DType.I8, 7);
            assertEquals(67, memory.bytes());
            assertArrayEquals(new float[15], seen(x));
            Tensor none = memory.tensor(DType.F32, 0, 5);
            assertEquals(0, none.memory().address());
            assertEquals(67, memory.bytes());
            memory.close();
            memory.close();
        }
        assertEquals(0, driver.count("memory") + driver.count("pinned") + driver.count("pooled"));
    }

    @Test
    void theHostSeesPinnedMemoryAndNoOther() {
        Tensor pinned = gpu.pinned().tensor(DType.F32, 2);
        pinned.set(1, 5);
        assertArrayEquals(new float[] {0, 5}, pinned.toFloats());
        Tensor far = gpu.memory().tensor(DType.F32, 2);
        assertThrows(IndexOutOfBoundsException.class, () -> far.get(0));
        gpu.stream().copy(pinned, far);
        assertArrayEquals(new float[] {0, 5}, seen(far));
        gpu.stream().fill(far.slice(0, 1, 2), (byte) -1);
        assertTrue(Float.isNaN(seen(far)[1]));
        gpu.stream().copy(far.slice(0, 0, 1), pinned.slice(0, 1, 2));
        assertArrayEquals(new float[] {0, 0}, pinned.toFloats());
    }

    @Test
    void copiesOfTheWrongThingAreRefused() {
        Tensor far = gpu.memory().tensor(DType.F32, 2, 3);
        assertEquals(
                "GpuStream.copy: to is [3, 2], expected [2, 3]",
                Thrown.message(
                        IllegalArgumentException.class, () -> gpu.stream().copy(far, far.swap(0, 1))));
        assertEquals(
                "GpuStream: from, F32[2, 2], has gaps between its rows",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> gpu.stream().copy(far.slice(1, 0, 2), far.slice(1, 0, 2))));
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.F32, 2, 3);
        assertTrue(Thrown.message(
                        IllegalArgumentException.class, () -> gpu.stream().copy(host, far))
                .startsWith("GpuStream: from: F32[2, 3] at 0x"));
        assertEquals(
                "Gpu.download: host, F32[2, 3], has no memory of the host",
                Thrown.message(IllegalArgumentException.class, () -> gpu.download(far, far)));
        assertEquals(
                "Gpu.upload: host is [2], expected [2, 3]",
                Thrown.message(IllegalArgumentException.class, () -> gpu.upload(Tensor.of(1f, 2f), far)));
    }

    @Test
    void workspacesAreBlocksOfTheGpusMemory() {
        Workspace workspace = Workspace.of(gpu.memory(), 1024);
        Tensor first = workspace.tensor(DType.F32, 10);
        Tensor second = workspace.tensor(DType.F32, 10);
        assertEquals(64, second.memory().address() - first.memory().address());
        gpu.upload(Tensor.of(1f, 2f), second.slice(0, 4, 6));
        assertArrayEquals(new float[] {0, 0, 0, 0, 1, 2, 0, 0, 0, 0}, seen(second));
    }

    /// Any shape, any strides, larger than the staging memory or not: what comes back is what went
    /// there, rounded as the type has it.
    @Test
    void uploadsAndDownloadsConvert() {
        Property.of("Staging")
                .size("rows", 1, 2100)
                .size("columns", 1, 1100)
                .cases(12)
                .check(c -> {
                    long rows = c.size("rows");
                    long columns = c.size("columns");
                    DType type = c.rng("type").below(0, 2) == 0 ? DType.BF16 : DType.F32;
                    boolean narrow = c.rng("narrow").below(0, 3) == 0;
                    try (Memory memory = gpu.memory();
                            Arena arena = Arena.ofConfined()) {
                        Tensor all = memory.tensor(type, rows, columns + 3);
                        Tensor here = narrow ? all.slice(1, 2, 2 + columns) : memory.tensor(type, rows, columns);
                        Tensor host = Tensor.allocate(arena, DType.F32, rows, columns);
                        for (long i = 0; i < host.elements(); i++) {
                            host.set(i, i % 251 - 100);
                        }
                        Tensor back =
                                Tensor.allocate(arena, DType.F32, columns, rows).swap(0, 1);
                        gpu.upload(host, here);
                        gpu.download(here, back);
                        assertArrayEquals(host.toFloats(), back.toFloats());
                        gpu.download(here.select(1, 0), host.select(1, 0));
                    }
                });
    }

    /// A failure in the middle leaves nothing for the next copy to stumble over.
    @Test
    void aFailedCopyIsForgotten() {
        Tensor here = gpu.memory().tensor(DType.F32, 3 << 20);
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.F32, 3 << 20);
        gpu.download(here, host);
        int before = driver.calls.size();
        gpu.download(here, host);
        int one = driver.calls.size() - before;
        for (int i = 0; i < one; i++) {
            driver.failingCall = driver.calls.size() + i;
            host.set(5, 42);
            assertThrows(CudaException.class, () -> gpu.download(here, host));
            gpu.download(here, host);
            assertEquals(0, host.get(5));
        }
    }

    @Test
    void onlyWholeTensorsAreExported() {
        Memory memory = gpu.memory();
        Tensor x = memory.tensor(DType.F32, 8);
        byte[] handle = gpu.export(x);
        assertEquals(64, handle.length);
        String message = "Gpu.export: F32[4] does not begin where a tensor of memory() of this GPU begins";
        assertEquals(message, Thrown.message(IllegalArgumentException.class, () -> gpu.export(x.slice(0, 4, 8))));
        assertEquals(
                message,
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> gpu.export(gpu.pinned().tensor(DType.F32, 4))));
        assertEquals(
                "Gpu.open: the handle has 63 bytes, expected the 64 that export() gave",
                Thrown.message(IllegalArgumentException.class, () -> gpu.open(new byte[63], DType.F32, 8)));
        try (Gpu.Import open = gpu.open(handle, DType.F32, 2, 4)) {
            gpu.stream().fill(open.tensor(), (byte) 1);
        }
        assertEquals(0, driver.count("import"));
    }

    @Test
    void aStreamTakesItsPoolMemoryAndGraphsAlong() {
        var stream = gpu.newStream();
        gpu.pooled(stream).tensor(DType.F32, 9);
        stream.capture(() -> {});
        assertEquals(1, driver.count("pooled"));
        stream.close();
        assertEquals(0, driver.count("pooled") + driver.count("executable graph"));
        gpu.stream().close();
        gpu.stream().synchronize();
    }

    @Test
    void timeIsMeasuredBetweenEvents() {
        var start = gpu.stream().record();
        var middle = gpu.newStream().record();
        var end = gpu.stream().record();
        assertEquals(500_000, end.nanosSince(start));
        assertEquals(250_000, end.nanosSince(middle));
        assertTrue(end.isDone());
        driver.failingFunction = DriverFunction.EVENT_QUERY;
        driver.failure = 600;
        assertTrue(!end.isDone());
    }

    @Test
    void aFailedCaptureLeavesNoGraph() {
        assertEquals(
                "on purpose",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> gpu.stream().capture(() -> {
                            throw new IllegalArgumentException("on purpose");
                        })));
        assertEquals(0, driver.count("graph") + driver.count("executable graph"));
    }
}
