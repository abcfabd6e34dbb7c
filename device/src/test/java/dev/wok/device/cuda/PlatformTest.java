package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.ComputeCapability;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;
import dev.wok.device.Version;
import dev.wok.device.cuda.FakeDriver.Chip;
import dev.wok.testkit.Thrown;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class PlatformTest {
    private static String absence(FakeDriver driver) {
        return absence(new Platform(driver).find());
    }

    private static String absence(Gpus gpus) {
        return switch (gpus) {
            case Gpus.Absent(String reason) -> reason;
            case Gpus.Found found -> throw new AssertionError("found " + found);
        };
    }

    @Test
    void aMachineWithoutADriverSaysSo() {
        assertTrue(NativeDriver.load("libnone-of-this-name.so.1").isEmpty());
        assertEquals("no CUDA driver: libcuda.so.1 is not on this machine", absence(Cuda.missing("libcuda.so.1")));
    }

    /// Whatever machine this is: there are GPUs or there is a reason, and it is the same each time.
    @Test
    void lookingPrintsNothing() {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream sink = new PrintStream(printed, true, StandardCharsets.UTF_8);
        System.setOut(sink);
        System.setErr(sink);
        try {
            Gpus first = Gpus.find();
            assertEquals(first, Gpus.find());
            switch (first) {
                case Gpus.Absent(String reason) -> assertTrue(!reason.isBlank());
                case Gpus.Found found -> assertTrue(!found.gpus().isEmpty());
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        assertEquals("", printed.toString(StandardCharsets.UTF_8));
    }

    @Test
    void aDriverThatDoesNotStartSaysWhy() {
        FakeDriver driver = new FakeDriver(Chip.hopper());
        driver.initStatus = 100;
        assertEquals(
                "the CUDA driver finds no GPU (CUDA_ERROR_NO_DEVICE (100), no CUDA-capable device is detected)",
                absence(driver));
        driver.initStatus = 803;
        assertEquals(
                "the CUDA library is not that of the running driver: restart the machine, or install them together"
                        + " (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803), system has unsupported display driver / cuda"
                        + " driver combination)",
                absence(driver));
        driver.initStatus = 34;
        assertEquals(
                "the CUDA library is a stub, which only links programs: install an NVIDIA driver (CUDA error (34))",
                absence(driver));
        driver.initStatus = 999;
        assertEquals("the CUDA driver does not start (CUDA_ERROR_UNKNOWN (999), unknown error)", absence(driver));
        assertEquals(
                "the CUDA driver finds no GPU (CUDA_ERROR_NO_DEVICE (100), no CUDA-capable device is detected)",
                absence(new FakeDriver()));
    }

    @Test
    void anOldDriverSaysSo() {
        FakeDriver driver = new FakeDriver(Chip.hopper());
        driver.version = 11020;
        assertEquals(
                "the CUDA driver is too old: it is of CUDA 11.2, expected that of CUDA 11.4 or newer: install a newer"
                        + " NVIDIA driver",
                absence(driver));
        driver.missing.add(DriverFunction.MEM_POOL_CREATE);
        driver.missing.add(DriverFunction.GRAPH_INSTANTIATE);
        assertEquals(
                "the CUDA driver is too old: it has no cuMemPoolCreate, cuGraphInstantiateWithFlags, expected that of"
                        + " CUDA 11.4 or newer: install a newer NVIDIA driver",
                absence(driver));
    }

    @Test
    void factsAreTheDriversAndThePtxGoesWithIt() {
        FakeDriver driver = new FakeDriver(Chip.hopper(), new Chip("Fake A100", 8, 0, 40L << 30));
        switch (new Platform(driver).find()) {
            case Gpus.Absent(String reason) -> throw new AssertionError(reason);
            case Gpus.Found(List<GpuFacts> gpus) -> {
                assertEquals(
                        new GpuFacts(
                                0,
                                "Fake H100",
                                new ComputeCapability(9, 0),
                                80L << 30,
                                132,
                                227 << 10,
                                50 << 20,
                                1_980_000,
                                new Version(12, 4),
                                new Version(8, 4)),
                        gpus.getFirst());
                assertEquals("sm_90a", gpus.getFirst().capability().target());
                assertEquals("sm_80", gpus.getLast().capability().target());
                assertEquals(1, gpus.getLast().index());
            }
        }
        assertEquals(
                "GPU 2: this machine has 2 GPUs, expected 0 to 1",
                Thrown.message(
                        IllegalArgumentException.class, () -> ((Gpus.Found) new Platform(driver).find()).open(2)));
    }

    @Test
    void ptxVersionsFollowTheDrivers() {
        assertEquals("7.4", PtxVersions.of(new Version(11, 4)).toString());
        assertEquals("8.0", PtxVersions.of(new Version(12, 0)).toString());
        assertEquals("8.5", PtxVersions.of(new Version(12, 6)).toString());
        assertEquals("8.6", PtxVersions.of(new Version(12, 7)).toString());
        assertEquals("8.7", PtxVersions.of(new Version(12, 8)).toString());
        assertEquals("9.0", PtxVersions.of(new Version(13, 0)).toString());
        assertEquals("9.1", PtxVersions.of(new Version(13, 1)).toString());
        assertEquals("9.1", PtxVersions.of(new Version(14, 7)).toString());
        assertEquals(
                "driver of CUDA 11.3, expected 11.4 or newer",
                Thrown.message(IllegalArgumentException.class, () -> PtxVersions.of(new Version(11, 3))));
    }

    @Test
    void aGpuDescribesItself() {
        try (CudaGpu gpu = Opened.of(new FakeDriver(Chip.hopper()))) {
            assertEquals("Fake H100, sm_90a, 80 GiB, 132 multiprocessors, driver of CUDA 12.4", gpu.describe());
        }
    }
}
