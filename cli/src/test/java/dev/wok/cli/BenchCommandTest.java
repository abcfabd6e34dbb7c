package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BenchCommandTest {

    @Test
    void whatIsNoMeasurementIsRefused() {
        Captured run = Captured.run("bench", "speed");
        assertEquals(2, run.code());
        assertEquals("wok: there is no measurement speed; there are kernels and train.\n", run.err());
    }

    @Test
    void anOptionOfTheOtherMeasurementIsRefused() {
        assertEquals(
                "wok: --svg belongs to wok bench kernels, not to wok bench train.\n",
                Captured.run("bench", "train", "--svg", "x.svg").err());
        assertEquals(
                "wok: --preset belongs to wok bench train, not to wok bench kernels.\n",
                Captured.run("bench", "kernels", "--preset", "nano").err());
    }

    @Test
    void tuningStandsAlone() {
        assertEquals(
                "wok: --tune goes with --threads and --json only.\n",
                Captured.run("bench", "kernels", "--tune").err());
        assertEquals(
                "wok: name a measurement, kernels or train, or give --tune.\n",
                Captured.run("bench").err());
    }

    /// As in all tests.
    @Test
    void whereTuningIsOffNothingIsSearched() {
        assertEquals(
                "wok: WOK_TUNE=off: tiles are not searched; unset it.\n",
                Captured.run("bench", "--tune").err());
    }

    @Test
    void slowKernelsAreNotMeasured() {
        Captured run = Captured.run("bench", "kernels", "--backend", "reference");
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("wok: --backend reference: expected "), run.err());
    }

    @Test
    void anUnknownRowIsRefusedBeforeAnythingIsMeasured() {
        Captured run = Captured.run("bench", "kernels", "--only", "rms_norm,norm");
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("wok: --only norm: expected some of "), run.err());
    }
}
