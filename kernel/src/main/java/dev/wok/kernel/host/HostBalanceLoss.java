package dev.wok.kernel.host;

import dev.wok.device.Workers;
import dev.wok.kernel.BalanceLoss;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/* Small beside the experts it watches: plain loops, sequences spread over the workers. */
public final class HostBalanceLoss extends BalanceLoss {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private final Workers workers;

    public HostBalanceLoss(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void measure(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss) {
        Tasks.requireFloats("BalanceLoss", scores, fractions, loss);
        int experts = scores.size(1);
        int sequences = scores.size(0) / length;
        double[] losses = new double[sequences];
        workers.run(sequences, (sequence, _) -> {
            float[] s = new float[experts];
            int[] often = new int[experts];
            double[] mean = new double[experts];
            for (int t = sequence * length; t < (sequence + 1) * length; t++) {
                double sum = read(scores, t, s);
                for (int e = 0; e < experts; e++) {
                    mean[e] += s[e] / sum / length;
                }
                countBest(s, topK, often);
            }
            for (int e = 0; e < experts; e++) {
                double fraction = (double) often[e] * experts / ((double) topK * length);
                fractions.set((long) sequence * experts + e, fraction);
                losses[sequence] += fraction * mean[e];
            }
        });
        double total = loss.get(0);
        for (double value : losses) {
            total += alpha * value / sequences;
        }
        loss.set(0, total);
    }

    private static double read(Tensor scores, long t, float[] s) {
        double sum = 0;
        for (int e = 0; e < s.length; e++) {
            s[e] = scores.memory().getAtIndex(FLOAT, t * scores.stride(0) + e);
            sum += s[e];
        }
        return sum;
    }

    /// Counts the `topK` largest, ties in favour of the lower index; spoils `s`.
    private static void countBest(float[] s, int topK, int[] often) {
        for (int k = 0; k < topK; k++) {
            int best = 0;
            for (int e = 1; e < s.length; e++) {
                if (s[e] > s[best]) {
                    best = e;
                }
            }
            often[best]++;
            s[best] = Float.NEGATIVE_INFINITY;
        }
    }

    @Override
    protected void gradient(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores) {
        Tasks.requireFloats("BalanceLoss", scores, fractions, dScores);
        int experts = scores.size(1);
        int sequences = scores.size(0) / length;
        workers.run(sequences, (sequence, _) -> {
            float[] s = new float[experts];
            for (int t = sequence * length; t < (sequence + 1) * length; t++) {
                double sum = read(scores, t, s);
                double mean = 0;
                for (int e = 0; e < experts; e++) {
                    mean += fractions.get((long) sequence * experts + e) * s[e] / sum;
                }
                double share = factor / ((double) length * sequences * sum);
                for (int e = 0; e < experts; e++) {
                    double fraction = fractions.get((long) sequence * experts + e);
                    dScores.memory().setAtIndex(FLOAT, t * dScores.stride(0) + e, (float) (share * (fraction - mean)));
                }
            }
        });
    }
}
