package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.CudaException;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.device.TensorMap;
import dev.wok.device.cuda.FakeDriver.Chip;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LaunchArgumentsTest {
    private static final String TYPES = """
            .visible .entry types(
                .param .u64 .ptr .global .align 16 a, // a pointer, (this is no parameter)
                .param .s64 b, .param .f32 c,
                .param .f64 d, .param .b16 e, .param .b32 f, .param .align 64 .b8 map[128], .param .u8 g
            ) .maxntid 128 { ret; }
            """;

    private final FakeDriver driver = new FakeDriver(Chip.hopper(), Chip.hopper());
    private final Platform platform = new Platform(driver);
    private final CudaGpu gpu = Opened.of(platform, 0);
    private final CudaStream stream = gpu.stream();
    private final PtxFunction saxpy = gpu.load(Ptx.SAXPY).function("saxpy");
    private final Tensor x = gpu.memory().tensor(DType.F32, 4, 16);

    @AfterEach
    void close() {
        gpu.close();
        assertEquals(List.of(), driver.alive());
    }

    private static long number(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        return switch (bytes.length) {
            case 1 -> buffer.get();
            case 2 -> buffer.getShort();
            case 4 -> buffer.getInt();
            default -> buffer.getLong();
        };
    }

    @Test
    void argumentsArriveByTheirBits() {
        PtxFunction types = gpu.load(TYPES).function("types");
        TensorMap map = TensorMap.of(x, 4, 16);
        stream.launch(types, Launch.of(7, 128), x.slice(0, 1, 3), -5L, 1.5f, -2.5, (short) -3, 0.5f, map, (byte) -7);
        FakeLaunch launched = driver.launched.getFirst();
        assertEquals(List.of(7, 1, 1, 128, 1, 1, 0), launched.numbers());
        List<byte[]> arguments = launched.arguments();
        assertEquals(x.memory().address() + 64, number(arguments.get(0)));
        assertEquals(-5, number(arguments.get(1)));
        assertEquals(Float.floatToIntBits(1.5f), number(arguments.get(2)));
        assertEquals(Double.doubleToLongBits(-2.5), number(arguments.get(3)));
        assertEquals(-3, number(arguments.get(4)));
        assertEquals(Float.floatToIntBits(0.5f), number(arguments.get(5)));
        byte[] encoded = new byte[128];
        Arrays.fill(encoded, (byte) 0x5A);
        ByteBuffer.wrap(encoded)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(x.memory().address());
        assertArrayEquals(encoded, arguments.get(6));
        assertEquals(-7, number(arguments.get(7)));
        MemorySegment raw = MemorySegment.ofAddress(4096);
        stream.launch(types, Launch.of(1, 1), raw, 4711L, 0f, 0.0, (short) 0, 12, map, (byte) 0);
        assertEquals(4096, number(driver.launched.getLast().arguments().get(0)));
        assertEquals(12, number(driver.launched.getLast().arguments().get(5)));
    }

    @Test
    void attributesGoWithTheLaunch() {
        Launch launch = Launch.of(4, 32).withGrid(4, 2, 2).withBlock(32, 2, 1).withShared(60_000);
        stream.launch(saxpy, launch.withCluster(2, 1, 2).withProgrammatic(true), x, x, 1f, 64);
        stream.launch(saxpy, launch.withProgrammatic(true), x, x, 1f, 64);
        stream.launch(saxpy, launch.withCluster(4, 2, 2), x, x, 1f, 64);
        stream.launch(saxpy, launch, x, x, 1f, 64);
        List<Integer> numbers = List.of(4, 2, 2, 32, 2, 1, 60_000);
        driver.launched.forEach(launched -> assertEquals(numbers, launched.numbers()));
        assertEquals(
                List.of(
                        Map.of(4, List.of(2, 1, 2), 6, List.of(1, 0, 0)),
                        Map.of(6, List.of(1, 0, 0)),
                        Map.of(4, List.of(4, 2, 2)),
                        Map.of()),
                driver.launched.stream().map(FakeLaunch::attributes).toList());
        assertEquals(
                List.of(List.of(8L, 60_000L), List.of(14L, 1L)),
                driver.calls.stream()
                        .filter(call -> call.function() == DriverFunction.FUNC_SET_ATTRIBUTE)
                        .map(call -> call.words().subList(1, 3))
                        .toList());
    }

    private String refusal(Object... arguments) {
        return Thrown.message(IllegalArgumentException.class, () -> stream.launch(saxpy, Launch.of(1, 64), arguments));
    }

    @Test
    void whatDoesNotFitIsNamed() {
        assertEquals(
                "saxpy: 3 arguments, expected 4: [.param .u64 x, .param .u64 y, .param .f32 a, .param .u32 n]",
                refusal(x, x, 1f));
        assertEquals("saxpy: argument 2 (a) is Integer 2, expected a value for .param .f32 a", refusal(x, x, 2, 64));
        assertEquals("saxpy: argument 3 (n) is Long 64, expected a value for .param .u32 n", refusal(x, x, 2f, 64L));
        assertEquals("saxpy: argument 1 (y) is String y, expected a value for .param .u64 y", refusal(x, "y", 2f, 64));
        assertEquals(
                "saxpy: argument 0 (x): F32[1] lies in a Java array: upload it, or take it from pinned()",
                refusal(Tensor.of(MemorySegment.ofArray(new float[1]), DType.F32, 1), x, 2f, 64));
        Tensor host = Tensor.of(1f, 2f);
        assertEquals(
                "saxpy: argument 0 (x): F32[2] at 0x%x, 8 bytes, lies in no open memory of a GPU and not in pinned"
                                .formatted(host.memory().address())
                        + " memory: upload it, or take it from memory() or pinned()",
                refusal(host, x, 2f, 64));
        assertEquals(List.of(), driver.launched);
    }

    @Test
    void memoryThatWasClosedIsRefusedAlsoThroughViews() {
        var memory = gpu.memory();
        Tensor gone = memory.tensor(DType.F32, 8);
        Tensor view = gone.slice(0, 2, 4);
        memory.close();
        for (Tensor tensor : List.of(gone, view)) {
            assertEquals(
                    "saxpy: argument 1 (y): %s at 0x%x, %d bytes, lies in no open memory of a GPU and not in pinned"
                                    .formatted(tensor, tensor.memory().address(), tensor.bytes())
                            + " memory: upload it, or take it from memory() or pinned()",
                    refusal(x, tensor, 2f, 64));
        }
        Tensor tooLong = Tensor.of(x.memory(), DType.F32, 65);
        assertEquals(true, refusal(x, tooLong, 2f, 64).startsWith("saxpy: argument 1 (y): F32[65] at 0x"));
        stream.launch(saxpy, Launch.of(1, 64), Tensor.of(MemorySegment.NULL, DType.F32, 0), x, 2f, 64);
    }

    @Test
    void anotherGpusMemoryTakesAReach() {
        try (CudaGpu peer = Opened.of(platform, 1)) {
            Tensor there = peer.memory().tensor(DType.F32, 64);
            assertEquals(
                    "saxpy: argument 0 (x): F32[64] lies in memory of GPU 1, which this one does not reach: call"
                            + " reach() first",
                    refusal(there, x, 2f, 64));
            assertEquals(true, gpu.canReach(peer));
            gpu.reach(peer);
            gpu.reach(peer);
            stream.launch(saxpy, Launch.of(1, 64), there, x, 2f, 64);
            assertEquals(
                    "saxpy is a function of another GPU, expected one that Fake H100, sm_90a, 80 GiB, 132"
                            + " multiprocessors, driver of CUDA 12.4 loaded",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> peer.stream().launch(saxpy, Launch.of(1, 64), there, there, 2f, 64)));
        }
        try (CudaGpu stranger = Opened.of(new FakeDriver(Chip.hopper()))) {
            assertEquals(
                    true,
                    Thrown.message(IllegalArgumentException.class, () -> gpu.reach(stranger))
                            .contains("is not behind the same driver as"));
        }
    }

    @Test
    void aLaunchThatTheGpuCannotDoIsRefusedBeforehand() {
        assertEquals(
                "saxpy: 300000 bytes of shared memory, expected at most 232448 on Fake H100",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> stream.launch(saxpy, Launch.of(1, 1).withShared(300_000), x, x, 1f, 1)));
        try (CudaGpu old = Opened.of(new FakeDriver(new Chip("Fake A100", 8, 0, 1 << 30)))) {
            PtxFunction nothing = old.load(Ptx.SAXPY).function("nothing");
            assertEquals(
                    "nothing: clusters of 2 blocks, expected none on Fake A100, which is sm_80",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> old.stream().launch(nothing, Launch.of(2, 1).withCluster(2, 1, 1))));
        }
    }

    @Test
    void aFailedLaunchNamesTheKernel() {
        driver.failingFunction = DriverFunction.LAUNCH_KERNEL;
        driver.failure = 1;
        assertEquals(
                "CUDA_ERROR_INVALID_VALUE (1), invalid argument: cuLaunchKernel(saxpy: grid 3x1x1, block 64x1x1, 9 bytes"
                        + " shared)",
                Thrown.message(
                        CudaException.class,
                        () -> stream.launch(saxpy, Launch.of(3, 64).withShared(9), x, x, 1f, 1)));
        driver.failingFunction = null;
    }

    @Test
    void whatAnOlderDriverLacksIsMissedOnlyWhenUsed() {
        driver.missing.add(DriverFunction.LAUNCH_KERNEL_EX);
        driver.missing.add(DriverFunction.TENSOR_MAP_ENCODE_TILED);
        stream.launch(saxpy, Launch.of(1, 64), x, x, 1f, 64);
        assertEquals(
                "cuLaunchKernelEx: expected the driver of CUDA 11.8 or newer: install a newer one",
                Thrown.message(
                        UnsupportedOperationException.class,
                        () -> stream.launch(saxpy, Launch.of(1, 64).withProgrammatic(true), x, x, 1f, 64)));
        PtxFunction box = gpu.load(Ptx.boxes("sm_90a")).function("box");
        assertEquals(
                "cuTensorMapEncodeTiled: expected the driver of CUDA 12.0 or newer: install a newer one",
                Thrown.message(
                        UnsupportedOperationException.class,
                        () -> stream.launch(box, Launch.of(1, 64), TensorMap.of(x, 4, 16), x, 0, 0)));
    }
}
