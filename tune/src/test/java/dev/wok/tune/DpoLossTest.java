package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import org.junit.jupiter.api.Test;

class DpoLossTest {
    @Test
    void agreesWithTorch() {
        // -logsigmoid(b d) (1 - s) - logsigmoid(-b d) s and its gradient, in torch's float64.
        DpoLoss.Result one = new DpoLoss(0.1, 0).of(new DpoLoss.Pair(-10, -12, -11, -11.5));
        assertEquals(0.6209570477895321, one.loss(), 1e-15);
        assertEquals(-0.04625701546562505, one.slopeChosen(), 1e-15);
        assertEquals(0.04625701546562505, one.slopeRejected(), 1e-15);
        assertTrue(one.isRight());
        assertEquals(0.15, one.rewardChosen() - one.rewardRejected(), 1e-15);
        DpoLoss.Result two = new DpoLoss(0.5, 0.1).of(new DpoLoss.Pair(-30, -12.5, -29, -20));
        assertEquals(3.839163456931505, two.loss(), 1e-15);
        assertEquals(-0.44296818647837727, two.slopeChosen(), 1e-15);
        assertFalse(two.isRight());
        assertEquals(-0.5, two.rewardChosen());
        assertEquals(3.75, two.rewardRejected());
    }

    @Test
    void ofThePoliciesThemselvesIsLn2() {
        assertEquals(
                Math.log(2),
                new DpoLoss(0.1, 0.2).of(new DpoLoss.Pair(-7, -9, -7, -9)).loss(),
                1e-15);
    }

    @Test
    void farApartStaysFinite() {
        DpoLoss loss = new DpoLoss(1, 0);
        assertEquals(2000, loss.of(new DpoLoss.Pair(-2000, 0, 0, 0)).loss());
        assertEquals(-1, loss.of(new DpoLoss.Pair(-2000, 0, 0, 0)).slopeChosen());
        assertEquals(0, loss.of(new DpoLoss.Pair(0, -2000, 0, 0)).loss());
    }

    /// Two pairs in one batch; the chosen answers first.
    @Test
    void hasTheGradientOfTheLossWrittenOut() {
        Shown shown = Shown.random(21, 8, 1.5, new int[] {2, 1}, new int[] {1, 5}, new int[] {2, 4}, new int[] {3, 1});
        double[] references = {-2, -9, -8, -2.5};
        Scoring scoring = new Scoring(shown.batch(), 1);
        shown.gradient(scoring, DType.F64);
        DpoLoss dpo = new DpoLoss(0.4, 0.05);
        double[] coefficients = new double[4];
        double loss = 0;
        for (int pair = 0; pair < 2; pair++) {
            DpoLoss.Result result = dpo.of(new DpoLoss.Pair(
                    scoring.texts().get(pair).sum(),
                    scoring.texts().get(pair + 2).sum(),
                    references[pair],
                    references[pair + 2]));
            loss += result.loss() / 2;
            coefficients[pair] = result.slopeChosen() / 2;
            coefficients[pair + 2] = result.slopeRejected() / 2;
        }
        assertEquals(written(shown, references), loss, 1e-14);
        Tensor gradient = shown.gradient(new WeightedLogprobLoss(shown.batch(), coefficients), DType.F64);
        GradCheck.check("dpo", shown.logits(), gradient, () -> written(shown, references), 1000, 1);
    }

    private static double written(Shown shown, double[] references) {
        int[] begins = {0, 1, 6, 10, 11};
        double[] ratios = new double[4];
        for (int text = 0; text < 4; text++) {
            ratios[text] = -references[text];
            for (int row = begins[text]; row < begins[text + 1]; row++) {
                ratios[text] += shown.logprob(row, 1);
            }
        }
        double loss = 0;
        for (int pair = 0; pair < 2; pair++) {
            double sigma = 1 / (1 + Math.exp(-0.4 * (ratios[pair] - ratios[pair + 2])));
            loss -= (0.95 * Math.log(sigma) + 0.05 * Math.log(1 - sigma)) / 2;
        }
        return loss;
    }
}
