package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import org.junit.jupiter.api.Test;

class LogSumExpTest {
    private static final double NONE = Double.NEGATIVE_INFINITY;

    @Test
    void isTheLogarithmOfTheSum() {
        double[] values = {0.5, -2, 3, 3, NONE};
        double expected = Math.log(Math.exp(0.5) + Math.exp(-2) + 2 * Math.exp(3));
        LogSumExp sum = LogSumExp.of(values);
        assertEquals(expected, sum.value(), 1e-15);
        assertEquals(3, sum.highest());
        assertArrayEquals(new double[] {Math.exp(-2.5), Math.exp(-5), 1, 1, 0}, values, 1e-15);
    }

    @Test
    void doesNotOverflow() {
        assertEquals(1e30, LogSumExp.of(new double[] {1e30, 0}).value());
        assertEquals(-1e30, LogSumExp.of(new double[] {-1e30, NONE}).value());
    }

    @Test
    void isNoNumberWhereTheValuesAreNone() {
        double[][] rows = {{NONE, NONE}, {1, Double.NaN}, {1, Double.POSITIVE_INFINITY}};
        for (double[] row : rows) {
            assertTrue(Double.isNaN(LogSumExp.of(row).value()));
        }
        assertEquals(NONE, LogSumExp.of(new double[0]).value());
    }

    /// What trainers rely on: a sampler's log-probability is this, bit for bit.
    @Test
    void isWhatTokensHave() {
        float[] logits = new float[5000];
        double[] values = new double[logits.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (6 * new Rng(4).normal(i));
            values[i] = logits[i];
        }
        double logSum = LogSumExp.of(values).value();
        for (int id : new int[] {0, 17, 4999}) {
            assertEquals(
                    logits[id] - logSum, new LogSoftmax(logits, 3).token(id).logprob());
        }
    }
}
