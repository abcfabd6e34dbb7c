package dev.wok.kernel.reference;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Quantized;
import dev.wok.tensor.Tensor;
import java.util.Arrays;

final class MatmulReference extends Matmul {
    MatmulReference(Precision precision) {
        super(precision);
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        boolean transposeA = orientation == Orientation.TN;
        boolean transposeB = orientation == Orientation.NT;
        for (long i = 0; i < c.dim(0); i++) {
            for (long j = 0; j < c.dim(1); j++) {
                double sum = 0;
                for (long p = 0; p < k; p++) {
                    double left = a.get(transposeA ? p * a.stride(0) + i : i * a.stride(0) + p);
                    double right = b.get(transposeB ? j * b.stride(0) + p : p * b.stride(0) + j);
                    sum += in.operand(left) * in.operand(right);
                }
                Numbers.put(c, i * c.stride(0) + j, sum, accumulate);
            }
        }
    }

    @Override
    protected void multiplyQuantized(Tensor x, Quantized w, Activations activations, Tensor y, boolean accumulate) {
        byte[] values = new byte[w.group()];
        double[] sums = new double[y.size(1)];
        for (long i = 0; i < y.dim(0); i++) {
            Arrays.fill(sums, 0);
            for (int g = 0; g < w.groups(); g++) {
                int from = g * w.group();
                int count = Math.min(w.group(), w.k() - from);
                long row = i * x.stride(0) + from;
                double scale = activations == Activations.INT8 ? Activations.quantize(x, row, count, values) : 1;
                for (int j = 0; j < sums.length; j++) {
                    double sum = 0;
                    for (int p = 0; p < count; p++) {
                        double left = activations == Activations.INT8
                                ? values[p]
                                : precision().operand(x.get(row + p));
                        sum += left * w.value(j, from + p);
                    }
                    sums[j] += scale * w.scale(j, g) * sum;
                }
            }
            for (int j = 0; j < sums.length; j++) {
                Numbers.put(y, i * y.stride(0) + j, sums[j], accumulate);
            }
        }
    }
}
