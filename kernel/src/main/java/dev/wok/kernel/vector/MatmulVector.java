package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Quantized;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;

final class MatmulVector extends Matmul {
    /// Up to this many rows, packing the right operand costs more than it saves: each result is one dot product.
    private static final int FEW_ROWS = 6;

    private final Workers workers;
    private final Gemm gemm;

    MatmulVector(Workers workers, Gemm gemm, Precision precision) {
        super(precision);
        this.workers = workers;
        this.gemm = gemm;
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        Tasks.requireFloats("Matmul", a, b, c);
        if (in == Precision.F32 && orientation == Orientation.NT && c.dim(0) <= FEW_ROWS) {
            dots(a, b, c, k, accumulate);
            return;
        }
        Gemm.Left left = orientation == Orientation.TN ? Gemm.columns(a) : Gemm.rows(a);
        Gemm.Right right = orientation == Orientation.NT ? Gemm.transposed(b) : Gemm.plain(b);
        boolean transposed = orientation == Orientation.TN;
        gemm.run(in, new Gemm.Problem(c.size(0), c.size(1), k, left, transposed, right, Gemm.into(c, accumulate)));
    }

    private void dots(Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        Tasks.rows(workers, c.size(1), (long) k * 4, (from, to, _) -> {
            for (int j = from; j < to; j++) {
                for (int i = 0; i < c.size(0); i++) {
                    float dot = Rows.dot(a.memory(), i * a.stride(0), b.memory(), j * b.stride(0), k);
                    long at = i * c.stride(0) + j;
                    c.set(at, accumulate ? c.get(at) + dot : dot);
                }
            }
        });
    }

    /// In plain loops: these kernels have no instructions for whole numbers.
    @Override
    protected void multiplyQuantized(Tensor x, Quantized w, Activations activations, Tensor y, boolean accumulate) {
        int k = w.k();
        for (int i = 0; i < y.size(0); i++) {
            float[] left = new float[k];
            float[] scales = new float[w.groups()];
            enter(x, i * x.stride(0), w.group(), activations, left, scales);
            long to = i * y.stride(0);
            Tasks.rows(workers, y.size(1), (long) k * 4, (first, last, _) -> {
                for (int j = first; j < last; j++) {
                    double sum = 0;
                    for (int g = 0; g < scales.length; g++) {
                        double inner = 0;
                        for (int p = g * w.group(); p < Math.min(k, (g + 1) * w.group()); p++) {
                            inner += (double) left[p] * w.value(j, p);
                        }
                        sum += scales[g] * w.scale(j, g) * inner;
                    }
                    y.set(to + j, accumulate ? y.get(to + j) + sum : sum);
                }
            });
        }
    }

    /// Turns a row into operands of a product, with a factor for each group.
    private void enter(Tensor x, long row, int group, Activations activations, float[] values, float[] scales) {
        byte[] bytes = new byte[group];
        for (int g = 0; g < scales.length; g++) {
            int from = g * group;
            int count = Math.min(group, values.length - from);
            boolean whole = activations == Activations.INT8;
            scales[g] = whole ? Activations.quantize(x, row + from, count, bytes) : 1;
            for (int p = 0; p < count; p++) {
                values[from + p] = whole ? bytes[p] : (float) precision().operand(x.get(row + from + p));
            }
        }
    }
}
