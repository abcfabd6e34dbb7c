package dev.wok.kernel.reference;

import dev.wok.kernel.BalanceLoss;
import dev.wok.tensor.Tensor;

final class BalanceLossReference extends BalanceLoss {
    @Override
    protected void measure(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss) {
        int experts = scores.size(1);
        long sequences = scores.dim(0) / length;
        for (long sequence = 0; sequence < sequences; sequence++) {
            double[] often = new double[experts];
            double[] mean = new double[experts];
            for (long t = sequence * length; t < (sequence + 1) * length; t++) {
                double sum = sum(scores, t);
                for (int e = 0; e < experts; e++) {
                    double s = scores.get(t * scores.stride(0) + e);
                    mean[e] += s / sum / length;
                    often[e] += rank(scores, t, e) < topK ? 1 : 0;
                }
            }
            double total = 0;
            for (int e = 0; e < experts; e++) {
                double fraction = often[e] * experts / ((double) topK * length);
                fractions.set(sequence * experts + e, fraction);
                total += fraction * mean[e];
            }
            Numbers.add(loss, 0, alpha * total / sequences);
        }
    }

    /// How many experts score better than `e`, ties in favour of the lower index.
    private static int rank(Tensor scores, long t, int e) {
        double s = scores.get(t * scores.stride(0) + e);
        int better = 0;
        for (int other = 0; other < scores.dim(1); other++) {
            double o = scores.get(t * scores.stride(0) + other);
            better += o > s || (o == s && other < e) ? 1 : 0;
        }
        return better;
    }

    @Override
    protected void gradient(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores) {
        int experts = scores.size(1);
        long sequences = scores.dim(0) / length;
        for (long t = 0; t < scores.dim(0); t++) {
            long sequence = t / length;
            double sum = sum(scores, t);
            double mean = 0;
            for (int e = 0; e < experts; e++) {
                mean += fractions.get(sequence * experts + e) * scores.get(t * scores.stride(0) + e) / sum;
            }
            for (int e = 0; e < experts; e++) {
                double fraction = fractions.get(sequence * experts + e);
                dScores.set(
                        t * dScores.stride(0) + e, factor / ((double) length * sequences) * (fraction - mean) / sum);
            }
        }
    }

    private static double sum(Tensor scores, long t) {
        double sum = 0;
        for (int e = 0; e < scores.dim(1); e++) {
            sum += scores.get(t * scores.stride(0) + e);
        }
        return sum;
    }
}
