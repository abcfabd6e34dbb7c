package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BenchCommandTest {

    @Test
    void whatIsNoMeasurementIsRefused() {
        Captured run = Captured.run("bench", "speed");
        assertEquals(2, run.code());
        assertEquals(
                "wok: there is no measurement speed; there are kernels, train, generate, batch, speculate, serve, fabric and make-model.\n",
                run.err());
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
    void theExchangeIsMeasuredAsItIs() {
        assertEquals(
                "wok: --threads belongs to wok bench kernels, not to wok bench fabric.\n",
                Captured.run("bench", "fabric", "--threads", "2").err());
        assertEquals(
                "wok: --preset belongs to wok bench train, not to wok bench fabric.\n",
                Captured.run("bench", "fabric", "--preset", "nano").err());
        assertTrue(Captured.run("bench", "fabric", "--only", "gpu")
                .err()
                .startsWith("wok: --only gpu: expected some of link, exchange_r2_t128_h2048, "));
    }

    @Test
    void whatGenerationTakesIsAskedFor() {
        assertEquals(
                "wok: name the model that generates: wok bench generate --model DIR.\n",
                Captured.run("bench", "generate").err());
        assertEquals(
                "wok: --dtype f16: expected f32 or bf16.\n",
                Captured.run("bench", "generate", "--model", "x", "--dtype", "f16")
                        .err());
        assertEquals(
                "wok: there is no model folder x.\n",
                Captured.run("bench", "generate", "--model", "x").err());
        assertTrue(Captured.run("bench", "make-model").err().startsWith("wok: name a shape: --preset v2-lite, "));
        assertTrue(Captured.run("bench", "make-model", "--preset", "v9")
                .err()
                .startsWith("wok: --preset v9: expected one of v2-lite, "));
        assertEquals(
                "wok: --out belongs to wok bench make-model, not to wok bench generate.\n",
                Captured.run("bench", "generate", "--model", "x", "--out", "y").err());
        assertEquals(
                "wok: --connections belongs to wok bench serve, not to wok bench batch.\n",
                Captured.run("bench", "batch", "--model", "x", "--connections", "2")
                        .err());
        assertEquals(
                "wok: --connections 0: expected 1 or more.\n",
                Captured.run("bench", "serve", "--model", "x", "--connections", "0")
                        .err());
        assertEquals(
                "wok: --seconds belongs to wok bench serve --connections N, not to wok bench serve.\n",
                Captured.run("bench", "serve", "--model", "x", "--seconds", "2").err());
    }

    @Test
    void kernelsAreExplainedWithoutAGpu() {
        Captured run = Captured.run("bench", "kernels", "--explain", "experts_6of64_forward", "--device", "emulated");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().contains(".target sm_90"), run.out());
        assertEquals(
                "wok: nothing is measured on the device emulated, expected cuda or cuda:N.\n",
                Captured.run("bench", "kernels", "--device", "emulated").err());
    }

    @Test
    void tuningStandsAlone() {
        assertEquals(
                "wok: --tune goes with --threads and --json only.\n",
                Captured.run("bench", "kernels", "--tune").err());
        assertEquals(
                "wok: name a measurement, kernels, train, generate, batch, speculate, serve or fabric, or give --tune.\n",
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
