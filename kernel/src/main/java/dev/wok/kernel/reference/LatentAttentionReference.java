package dev.wok.kernel.reference;

import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.tensor.Tensor;

final class LatentAttentionReference extends LatentAttention {
    private final Precision precision;

    LatentAttentionReference(Precision precision) {
        this.precision = precision;
    }

    @Override
    protected void attend(Tensor q, Weight weight, Tensor cache, Tensor positions, double scale, Tensor out) {
        Tensor kvB = weight.value();
        int rank = kvB.size(1);
        int ropeDim = cache.size(1) - rank;
        int nopeDim = q.size(2) - ropeDim;
        int vDim = out.size(2);
        for (long t = 0; t < q.dim(0); t++) {
            for (long h = 0; h < q.dim(1); h++) {
                long query = t * q.stride(0) + h * q.stride(1);
                long keyRows = h * (nopeDim + vDim);
                double[] absorbed = new double[rank];
                for (int r = 0; r < rank; r++) {
                    for (int i = 0; i < nopeDim; i++) {
                        absorbed[r] += operand(kvB, (keyRows + i) * kvB.stride(0) + r) * operand(q, query + i);
                    }
                }
                double[] latent = weigh(absorbed, q, query + nopeDim, cache, positions.getInt(t) + 1, scale, ropeDim);
                for (int i = 0; i < vDim; i++) {
                    double value = 0;
                    for (int r = 0; r < rank; r++) {
                        value += operand(kvB, (keyRows + nopeDim + i) * kvB.stride(0) + r)
                                * precision.operand(latent[r]);
                    }
                    out.set(t * out.stride(0) + h * out.stride(1) + i, value);
                }
            }
        }
    }

    private double operand(Tensor tensor, long offset) {
        return precision.operand(tensor.get(offset));
    }

    private double[] weigh(double[] absorbed, Tensor q, long rope, Tensor cache, int keys, double scale, int ropeDim) {
        double[] scores = new double[keys];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < keys; j++) {
            double score = 0;
            for (int r = 0; r < absorbed.length; r++) {
                score += precision.operand(absorbed[r]) * operand(cache, j * cache.stride(0) + r);
            }
            for (int i = 0; i < ropeDim; i++) {
                score += operand(q, rope + i) * operand(cache, j * cache.stride(0) + absorbed.length + i);
            }
            scores[j] = scale * score;
            max = Math.max(max, scores[j]);
        }
        double sum = 0;
        for (double score : scores) {
            sum += Math.exp(score - max);
        }
        double[] latent = new double[absorbed.length];
        for (int j = 0; j < keys; j++) {
            for (int r = 0; r < latent.length; r++) {
                latent[r] +=
                        precision.operand(Math.exp(scores[j] - max) / sum) * operand(cache, j * cache.stride(0) + r);
            }
        }
        return latent;
    }
}
