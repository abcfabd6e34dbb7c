package dev.wok.kernel.reference;

import dev.wok.kernel.Dense;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

final class LatentAttentionReference extends LatentAttention {
    private final Precision precision;

    LatentAttentionReference(Precision precision) {
        this.precision = precision;
    }

    /// The products with what expands latents.
    private interface Up {
        /// @return a head's query among latents, `[rank]`
        double[] absorb(int head, long query);

        /// @param latent `[rank]`
        /// @return a head's output, `[vDim]`
        double[] expand(int head, double[] latent);
    }

    @Override
    protected void attend(
            Tensor q, Dense weight, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        Tensor kvB = weight.value();
        int rank = kvB.size(1);
        int nopeDim = q.size(2) - (cache.size(2) - rank);
        int vDim = out.size(2);
        attend(
                q,
                new Up() {
                    @Override
                    public double[] absorb(int head, long query) {
                        double[] absorbed = new double[rank];
                        for (int r = 0; r < rank; r++) {
                            for (int i = 0; i < nopeDim; i++) {
                                absorbed[r] += operand(kvB, row(head, i) + r) * operand(q, query + i);
                            }
                        }
                        return absorbed;
                    }

                    @Override
                    public double[] expand(int head, double[] latent) {
                        double[] values = new double[vDim];
                        for (int i = 0; i < vDim; i++) {
                            for (int r = 0; r < rank; r++) {
                                values[i] += operand(kvB, row(head, nopeDim + i) + r) * precision.operand(latent[r]);
                            }
                        }
                        return values;
                    }

                    private long row(int head, int i) {
                        return (head * (nopeDim + (long) vDim) + i) * kvB.stride(0);
                    }
                },
                cache,
                table,
                positions,
                scale,
                out);
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
        PackedReference up = new PackedReference(keys, precision);
        PackedReference down = new PackedReference(values, precision);
        attend(
                q,
                new Up() {
                    @Override
                    public double[] absorb(int head, long query) {
                        return up.times(q, query, head);
                    }

                    @Override
                    public double[] expand(int head, double[] latent) {
                        Tensor row = Tensor.of(MemorySegment.ofArray(latent), DType.F64, latent.length);
                        return down.times(row, 0, head);
                    }
                },
                cache,
                table,
                positions,
                scale,
                out);
    }

    private void attend(Tensor q, Up up, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        for (PagedSequence sequence : PagedSequence.of(table, positions, cache)) {
            for (int t = sequence.from(); t < sequence.to(); t++) {
                int keys = sequence.positions()[t - sequence.from()] + 1;
                long[] rows = new long[keys];
                Arrays.setAll(rows, j -> cache.offset(sequence.page(j), sequence.within(j)));
                for (int h = 0; h < q.size(1); h++) {
                    long query = q.offset(t, h, 0);
                    double[] absorbed = up.absorb(h, query);
                    int ropeDim = cache.size(2) - absorbed.length;
                    long rope = query + q.dim(2) - ropeDim;
                    double[] values = up.expand(h, weigh(absorbed, q, rope, cache, rows, scale, ropeDim));
                    for (int i = 0; i < values.length; i++) {
                        out.set(out.offset(t, h, i), values[i]);
                    }
                }
            }
        }
    }

    private double operand(Tensor tensor, long offset) {
        return precision.operand(tensor.get(offset));
    }

    private double[] weigh(
            double[] absorbed, Tensor q, long rope, Tensor cache, long[] rows, double scale, int ropeDim) {
        int keys = rows.length;
        double[] scores = new double[keys];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < keys; j++) {
            double score = 0;
            for (int r = 0; r < absorbed.length; r++) {
                score += precision.operand(absorbed[r]) * operand(cache, rows[j] + r);
            }
            for (int i = 0; i < ropeDim; i++) {
                score += operand(q, rope + i) * operand(cache, rows[j] + absorbed.length + i);
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
                latent[r] += precision.operand(Math.exp(scores[j] - max) / sum) * operand(cache, rows[j] + r);
            }
        }
        return latent;
    }
}
