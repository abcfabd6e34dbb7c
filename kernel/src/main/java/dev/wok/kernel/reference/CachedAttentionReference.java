package dev.wok.kernel.reference;

import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.Tensor;

final class CachedAttentionReference extends CachedAttention {
    private final Precision precision;

    CachedAttentionReference(Precision precision) {
        this.precision = precision;
    }

    @Override
    protected void attend(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        int share = q.size(1) / keys.size(2);
        for (PagedSequence sequence : PagedSequence.of(table, positions, keys)) {
            for (int t = sequence.from(); t < sequence.to(); t++) {
                for (int h = 0; h < q.size(1); h++) {
                    int seen = sequence.positions()[t - sequence.from()] + 1;
                    double[] probabilities = probabilities(q, t, h, keys, h / share, sequence, seen, scale);
                    for (int i = 0; i < out.size(2); i++) {
                        double value = 0;
                        for (int j = 0; j < seen; j++) {
                            value += precision.operand(probabilities[j])
                                    * operand(values, row(values, sequence, j, h / share) + i);
                        }
                        out.set(out.offset(t, h, i), value);
                    }
                }
            }
        }
    }

    private static long row(Tensor cache, PagedSequence sequence, int j, int g) {
        return cache.offset(sequence.page(j), sequence.within(j), g);
    }

    private double[] probabilities(
            Tensor q, int t, int h, Tensor keys, int g, PagedSequence sequence, int seen, double scale) {
        double[] scores = new double[seen];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < seen; j++) {
            double score = 0;
            for (int i = 0; i < q.size(2); i++) {
                score += operand(q, q.offset(t, h, i)) * operand(keys, row(keys, sequence, j, g) + i);
            }
            scores[j] = scale * score;
            max = Math.max(max, scores[j]);
        }
        double sum = 0;
        for (int j = 0; j < seen; j++) {
            scores[j] = Math.exp(scores[j] - max);
            sum += scores[j];
        }
        for (int j = 0; j < seen; j++) {
            scores[j] /= sum;
        }
        return scores;
    }

    private double operand(Tensor tensor, long offset) {
        return precision.operand(tensor.get(offset));
    }
}
