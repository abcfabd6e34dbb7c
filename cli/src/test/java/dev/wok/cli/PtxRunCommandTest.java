package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpus;
import dev.wok.testkit.RecordingProgress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PtxRunCommandTest {
    @TempDir
    Path folder;

    @Test
    void whatAKernelWroteIsPrinted() {
        Captured run = PtxSamples.run("run", "saxpy");
        assertEquals(0, run.code(), run.err());
        assertEquals("""
                saxpy
                  launched with grid 4, block 256; n = 1000, a = 2.0, x = f32[1000]=iota, y = f32[1000]=1.0
                  y: f32[1000], 999 of 1,000 elements changed
                    0: 1.0 3.0 5.0 7.0 9.0 11.0 13.0 15.0
                    8: 17.0 19.0 21.0 23.0 25.0 27.0 29.0 31.0
                    and 984 more (--all)
                  576 warp instructions, no bank conflicts
                """, run.out());
        assertEquals("", run.err());
    }

    @Test
    void allOfItOnRequest() {
        Captured run = PtxSamples.run("run", "saxpy", "--all");
        assertTrue(
                run.out().contains("\n    992: 1985.0 1987.0 1989.0 1991.0 1993.0 1995.0 1997.0 1999.0\n  576"),
                run.out());
        JsonNode buffers = JsonMapper.shared()
                .readTree(PtxSamples.run("run", "saxpy", "--all", "--json").out())
                .get("buffers");
        assertEquals(1, buffers.size());
        assertEquals(1000, buffers.get(0).get("values").size());
        assertEquals(1999, buffers.get(0).get("values").get(999).asDouble());
    }

    @Test
    void whatItDoesNotChangeIsLeftOut() {
        Captured run = PtxSamples.run("run", "saxpy", "--arg", "a=0");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().contains("\n  no buffer was changed\n"), run.out());
        assertTrue(
                PtxSamples.run("run", "saxpy", "--arg", "a=0", "--json").out().endsWith("\"buffers\":[]}\n"));
    }

    @Test
    void aFaultEndsItAsACheckDoes() {
        Captured run = PtxSamples.run("run", "misaligned", "--save", "x=" + folder.resolve("x.bin"));
        assertEquals(1, run.code());
        assertEquals(PtxSamples.run("check", "misaligned").out(), run.out());
        assertFalse(Files.exists(folder.resolve("x.bin")));
    }

    @Test
    void bytesGoIntoAFileAndComeBack() throws IOException {
        Path saved = folder.resolve("y.bin");
        Captured first = PtxSamples.run("run", "saxpy", "--save", "y=" + saved);
        assertEquals(0, first.code(), first.err());
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(saved)).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(4000, bytes.remaining());
        assertEquals(1999f, bytes.getFloat(4 * 999));
        Captured second = PtxSamples.run(
                "run", "saxpy", "--arg", "a=0.5", "--arg", "y=f32[1000]=@" + saved, "--save", "y=" + saved);
        assertEquals(0, second.code(), second.err());
        bytes = ByteBuffer.wrap(Files.readAllBytes(saved)).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(1999f + 0.5f * 999, bytes.getFloat(4 * 999));
        try (var files = Files.list(folder)) {
            assertArrayEquals(new Object[] {saved}, files.toArray());
        }
    }

    @Test
    void whatCannotBeSavedIsRefusedFirst() {
        assertEquals(
                "wok: --save n: saxpy has no buffer n; it has x, y.\n",
                PtxSamples.run("run", "saxpy", "--save", "n=n.bin").err());
        Captured run = PtxSamples.run(
                "run", "saxpy", "--save", "y=" + folder.resolve("none").resolve("y.bin"));
        assertEquals(2, run.code());
        assertEquals("", run.out());
        assertTrue(run.err().startsWith("wok: there is no folder "), run.err());
    }

    @Test
    void aTensorMapNamesItsBox() {
        Captured run = PtxSamples.run("run", "tensor-map");
        assertEquals(0, run.code(), run.out() + run.err());
        assertTrue(
                run.out().contains("  y: f32[8], unset before\n    0: 48.0 49.0 50.0 51.0 52.0 53.0 54.0 55.0\n"),
                run.out());
        // With a swizzle, rows of 32 bytes change the places of their two halves after four.
        Captured swizzled =
                PtxSamples.run("run", "tensor-map", "--arg", "m=map:f32[12,16]/4,8/32=iota", "--arg", "row=3");
        assertTrue(swizzled.out().contains("    0: 64.0 65.0 66.0 67.0 68.0 69.0 70.0 71.0\n"), swizzled.out());
    }

    @Test
    void randomNumbersFollowTheSeed() {
        String[] random = {"--arg", "x=f32[1000]=random", "--json"};
        String once = PtxSamples.run("run", "saxpy", random).out();
        assertEquals(once, PtxSamples.run("run", "saxpy", random).out());
        String other = PtxSamples.run("run", "saxpy", "--arg", "x=f32[1000]=random", "--json", "--seed", "2")
                .out();
        assertFalse(once.equals(other));
    }

    @Test
    void aGpuThatIsNotThereIsRefusedWithTheReason() {
        assertEquals(
                "wok: --device cpu: expected emulated, cuda or cuda:N.\n",
                PtxSamples.run("run", "saxpy", "--device", "cpu").err());
        switch (Gpus.find()) {
            case Gpus.Absent(String reason) -> {
                Captured run = PtxSamples.run("run", "saxpy", "--device", "cuda");
                assertEquals(2, run.code());
                assertEquals("wok: device cuda: %s.\n".formatted(reason), run.err());
            }
            case Gpus.Found found -> {
                Captured run = PtxSamples.run("run", "saxpy", "--device", "cuda:9999");
                assertEquals(2, run.code());
                assertTrue(run.err().contains("this machine has " + found.gpus().size()), run.err());
                JsonNode real = JsonMapper.shared()
                        .readTree(PtxSamples.run("run", "saxpy", "--device", "cuda", "--json")
                                .out());
                JsonNode emulated = JsonMapper.shared()
                        .readTree(PtxSamples.run("run", "saxpy", "--json").out());
                assertEquals(emulated.get("buffers"), real.get("buffers"));
            }
        }
    }

    /// What Ctrl-C does, from another thread while the kernel runs.
    @Test
    @Timeout(60)
    void aLongRunIsCountedAndCanBeStopped() throws IOException, InterruptedException {
        Path file = folder.resolve("long.ptx");
        Files.writeString(file, """
                .version 8.0
                .target sm_80
                .address_size 64
                .visible .entry forever(.param .u64 x)
                {
                    .reg .b64 %a;
                    .reg .b32 %n;
                    ld.param.u64 %a, [x];
                AGAIN:
                    st.global.u32 [%a], 1;
                    bra AGAIN;
                }
                """);
        PtxSource source = PtxSource.read(file);
        PtxLaunchOptions options = new PtxLaunchOptions();
        options.grid = "1";
        options.block = "1";
        PtxPlan plan = PtxPlan.of(source, options, EmulatedGpu.MOST_SHARED).getFirst();
        RecordingProgress progress = new RecordingProgress();
        try (EmulatedGpu gpu = Device.emulated();
                Arena arena = Arena.ofShared()) {
            PtxRunner runner = new PtxRunner(gpu, source, plan, arena);
            Thread stopping = Thread.ofPlatform().start(() -> {
                while (gpu.executed() < 1000) {
                    Thread.onSpinWait();
                }
                try {
                    Thread.sleep(300);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                runner.stop();
            });
            assertNull(runner.run(false, progress));
            stopping.join();
            RecordingProgress.Recorded task = progress.tasks().getFirst();
            assertEquals("running forever", task.name());
            assertTrue(task.done() >= 1000, "counted " + task.done());
            assertTrue(task.isClosed());
        }
    }
}
