package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.RmsNorm;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

final class RmsNormVector extends RmsNorm {
    /// Rows whose share of the weight's gradient is summed in one go.
    private static final int ROWS_PER_SUM = 64;

    private final Workers workers;

    RmsNormVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {
        Tasks.requireFloats("RmsNorm", x, weight, y, rstd);
        int n = x.size(1);
        Tasks.rows(workers, x.size(0), n, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                long row = t * x.stride(0);
                float squares = Rows.dot(x.memory(), row, x.memory(), row, n);
                float factor = (float) (1 / Math.sqrt(squares / n + eps));
                rstd.set(t, factor);
                apply(x.memory(), row, weight.memory(), factor, y.memory(), t * y.stride(0), n);
            }
        });
    }

    private static void apply(
            MemorySegment x, long i, MemorySegment weight, float factor, MemorySegment y, long j, int n) {
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            FloatVector value = Lanes.load(x, i + at, mask).mul(factor).mul(Lanes.load(weight, at, mask));
            Lanes.store(value, y, j + at, mask);
        }
    }

    /* dx is per row. The weight's gradient is summed over blocks of ROWS_PER_SUM rows, and the blocks' sums are added in
     * order, so that its bits do not depend on which thread did which block.
     */
    @Override
    protected void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Tasks.requireFloats("RmsNorm", x, weight, rstd, dy, dx, dWeight);
        int n = x.size(1);
        int rows = x.size(0);
        int blocks = (rows + ROWS_PER_SUM - 1) / ROWS_PER_SUM;
        float[] sums = new float[Math.multiplyExact(blocks, n)];
        workers.run(blocks, (block, _) -> {
            for (int t = block * ROWS_PER_SUM; t < Math.min(rows, (block + 1) * ROWS_PER_SUM); t++) {
                long i = t * x.stride(0);
                long j = t * dy.stride(0);
                float factor = (float) rstd.get(t);
                float mean = dot(x.memory(), i, dy.memory(), j, weight.memory(), n) * factor / n;
                input(
                        x.memory(),
                        i,
                        dy.memory(),
                        j,
                        weight.memory(),
                        factor,
                        mean,
                        dx.memory(),
                        t * dx.stride(0),
                        n,
                        accumulate);
                products(x.memory(), i, dy.memory(), j, factor, sums, block * n, n);
            }
        });
        for (int i = 0; i < n; i++) {
            float sum = 0;
            for (int block = 0; block < blocks; block++) {
                sum += sums[block * n + i];
            }
            dWeight.set(i, dWeight.get(i) + sum);
        }
    }

    /// `sum_i x_i dy_i w_i`.
    private static float dot(MemorySegment x, long i, MemorySegment dy, long j, MemorySegment weight, int n) {
        FloatVector sum = Lanes.zero();
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            sum = Lanes.load(x, i + at, mask).fma(Lanes.load(dy, j + at, mask).mul(Lanes.load(weight, at, mask)), sum);
        }
        return Lanes.sum(sum);
    }

    /// `dx_i (+)= rstd * (dy_i w_i - x_i rstd mean)`.
    private static void input(
            MemorySegment x,
            long i,
            MemorySegment dy,
            long j,
            MemorySegment weight,
            float factor,
            float mean,
            MemorySegment dx,
            long k,
            int n,
            boolean accumulate) {
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            FloatVector value = Lanes.load(dy, j + at, mask).mul(Lanes.load(weight, at, mask));
            value = Lanes.load(x, i + at, mask)
                    .fma(Lanes.broadcast(-mean * factor), value)
                    .mul(factor);
            Lanes.store(accumulate ? value.add(Lanes.load(dx, k + at, mask)) : value, dx, k + at, mask);
        }
    }

    /// `sums_i += x_i dy_i rstd`.
    private static void products(
            MemorySegment x, long i, MemorySegment dy, long j, float factor, float[] sums, int to, int n) {
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            FloatVector sum = FloatVector.fromArray(Lanes.FLOATS, sums, to + at, mask);
            Lanes.load(x, i + at, mask)
                    .mul(factor)
                    .fma(Lanes.load(dy, j + at, mask), sum)
                    .intoArray(sums, to + at, mask);
        }
    }
}
