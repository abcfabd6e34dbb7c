package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.util.List;

final class MatmulVector extends Matmul {
    /// Up to this many rows, packing the right operand costs more than it saves: each result is one dot product.
    private static final int FEW_ROWS = 6;

    private final Workers workers;
    private final Gemm gemm;
    private final PackedVector packed;

    MatmulVector(Workers workers, Gemm gemm, PackedVector packed, Precision precision) {
        super(precision);
        this.packed = packed;
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
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        Tasks.requireFloats("Matmul", y);
        packed.run(List.of(new PackedVector.Problem(y.size(0), i -> i, x, w, y, accumulate)));
    }
}
