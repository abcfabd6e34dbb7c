package dev.wok.kernel.vector;

import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.util.List;

final class MatmulVector extends Matmul {
    private final Gemm gemm;
    private final PackedVector packed;

    MatmulVector(Gemm gemm, PackedVector packed, Precision precision) {
        super(precision);
        this.packed = packed;
        this.gemm = gemm;
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        Tasks.requireFloats("Matmul", a, b, c);
        Gemm.Left left = orientation == Orientation.TN ? Gemm.columns(a) : Gemm.rows(a);
        Gemm.Right right = orientation == Orientation.NT ? Gemm.transposed(b) : Gemm.plain(b);
        boolean transposed = orientation == Orientation.TN;
        gemm.run(in, new Gemm.Problem(c.size(0), c.size(1), k, left, transposed, right, Gemm.into(c, accumulate)));
    }

    /// In plain loops: these kernels have no instructions for whole numbers.
    @Override
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        Tasks.requireFloats("Matmul", y);
        packed.run(List.of(new PackedVector.Problem(y.size(0), i -> i, x, w, y, accumulate)));
    }
}
