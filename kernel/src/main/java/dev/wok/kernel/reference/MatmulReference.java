package dev.wok.kernel.reference;

import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;

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
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        PackedReference product = new PackedReference(w, precision());
        for (long i = 0; i < y.dim(0); i++) {
            double[] sums = product.times(x, i * x.stride(0), 0);
            for (int j = 0; j < sums.length; j++) {
                Numbers.put(y, i * y.stride(0) + j, sums[j], accumulate);
            }
        }
    }
}
