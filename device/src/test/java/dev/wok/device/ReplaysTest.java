package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReplaysTest {
    private static final String ADD_ONE = """
            .version 8.0
            .target sm_80
            .address_size 64
            .visible .entry add_one(.param .u64 x) {
                .reg .u64 %x;
                .reg .u32 %v;
                ld.param.u64 %x, [x];
                ld.global.u32 %v, [%x];
                add.u32 %v, %v, 1;
                st.global.u32 [%x], %v;
                ret;
            }
            """;

    private int calls;

    /// Work is done twice as it is and as it is kept; then the graph alone runs, on whatever lies in memory.
    @Test
    void aGpuKeepsWhatComesAgain() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxFunction function = gpu.load(ADD_ONE).function("add_one");
            Tensor number = gpu.memory().tensor(DType.I32, 1);
            Tensor host = Tensor.of(0);
            Replays replays = Replays.on(gpu.stream());
            assertTrue(replays.keeps());
            for (int i = 1; i <= 5; i++) {
                Tensor result = replays.run("key", () -> {
                    calls++;
                    gpu.stream().launch(function, Launch.of(1, 1), number);
                    return number;
                });
                assertSame(number, result);
                gpu.download(number, host);
                assertEquals(i, host.getInt(0));
            }
            assertEquals(2, calls);
            gpu.upload(Tensor.of(40), number);
            replays.run("key", () -> number);
            gpu.download(number, host);
            assertEquals(41, host.getInt(0));
            replays.forget();
            assertEquals("anew", replays.run("key", () -> "anew"));
        }
    }

    @Test
    void manyKeysAreNotKeptForever() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Replays replays = Replays.on(gpu.stream());
            for (int round = 0; round < 3; round++) {
                for (int key = 0; key < 1000; key++) {
                    int expected = key;
                    assertEquals(expected, replays.run(key, () -> expected));
                }
            }
        }
    }

    /// As a driver has it: what is kept must not wait for results, nor take memory.
    @Test
    void whatWaitsCannotBeKept() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Replays replays = Replays.on(gpu.stream());
            Tensor number = gpu.memory().tensor(DType.I32, 1);
            for (Runnable work : List.<Runnable>of(
                    () -> gpu.upload(Tensor.of(1), number),
                    () -> gpu.download(number, Tensor.of(1)),
                    () -> gpu.memory().tensor(DType.I32, 1))) {
                replays.run(work, () -> {
                    work.run();
                    return 0;
                });
                assertThrows(
                        IllegalStateException.class,
                        () -> replays.run(work, () -> {
                            work.run();
                            return 0;
                        }));
            }
        }
    }

    @Test
    void aHostDoesTheWorkEachTime() {
        try (HostDevice host = Device.host(1)) {
            Replays replays = Replays.on(host.stream());
            assertFalse(replays.keeps());
            for (int i = 1; i <= 3; i++) {
                assertEquals(i, replays.run("key", () -> ++calls));
            }
        }
    }
}
