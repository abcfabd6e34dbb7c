package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Chips;
import dev.wok.device.CudaException;
import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuGraph;
import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What the fake cannot vouch for: a chip, and the driver that is there.
class CudaGpuTest {
    private final Gpu gpu = Chips.open();
    private final GpuStream stream = gpu.stream();
    private final Memory memory = gpu.memory();

    @AfterEach
    void close() {
        gpu.close();
        gpu.close();
    }

    private float[] read(Tensor here) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.F32, here.shape());
        gpu.download(here, host);
        return host.toFloats();
    }

    private Tensor write(float... values) {
        Tensor here = memory.tensor(DType.F32, values.length);
        gpu.upload(Tensor.of(values), here);
        return here;
    }

    private static float[] counting(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        return values;
    }

    private void assumeHopper() {
        assumeTrue(gpu.facts().capability().atLeast(9, 0), () -> gpu.describe() + " has no clusters");
    }

    @Test
    void factsArePlausible() {
        assertTrue(gpu.facts().memoryBytes() > 1L << 30, gpu.describe());
        assertTrue(gpu.facts().multiprocessors() > 0);
        assertTrue(gpu.facts().sharedBytes() >= 48 << 10);
        assertTrue(gpu.facts().clockKhz() > 100_000);
        assertTrue(gpu.facts().l2Bytes() > 1 << 16);
        assertTrue(gpu.target().matches("sm_\\d+a?"));
    }

    @Test
    void memoryIsZerosAndKeepsWhatItGets() {
        int count = 3_000_001;
        for (Memory kind : new Memory[] {memory, gpu.pooled(stream), gpu.pinned()}) {
            Tensor x = kind.tensor(DType.F32, count);
            assertArrayEquals(new float[count], read(x));
            gpu.upload(Tensor.of(counting(count)), x);
            assertArrayEquals(counting(count), read(x));
            stream.fill(x.slice(0, 10, 20), (byte) 0);
            assertEquals(0, read(x)[15]);
            assertEquals(20, read(x)[20]);
        }
        Tensor narrow = memory.tensor(DType.BF16, 4, 6).slice(1, 1, 4);
        Tensor host = Tensor.of(counting(12)).reshape(4, 3);
        gpu.upload(host, narrow);
        assertArrayEquals(counting(12), read(narrow));
    }

    @Test
    void pinnedMemoryIsCopiedInTheOrderOfTheStream() {
        Tensor host = gpu.pinned().tensor(DType.F32, 1000);
        Tensor back = gpu.pinned().tensor(DType.F32, 1000);
        Tensor here = memory.tensor(DType.F32, 1000);
        host.copyFrom(Tensor.of(counting(1000)));
        stream.copy(host, here);
        stream.copy(here, back);
        stream.synchronize();
        assertArrayEquals(counting(1000), back.toFloats());
    }

    @Test
    void aKernelComputes() {
        int count = 1000;
        PtxProgram program = gpu.load(Ptx.SAXPY);
        PtxFunction saxpy = program.function("saxpy");
        Tensor x = write(counting(count));
        Tensor y = write(counting(count));
        Tensor pinned = gpu.pinned().tensor(DType.F32, count);
        stream.launch(saxpy, Launch.of(8, 128), x, y, 2f, count);
        stream.launch(saxpy, Launch.of(8, 128).withShared(1024), y, pinned, 1f, count);
        float[] expected = counting(count);
        for (int i = 0; i < count; i++) {
            expected[i] *= 3;
        }
        assertArrayEquals(expected, read(y));
        assertArrayEquals(expected, pinned.toFloats());
        assertEquals(64, program.variable("table").bytes());
        Tensor table =
                Tensor.of(MemorySegment.ofAddress(program.variable("table").address()), DType.F32, 16);
        stream.fill(table, (byte) 0);
        stream.launch(saxpy, Launch.of(1, 128), x, table, 1f, 16);
        assertArrayEquals(counting(16), read(table));
    }

    @Test
    void badPtxIsShownWithItsLine() {
        PtxRejected rejected = assertThrows(PtxRejected.class, () -> gpu.load(Ptx.BAD));
        String message = String.valueOf(rejected.getMessage());
        assertTrue(message.contains("line 6") && message.contains("    6 | bad.f32 %x, %y;"), message);
        PtxRejected newer =
                assertThrows(PtxRejected.class, () -> gpu.load(Ptx.SAXPY.replace(".version 7.0", ".version 99.0")));
        assertTrue(String.valueOf(newer.getMessage()).length() > 40, newer.getMessage());
    }

    @Test
    void eventsOrderStreamsAndMeasureTime() {
        PtxFunction saxpy = gpu.load(Ptx.SAXPY).function("saxpy");
        int count = 1 << 20;
        Tensor x = memory.tensor(DType.F32, count);
        Tensor y = memory.tensor(DType.F32, count);
        stream.fill(x, (byte) 0x3F);
        GpuStream other = gpu.newStream();
        GpuEvent start = stream.record();
        for (int i = 0; i < 20; i++) {
            stream.launch(saxpy, Launch.of(count / 128, 128), x, y, 1f, count);
        }
        GpuEvent half = stream.record();
        other.waitFor(half);
        other.copy(y, x);
        GpuEvent end = other.record();
        end.synchronize();
        assertTrue(end.isDone() && half.isDone());
        long nanos = half.nanosSince(start);
        assertTrue(nanos > 1000 && nanos < 10_000_000_000L, nanos + " ns");
        assertTrue(end.nanosSince(start) >= nanos);
        assertArrayEquals(read(y), read(x));
        other.close();
    }

    @Test
    void aGraphDoesItsWorkEachTime() {
        PtxFunction saxpy = gpu.load(Ptx.SAXPY).function("saxpy");
        Tensor x = write(counting(100));
        Tensor y = memory.tensor(DType.F32, 100);
        GpuStream other = gpu.newStream();
        GpuGraph graph = stream.capture(() -> {
            stream.launch(saxpy, Launch.of(1, 128), x, y, 1f, 100);
            other.waitFor(stream.record());
            other.launch(saxpy, Launch.of(1, 128), x, y, 2f, 100);
            stream.waitFor(other.record());
        });
        assertArrayEquals(new float[100], read(y));
        graph.launch();
        graph.launch();
        assertEquals(6 * 99, read(y)[99]);
        graph.close();
        assertThrows(CudaException.class, () -> stream.capture(stream::synchronize));
        stream.launch(saxpy, Launch.of(1, 128), x, y, 1f, 100);
        assertEquals(7 * 99, read(y)[99]);
    }

    @Test
    void aTensorMapCopiesABox() {
        assumeHopper();
        PtxFunction box = gpu.load(Ptx.boxes(gpu.target())).function("box");
        Tensor matrix = memory.tensor(DType.F32, 40, 64);
        gpu.upload(Tensor.of(counting(2560)).reshape(40, 64), matrix);
        Tensor out = memory.tensor(DType.F32, 16, 16);
        stream.launch(box, Launch.of(1, 256), TensorMap.of(matrix, 16, 16), out, 8, 30);
        float[] expected = new float[256];
        for (int i = 0; i < 256; i++) {
            int row = 30 + i / 16;
            expected[i] = row < 40 ? row * 64 + 8 + i % 16 : 0;
        }
        assertArrayEquals(expected, read(out));
        for (TensorMap.Swizzle swizzle : TensorMap.Swizzle.values()) {
            int columns = switch (swizzle) {
                case B32 -> 8;
                case NONE, B64 -> 16;
                case B128 -> 32;
            };
            TensorMap swizzled = TensorMap.of(matrix, 256 / columns, columns)
                    .withSwizzle(swizzle)
                    .withPromotion(TensorMap.Promotion.B128);
            stream.launch(box, Launch.of(1, 256), swizzled, out, 8, 0);
            float[] values = read(out);
            float[] all = new float[256];
            for (int i = 0; i < 256; i++) {
                all[i] = i / columns * 64 + 8 + i % columns;
            }
            assertEquals(swizzle == TensorMap.Swizzle.NONE, Arrays.equals(all, values), swizzle.toString());
            Arrays.sort(values);
            assertArrayEquals(all, values, swizzle.toString());
        }
    }

    @Test
    void clustersRunTogether() {
        assumeHopper();
        PtxFunction ranks = gpu.load(Ptx.boxes(gpu.target())).function("ranks");
        for (int cluster : new int[] {1, 2, 4, 8}) {
            for (boolean programmatic : new boolean[] {false, true}) {
                Tensor out = memory.tensor(DType.I32, 16);
                Launch launch = Launch.of(16, 1).withCluster(cluster, 1, 1).withProgrammatic(programmatic);
                stream.launch(ranks, launch, out);
                stream.launch(ranks, launch, out);
                Tensor host = Tensor.allocate(Arena.ofAuto(), DType.I32, 16);
                gpu.download(out, host);
                for (int i = 0; i < 16; i++) {
                    assertEquals(i % cluster, host.getInt(i), launch.toString());
                }
            }
        }
    }

    @Test
    void sharedMemoryGrowsByItself() {
        assumeHopper();
        PtxFunction large = gpu.load(Ptx.boxes(gpu.target())).function("large");
        Tensor out = memory.tensor(DType.I32, 1);
        int bytes = gpu.facts().sharedBytes();
        stream.launch(large, Launch.of(1, 1).withShared(bytes), out, bytes - 4);
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.I32, 1);
        gpu.download(out, host);
        assertEquals(4711, host.getInt(0));
    }

    @Test
    void whatIsLeftOpenIsClosed() {
        gpu.pinned().tensor(DType.F32, 8);
        GpuStream other = gpu.newStream();
        gpu.pooled(other).tensor(DType.F32, 8);
        other.record();
        other.capture(() -> {});
        gpu.load(Ptx.SAXPY).function("nothing");
        assertEquals(64, gpu.export(memory.tensor(DType.F32, 1 << 20)).length);
    }

    @Test
    void memoryRunsOut() {
        CudaException refused = assertThrows(
                CudaException.class,
                () -> memory.tensor(DType.U8, 2 * gpu.facts().memoryBytes()));
        assertEquals(2, refused.code());
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.startsWith("CUDA_ERROR_OUT_OF_MEMORY (2), out of memory: cuMemAlloc_v2("), message);
        assertArrayEquals(new float[3], read(memory.tensor(DType.F32, 3)));
    }
}
