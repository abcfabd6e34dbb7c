package dev.wok.kernel.reference;

import dev.wok.kernel.Attention;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;

final class AttentionReference extends Attention {
    private final Precision precision;

    AttentionReference(Precision precision) {
        this.precision = precision;
    }

    @Override
    protected void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        long share = q.dim(1) / k.dim(1);
        for (long t = 0; t < q.dim(0); t++) {
            for (long h = 0; h < q.dim(1); h++) {
                int start = keyStart.getInt(t);
                double[] scores = new double[(int) (t - start) + 1];
                double max = Double.NEGATIVE_INFINITY;
                for (int j = 0; j < scores.length; j++) {
                    scores[j] = scale * dot(q, t, h, k, start + j, h / share);
                    max = Math.max(max, scores[j]);
                }
                double sum = 0;
                for (double score : scores) {
                    sum += Math.exp(score - max);
                }
                double logSum = max + Math.log(sum);
                lse.set(t * lse.stride(0) + h, logSum);
                for (long i = 0; i < out.dim(2); i++) {
                    double value = 0;
                    for (int j = 0; j < scores.length; j++) {
                        value += precision.operand(Math.exp(scores[j] - logSum))
                                * precision.operand(v.get(at(v, start + j, h / share, i)));
                    }
                    out.set(at(out, t, h, i), value);
                }
            }
        }
    }

    @Override
    protected void gradient(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        long share = q.dim(1) / k.dim(1);
        Sums sumQ = new Sums(dq);
        Sums sumK = new Sums(dk);
        Sums sumV = new Sums(dv);
        for (long t = 0; t < q.dim(0); t++) {
            for (long h = 0; h < q.dim(1); h++) {
                long g = h / share;
                double delta = 0;
                for (long i = 0; i < v.dim(2); i++) {
                    delta += dOut.get(at(dOut, t, h, i)) * out.get(at(out, t, h, i));
                }
                for (long j = keyStart.getInt(t); j <= t; j++) {
                    double p = Math.exp(scale * dot(q, t, h, k, j, g) - lse.get(t * lse.stride(0) + h));
                    double ds = precision.operand(p * (dot(dOut, t, h, v, j, g) - delta) * scale);
                    for (long i = 0; i < v.dim(2); i++) {
                        sumV.add(j, g, i, precision.operand(p) * precision.operand(dOut.get(at(dOut, t, h, i))));
                    }
                    for (long i = 0; i < q.dim(2); i++) {
                        sumQ.add(t, h, i, ds * precision.operand(k.get(at(k, j, g, i))));
                        sumK.add(j, g, i, ds * precision.operand(q.get(at(q, t, h, i))));
                    }
                }
            }
        }
        sumQ.write();
        sumK.write();
        sumV.write();
    }

    private double dot(Tensor a, long t, long h, Tensor b, long j, long g) {
        double sum = 0;
        for (long i = 0; i < a.dim(2); i++) {
            sum += precision.operand(a.get(at(a, t, h, i))) * precision.operand(b.get(at(b, j, g, i)));
        }
        return sum;
    }

    /// Double-precision sums for each element of a tensor.
    private record Sums(Tensor target, double[] values) {
        Sums(Tensor target) {
            this(target, new double[Math.toIntExact(target.elements())]);
        }

        void add(long t, long h, long i, double value) {
            values[(int) ((t * target.dim(1) + h) * target.dim(2) + i)] += value;
        }

        void write() {
            int next = 0;
            for (long t = 0; t < target.dim(0); t++) {
                for (long h = 0; h < target.dim(1); h++) {
                    for (long i = 0; i < target.dim(2); i++) {
                        target.set(at(target, t, h, i), values[next++]);
                    }
                }
            }
        }
    }

    private static long at(Tensor x, long t, long h, long i) {
        return t * x.stride(0) + h * x.stride(1) + i;
    }
}
