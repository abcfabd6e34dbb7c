package dev.wok.tune;

import dev.wok.generate.LogSumExp;
import java.util.Arrays;

/// What a row of logits says of the next token: `softmax(logits / temperature)`. At temperature 1 the
/// log-probabilities are the sampler's, bit for bit, where the logits are.
final class Distribution {
    private final double[] logits;
    private final double temperature;

    /// `e^(x_i - highest)`.
    private final double[] powers;

    private final LogSumExp all;
    private final double logSum;

    /// @param logits `[vocab]`; seen, not copied
    Distribution(double[] logits, double temperature) {
        this.logits = logits;
        this.temperature = temperature;
        powers = new double[logits.length];
        for (int i = 0; i < powers.length; i++) {
            powers[i] = logits[i] / temperature;
        }
        all = LogSumExp.of(powers);
        logSum = all.value();
    }

    /// @return in nats
    double logprob(int id) {
        return logits[id] / temperature - logSum;
    }

    double probability(int id) {
        return powers[id] / all.sum();
    }

    /// @return in nats
    double entropy() {
        double below = 0;
        for (int i = 0; i < powers.length; i++) {
            if (powers[i] > 0) {
                below += powers[i] * (all.highest() - logits[i] / temperature);
            }
        }
        return Math.log(all.sum()) + below / all.sum();
    }

    /// The gradient of `coefficient * logprob(id)` with respect to the logits.
    ///
    /// @param into `[vocab]`, overwritten; may be the logits themselves, which ends this distribution's
    ///     use
    void gradient(double coefficient, int id, double[] into) {
        if (coefficient == 0) {
            Arrays.fill(into, 0);
            return;
        }
        double scale = coefficient / temperature;
        double sum = all.sum();
        for (int i = 0; i < into.length; i++) {
            into[i] = -scale * (powers[i] / sum);
        }
        into[id] += scale;
    }
}
