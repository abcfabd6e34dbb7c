package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/* One task is one query of one head: it reads the latents twice, once for the scores and once for their mean. */
final class LatentAttentionVector extends LatentAttention {
    private final Workers workers;
    private final Precision precision;

    LatentAttentionVector(Workers workers, Precision precision) {
        this.precision = precision;
        this.workers = workers;
    }

    @Override
    protected void attend(Tensor q, Weight weight, Tensor cache, Tensor positions, double scale, Tensor out) {
        Tasks.requireFloats("LatentAttention", q, out);
        Tensor queries = Rows.rounded(precision, q);
        Tensor kvB = Rows.rounded(precision, weight.value());
        Tensor latents = Rows.rounded(precision, cache);
        int heads = q.size(1);
        workers.run(q.size(0) * heads, (task, _) -> {
            int t = task / heads;
            int h = task % heads;
            attend(queries, kvB, latents, positions.getInt(t) + 1, (float) scale, out, t, h);
        });
    }

    private void attend(Tensor q, Tensor kvB, Tensor cache, int keys, float scale, Tensor out, int t, int h) {
        int rank = kvB.size(1);
        int ropeDim = cache.size(1) - rank;
        int nopeDim = q.size(2) - ropeDim;
        int vDim = out.size(2);
        if (keys == 0) {
            for (int i = 0; i < vDim; i++) {
                out.set(t * out.stride(0) + h * out.stride(1) + i, 0);
            }
            return;
        }
        long query = t * q.stride(0) + h * q.stride(1);
        long keyRows = (long) h * (nopeDim + vDim);
        MemorySegment weights = kvB.memory();
        MemorySegment latents = cache.memory();

        float[] absorbed = new float[rank];
        for (int i = 0; i < nopeDim; i++) {
            Rows.add(weights, (keyRows + i) * kvB.stride(0), (float) q.get(query + i), absorbed, 0, rank);
        }
        Rows.round(precision, absorbed, 0, rank);
        float[] scores = new float[keys];
        for (int j = 0; j < keys; j++) {
            long row = j * cache.stride(0);
            scores[j] = scale
                    * (Rows.dot(absorbed, 0, latents, row, rank)
                            + Rows.dot(q.memory(), query + nopeDim, latents, row + rank, ropeDim));
        }
        float sum = softmax(scores);
        Rows.round(precision, scores, 0, keys);
        float[] latent = new float[rank];
        for (int j = 0; j < keys; j++) {
            Rows.add(latents, j * cache.stride(0), scores[j], latent, 0, rank);
        }
        Rows.round(precision, latent, 0, rank);
        for (int i = 0; i < vDim; i++) {
            float value = Rows.dot(latent, 0, weights, (keyRows + nopeDim + i) * kvB.stride(0), rank);
            out.set(t * out.stride(0) + h * out.stride(1) + i, value / sum);
        }
    }

    /// Replaces scores by exponentials relative to the largest, and returns their sum.
    private static float softmax(float[] scores) {
        float max = Float.NEGATIVE_INFINITY;
        for (float score : scores) {
            max = Math.max(max, score);
        }
        return exponentials(scores, 0, scores.length, max);
    }

    /// `values[i] = e^(values[i] - max)`; returns their sum.
    static float exponentials(float[] values, int from, int count, float max) {
        FloatVector sum = Lanes.zero();
        for (int i = 0; i < count; i += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(i, count);
            FloatVector value = Lanes.exp(
                    FloatVector.fromArray(Lanes.FLOATS, values, from + i, mask).sub(max));
            value.intoArray(values, from + i, mask);
            sum = sum.add(value, mask);
        }
        return Lanes.sum(sum);
    }
}
