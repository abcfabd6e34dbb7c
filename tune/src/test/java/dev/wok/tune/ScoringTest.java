package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class ScoringTest {
    /// The middle text has no targets.
    private final Shown shown = Shown.random(8, 300, 4, new int[] {1, 3}, new int[] {4, 0}, new int[] {2, 2});

    @Test
    void keepsTheSamplersBits() {
        Scoring scoring = new Scoring(shown.batch(), 1);
        assertTrue(Shown.isZero(shown.gradient(scoring, DType.F32, 2)));
        assertEquals(3, scoring.texts().size());
        assertEquals(0, scoring.texts().get(1).raw().length);
        assertSame(scoring.texts().getFirst().raw(), scoring.texts().getFirst().tempered());
        for (int row = 0; row < 5; row++) {
            Logprobs text = scoring.texts().get(row < 3 ? 0 : 2);
            float[] logits = shown.logits().select(0, row).toFloats();
            assertEquals(sampler(logits, shown.target(row)), text.raw()[row < 3 ? row : row - 3]);
        }
    }

    /// As `generate` has it: the sum in the order of ids, relative to the highest.
    private static double sampler(float[] logits, int id) {
        double highest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            highest = logit > highest ? logit : highest;
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - highest);
        }
        return logits[id] - (highest + Math.log(sum));
    }

    @Test
    void knowsBothTemperatures() {
        Scoring scoring = new Scoring(shown.batch(), 0.5);
        shown.gradient(scoring, DType.F64);
        Logprobs last = scoring.texts().getLast();
        assertEquals(shown.logprob(4, 1), last.raw()[1], 1e-13);
        assertEquals(shown.logprob(4, 0.5), last.tempered()[1], 1e-13);
        assertEquals(shown.logprob(3, 1) + shown.logprob(4, 1), last.sum(), 1e-13);
    }

    @Test
    void aDistributionHasEntropy() {
        assertEquals(Math.log(3), new Distribution(new double[] {80, 80, 80}, 1).entropy(), 1e-15);
        assertEquals(0, new Distribution(new double[] {80, Double.NEGATIVE_INFINITY, -80}, 0.1).entropy());
        assertEquals(-320, new Distribution(new double[] {80, -80}, 0.5).logprob(1));
    }

    @Test
    void weightsHaveTheirGradient() {
        double[] weights = {-0.2, 3, 0.7};
        WeightedLogprobLoss loss = new WeightedLogprobLoss(shown.batch(), weights);
        Tensor gradient = shown.gradient(loss, DType.F64, 2);
        assertEquals(weighted(), loss.value(), 1e-13);
        GradCheck.check("weighted", shown.logits(), gradient, this::weighted, 20, 2);
        Tensor narrow = Tensors.as(DType.F32, shown.logits());
        new WeightedLogprobLoss(shown.batch(), weights).gradient(shown.rows(), narrow);
        assertArrayEquals(gradient.toFloats(), narrow.toFloats());
    }

    private double weighted() {
        return -0.2 * (shown.logprob(0, 1) + shown.logprob(1, 1) + shown.logprob(2, 1))
                + 0.7 * (shown.logprob(3, 1) + shown.logprob(4, 1));
    }

    @Test
    void rowsMayLieApart() {
        Tensor wide = Tensors.zeros(DType.F32, 5, 307);
        Tensor rows = wide.slice(1, 3, 303);
        rows.copyFrom(Tensors.as(DType.F32, shown.logits()));
        WeightedLogprobLoss loss = new WeightedLogprobLoss(shown.batch(), 1, 1, 1);
        loss.gradient(shown.rows(), rows);
        Tensor expected = shown.gradient(new WeightedLogprobLoss(shown.batch(), 1, 1, 1), DType.F32);
        assertArrayEquals(expected.toFloats(), rows.toFloats());
        assertTrue(Shown.isZero(wide.slice(1, 0, 3)) && Shown.isZero(wide.slice(1, 303, 307)));
    }

    @Test
    void refuseWhatDoesNotFit() {
        assertEquals(
                "2 coefficients for 3 texts",
                Thrown.message(
                        IllegalArgumentException.class, () -> new WeightedLogprobLoss(shown.batch(), new double[2])));
        assertEquals(
                "LogitLoss: logits are BF16[5, 4], expected F32 or F64",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> new Scoring(shown.batch(), 1).gradient(shown.rows(), Tensors.zeros(DType.BF16, 5, 4))));
    }
}
