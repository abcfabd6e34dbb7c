package dev.wok.kernel.x86;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.List;

final class MatmulX86 extends Matmul {
    private final Gemm gemm;
    private final Forms forms;
    private final PackedGemm packed;

    MatmulX86(Gemm gemm, Forms forms, PackedGemm packed, Precision precision) {
        super(precision);
        this.packed = packed;
        this.gemm = gemm;
        this.forms = forms;
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        int n = c.size(1);
        Panels right = gemm.panels(gemm.temporary(gemm.panelBytes(n, k, in)), n, k, in);
        gemm.pack(List.of(new Gemm.Right(b, orientation == Orientation.NT, p -> p, right)), in);
        Gemm.Left left = orientation == Orientation.TN ? gemm.columns(a, p -> p, null, in) : gemm.rows(a, p -> p, in);
        run(left, right, c, accumulate);
    }

    @Override
    protected void multiplyDense(Orientation orientation, Tensor a, Dense b, Tensor c, int k, boolean accumulate) {
        Precision in = precision(b);
        Panels right = forms.of(b, orientation == Orientation.NT, in).getFirst();
        run(gemm.rows(a, p -> p, in), right, c, accumulate);
    }

    @Override
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        Shape.require("Matmul on the x86 backend", y, "y", DType.F32);
        if (w.element().isScaled()) {
            PackedGemm.Left left = packed.enter(x, w, precision());
            packed.run(List.of(new PackedGemm.Problem(y.size(0), left, w, y, accumulate)));
            return;
        }
        Precision in = w.exact() ? Precision.F32 : precision();
        run(gemm.rows(x, i -> i, in), gemm.panels(w, in), y, accumulate);
    }

    private void run(Gemm.Left left, Panels right, Tensor c, boolean accumulate) {
        Shape.require("Matmul on the x86 backend", c, "c", DType.F32);
        gemm.run(List.of(new Gemm.Problem(c.size(0), left, right, c, accumulate, null)));
    }
}
