package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Dense;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/* One task is one query of one head: it reads the latents twice, once for the scores and once for their mean. */
final class LatentAttentionVector extends LatentAttention {
    private final Workers workers;
    private final PackedVector packed;
    private final Precision precision;

    LatentAttentionVector(Workers workers, PackedVector packed, Precision precision) {
        this.packed = packed;
        this.precision = precision;
        this.workers = workers;
    }

    @Override
    protected void attend(
            Tensor q, Dense weight, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        Tasks.requireFloats("LatentAttention", q, out);
        Tensor queries = Rows.rounded(precision, q);
        Tensor kvB = Rows.rounded(precision, weight.value());
        Seen[] seen = seen(table, positions, cache);
        int rank = kvB.size(1);
        int vDim = out.size(2);
        int nopeDim = q.size(2) - (cache.size(2) - rank);
        each(q, (t, h) -> {
            long query = queries.offset(t, h, 0);
            long rows = (long) h * (nopeDim + vDim);
            float[] absorbed = new float[rank];
            for (int i = 0; i < nopeDim; i++) {
                float factor = (float) queries.get(query + i);
                Rows.add(kvB.memory(), (rows + i) * kvB.stride(0), factor, absorbed, 0, rank);
            }
            float[] latent = new float[rank];
            float sum = weigh(queries, query + nopeDim, absorbed, seen[t], (float) scale, latent);
            Rows.round(precision, latent, 0, rank);
            for (int i = 0; i < vDim; i++) {
                float value = Rows.dot(latent, 0, kvB.memory(), (rows + nopeDim + i) * kvB.stride(0), rank);
                out.set(out.offset(t, h, i), sum == 0 ? 0 : value / sum);
            }
        });
    }

    @Override
    protected void attend(
            Tensor q,
            Packed keys,
            Packed values,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out) {
        Tasks.requireFloats("LatentAttention", q, out);
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = keys.n();
        int nopeDim = keys.k();
        Tensor queries = Rows.rounded(precision, q);
        Seen[] seen = seen(table, positions, cache);
        Tensor absorbed = Tensor.allocate(Arena.ofAuto(), DType.F32, tokens, heads, rank);
        multiply(heads, q.slice(2, 0, nopeDim), keys, absorbed);
        Tensor means = Tensor.allocate(Arena.ofAuto(), DType.F32, tokens, heads, rank);
        each(q, (t, h) -> {
            float[] latent = new float[rank];
            long query = queries.offset(t, h, nopeDim);
            float[] own = absorbed.select(0, t).select(0, h).toFloats();
            float sum = weigh(queries, query, own, seen[t], (float) scale, latent);
            for (int r = 0; r < rank; r++) {
                means.set(means.offset(t, h, r), sum == 0 ? 0 : latent[r] / sum);
            }
        });
        multiply(heads, means, values, out);
    }

    /// Each head's rows times its own matrix.
    private void multiply(int heads, Tensor x, Packed weight, Tensor y) {
        List<PackedVector.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            problems.add(new PackedVector.Problem(
                    x.size(0), i -> i, x.select(1, h), weight.matrix(h), y.select(1, h), false));
        }
        packed.run(problems);
    }

    /// What a token sees.
    ///
    /// @param latents its sequence's rows as operands, `[rows, rank + ropeDim]`
    /// @param count the rows up to its position
    private record Seen(Tensor latents, int count) {}

    /// @return for each token what it sees
    private Seen[] seen(PageTable table, Tensor positions, Tensor cache) {
        Seen[] seen = new Seen[positions.size(0)];
        int width = cache.size(2);
        for (PagedSequence sequence : PagedSequence.of(table, positions, cache)) {
            int rows = sequence.rows();
            float[] latents = new float[rows * width];
            workers.run(rows, (j, _) -> {
                long row = cache.offset(sequence.page(j), sequence.within(j));
                Rows.copy(precision, cache, row, latents, j * width, width);
            });
            Tensor gathered = Tensor.of(latents).reshape(rows, width);
            for (int i = 0; i < sequence.positions().length; i++) {
                seen[sequence.from() + i] = new Seen(gathered, sequence.positions()[i] + 1);
            }
        }
        return seen;
    }

    private interface Body {
        void visit(int token, int head);
    }

    private void each(Tensor q, Body body) {
        int heads = q.size(1);
        workers.run(q.size(0) * heads, (task, _) -> body.visit(task / heads, task % heads));
    }

    /// The sum of latents under exponentials of their scores.
    ///
    /// @param rope where the rotated part of a query begins
    /// @param absorbed the rest of it, `[rank]`; overwritten
    /// @param latent `[rank]`, zeros, written
    /// @return the sum of the exponentials
    private float weigh(Tensor q, long rope, float[] absorbed, Seen seen, float scale, float[] latent) {
        Tensor cache = seen.latents;
        int keys = seen.count;
        int rank = absorbed.length;
        int ropeDim = cache.size(1) - rank;
        Rows.round(precision, absorbed, 0, rank);
        float[] scores = new float[keys];
        for (int j = 0; j < keys; j++) {
            long row = j * cache.stride(0);
            scores[j] = scale
                    * (Rows.dot(absorbed, 0, cache.memory(), row, rank)
                            + Rows.dot(q.memory(), rope, cache.memory(), row + rank, ropeDim));
        }
        float sum = softmax(scores);
        Rows.round(precision, scores, 0, keys);
        for (int j = 0; j < keys; j++) {
            Rows.add(cache.memory(), j * cache.stride(0), scores[j], latent, 0, rank);
        }
        return sum;
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
