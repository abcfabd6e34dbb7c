package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The way into a library, with a small one in C in the driver's place.
class NativeDriverTest {
    /// Functions of the driver's shapes that write down what they were given. Types are narrower than a
    /// word where the driver's are.
    private static final String LIBRARY = """
            typedef unsigned long long word;
            typedef struct { char reserved[64]; } handle;

            int cuInit(unsigned int flags) { return flags == 0 ? 0 : 1; }

            int cuCtxSynchronize(void) { return -7; }

            int cuGetErrorName(int error, const char **text) {
                *text = error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : 0;
                return error == 2 ? 0 : 1;
            }

            int cuGetErrorString(int error, const char **text) {
                *text = error == 2 ? "out of memory" : 0;
                return 0;
            }

            int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                    unsigned shared, void *stream, void **parameters, void **extra) {
                word *out = f;
                word given[] = {gx, gy, gz, bx, by, bz, shared, (word) stream, (word) parameters, (word) extra};
                for (int i = 0; i < 10; i++) out[i] = given[i];
                return 0;
            }

            int cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address, const word *sizes,
                    const word *strides, const unsigned *box, const unsigned *steps, int interleave, int swizzle,
                    int promotion, int fill) {
                word *out = map;
                word given[] = {type, rank, (word) address, (word) sizes, (word) strides, (word) box, (word) steps,
                    interleave, swizzle, promotion, fill};
                for (int i = 0; i < 11; i++) out[i] = given[i];
                return 0;
            }

            int cuIpcOpenMemHandle_v2(word *out, handle given, unsigned flags) {
                word sum = 0;
                for (int i = 0; i < 64; i++) sum = 31 * sum + (unsigned char) given.reserved[i];
                out[0] = sum;
                out[1] = flags;
                return 0;
            }
            """;

    @TempDir
    private Path folder;

    private CudaDriver driver = new FakeDriver();

    @BeforeEach
    void compile() throws IOException, InterruptedException {
        Compiler.assume("cc");
        Path library = Compiler.compile(folder, LIBRARY, "-shared", "-fPIC");
        driver = NativeDriver.load(library.toString()).orElseThrow();
    }

    @Test
    void functionsAreThereOrNot() {
        assertTrue(driver.has(DriverFunction.INIT));
        assertTrue(!driver.has(DriverFunction.MEM_ALLOC));
        assertEquals(
                "the driver has no cuMemAlloc_v2",
                Thrown.message(IllegalArgumentException.class, () -> driver.call(DriverFunction.MEM_ALLOC, 0, 0)));
    }

    @Test
    void statusesComeBackWhole() {
        assertEquals(0, driver.call(DriverFunction.INIT, 0));
        assertEquals(1, driver.call(DriverFunction.INIT, 5));
        assertEquals(-7, driver.call(DriverFunction.CTX_SYNCHRONIZE));
    }

    /// A null text must not be read.
    @Test
    void textsOfStatusesFallBackToTheNumber() {
        CudaCalls calls = new CudaCalls(driver);
        assertEquals("CUDA_ERROR_OUT_OF_MEMORY (2), out of memory", calls.text(2));
        assertEquals("CUDA error (12345)", calls.text(12345));
    }

    @Test
    void manyArgumentsArriveInOrder() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG, 12);
            long[] launch = LongStream.rangeClosed(1, 10).toArray();
            assertEquals(0, driver.call(DriverFunction.LAUNCH_KERNEL, with(out, launch)));
            assertArrayEquals(launch, out.asSlice(0, 80).toArray(ValueLayout.JAVA_LONG));
            long[] map = LongStream.rangeClosed(11, 21).toArray();
            map[2] = -1L;
            assertEquals(0, driver.call(DriverFunction.TENSOR_MAP_ENCODE_TILED, with(out, map)));
            assertArrayEquals(map, out.asSlice(0, 88).toArray(ValueLayout.JAVA_LONG));
        }
    }

    private static long[] with(MemorySegment first, long... rest) {
        return LongStream.concat(LongStream.of(first.address()), LongStream.of(rest))
                .toArray();
    }

    @Test
    void aStructureIsPassedByValue() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG, 2);
            MemorySegment handle = arena.allocate(64);
            long sum = 0;
            for (int i = 0; i < 64; i++) {
                handle.set(ValueLayout.JAVA_BYTE, i, (byte) (200 - 3 * i));
                sum = 31 * sum + (200 - 3 * i & 0xFF);
            }
            assertEquals(0, driver.call(DriverFunction.IPC_OPEN_MEM_HANDLE, out.address(), handle.address(), 9));
            assertArrayEquals(new long[] {sum, 9}, out.toArray(ValueLayout.JAVA_LONG));
        }
    }

    /// A library of that name without the driver's functions is no driver.
    @Test
    void aLibraryThatIsNoDriverSaysWhatItLacks() {
        String reason = new Platform(driver).find().toString();
        assertTrue(reason.contains("the CUDA driver is too old: it has no cuDriverGetVersion, "), reason);
    }
}
