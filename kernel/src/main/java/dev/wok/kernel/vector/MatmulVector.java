package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Precision;
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
        Rows.requireFloats("Matmul", a, b, c);
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
        Rows.split(workers, c.size(1), (long) k * 4, (from, to, _) -> {
            for (int j = from; j < to; j++) {
                for (int i = 0; i < c.size(0); i++) {
                    float dot = Rows.dot(a.memory(), i * a.stride(0), b.memory(), j * b.stride(0), k);
                    long at = i * c.stride(0) + j;
                    c.set(at, accumulate ? c.get(at) + dot : dot);
                }
            }
        });
    }
}
