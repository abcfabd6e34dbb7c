package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.CudaException;
import dev.wok.device.cuda.FakeDriver.Chip;
import dev.wok.testkit.Thrown;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Nothing is left behind, whatever fails.
class BooksTest {
    private static FakeDriver driver() {
        return new FakeDriver(Chip.hopper(), Chip.hopper());
    }

    @Test
    void aDayWithoutFailuresLeavesNothing() {
        FakeDriver driver = driver();
        assertEquals(List.of(), Scenario.run(driver));
        assertEquals(List.of(), driver.alive());
        List<DriverFunction> called =
                driver.calls.stream().map(FakeDriver.Call::function).distinct().toList();
        List<DriverFunction> uncalled = Stream.of(DriverFunction.values())
                .filter(function -> !called.contains(function))
                .toList();
        assertEquals(List.of(DriverFunction.GET_ERROR_NAME, DriverFunction.GET_ERROR_STRING), uncalled);
    }

    /// @param afterwards whether calls that end something do so before they fail
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whereverTheDriverFailsItIsSaidAndNothingIsLeft(boolean afterwards) {
        int calls;
        try (FakeDriver well = driver()) {
            assertEquals(List.of(), Scenario.run(well));
            calls = well.calls.size();
        }
        int finding = 0;
        for (int i = 0; i < calls; i++) {
            try (FakeDriver driver = driver()) {
                driver.failingCall = i;
                driver.failsAfterwards = afterwards;
                finding += assertSaid(driver, failures(driver)) ? 1 : 0;
            }
        }
        assertEquals(21, finding);
    }

    /// @return whether the failure was one of finding the GPUs
    private static boolean assertSaid(FakeDriver driver, List<? extends RuntimeException> failures) {
        FakeDriver.Call failed = driver.failed;
        if (failed == null) {
            throw new AssertionError("call %d was never made".formatted(driver.failingCall));
        }
        String context = "call %d, %s: %s".formatted(driver.failingCall, failed, failures);
        assertEquals(1, failures.size(), context);
        String message = String.valueOf(failures.getFirst().getMessage());
        assertTrue(message.contains("CUDA_ERROR_UNKNOWN (999), unknown error"), context);
        assertEquals(List.of(), driver.alive(), context);
        if (failures.getFirst() instanceof CudaException e) {
            assertEquals(999, e.code());
            assertTrue(message.contains(": " + failed.function().symbol() + "("), context);
            return false;
        }
        assertTrue(message.startsWith("the CUDA driver "), context);
        return true;
    }

    private static List<? extends RuntimeException> failures(FakeDriver driver) {
        try {
            return Scenario.run(driver);
        } catch (IllegalStateException e) {
            return List.of(e);
        }
    }

    @Test
    void theBooksFindWhatIsLeft() {
        FakeDriver driver = driver();
        CudaGpu gpu = Opened.of(driver);
        CudaContext context = gpu.context();
        context.out(DriverFunction.STREAM_CREATE, 1);
        assertEquals(List.of("stream", "stream", "context of device 0"), driver.alive());
        gpu.close();
        assertEquals(List.of("left behind: stream"), driver.alive());
    }

    @Test
    void failuresOfAClosingAreAttachedToTheFirst() {
        FakeDriver driver = driver();
        CudaGpu gpu = Opened.of(driver);
        gpu.load(Ptx.SAXPY);
        gpu.load(Ptx.SAXPY);
        driver.failingFunction = DriverFunction.MODULE_UNLOAD;
        driver.failure = 700;
        CudaException failure = null;
        try {
            gpu.close();
        } catch (CudaException e) {
            failure = e;
        }
        if (failure == null) {
            throw new AssertionError("closed without a word");
        }
        assertEquals(700, failure.code());
        assertTrue(String.valueOf(failure.getMessage()).startsWith("CUDA error (700): cuModuleUnload(hmod=0x"));
        assertEquals(1, failure.getSuppressed().length);
        gpu.close();
        assertEquals(List.of(), driver.alive());
    }

    @Test
    void whatIsClosedSaysSo() {
        FakeDriver driver = driver();
        CudaGpu gpu = Opened.of(driver);
        Everything open = Everything.of(gpu);
        gpu.newStream();
        gpu.close();
        gpu.close();
        gpu.stream().close();
        open.close();
        open.assertClosed();
        for (Thrown.Code use : List.<Thrown.Code>of(
                gpu::memory,
                gpu::pinned,
                gpu::newStream,
                () -> gpu.load(""),
                () -> gpu.stream().synchronize())) {
            assertEquals("this GPU is closed", Thrown.message(IllegalStateException.class, use));
        }
        assertEquals(List.of(), driver.alive());
    }

    @Test
    void partsCloseOneByOneAndTwice() {
        FakeDriver driver = driver();
        try (CudaGpu gpu = Opened.of(driver)) {
            Everything open = Everything.of(gpu);
            open.close();
            open.close();
            open.assertClosed();
            assertEquals(
                    List.of("context of device 0", "pool", "stream", "stream"),
                    driver.alive().stream().sorted().toList());
        }
        assertEquals(List.of(), driver.alive());
    }
}
