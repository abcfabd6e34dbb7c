package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.tensor.Tensor;

/// `sum_t c_t logprob_t` over a batch's targets at temperature 1, with one coefficient for all targets
/// of a text: cross-entropy where that is `-1 / targets`, and any function of texts' log-probabilities
/// where it is the function's slope.
final class WeightedLogprobLoss implements LogitLoss {
    private final Targets targets;
    private final double[] coefficients;
    private double value;

    /// @param coefficients of each text of the batch
    WeightedLogprobLoss(Batch batch, double... coefficients) {
        targets = Targets.of(batch);
        this.coefficients = coefficients;
        if (coefficients.length != targets.size()) {
            throw new IllegalArgumentException(
                    "%d coefficients for %d texts".formatted(coefficients.length, targets.size()));
        }
    }

    @Override
    public void gradient(int[] rows, Tensor logits) {
        double[] terms = new double[rows.length];
        LogitRows.replace(logits, rows.length, (i, row) -> {
            int id = targets.ids()[rows[i]];
            double coefficient = coefficients[targets.texts()[rows[i]]];
            Distribution said = new Distribution(row, 1);
            terms[i] = coefficient * said.logprob(id);
            said.gradient(coefficient, id, row);
        });
        for (double term : terms) {
            value += term;
        }
    }

    /// @return the sum of all that was shown
    double value() {
        return value;
    }
}
