package dev.wok.kernel.x86;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Quantized;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.List;

final class MatmulX86 extends Matmul {
    private final Gemm gemm;
    private final Forms forms;
    private final QuantizedGemm quantized;

    MatmulX86(Gemm gemm, Forms forms, Precision precision) {
        super(precision);
        quantized = new QuantizedGemm(gemm.programs());
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
    protected void multiplyWeight(Orientation orientation, Tensor a, Weight b, Tensor c, int k, boolean accumulate) {
        Precision in = precision(b);
        Panels right = forms.of(b, orientation == Orientation.NT, in).getFirst();
        run(gemm.rows(a, p -> p, in), right, c, accumulate);
    }

    @Override
    protected void multiplyQuantized(Tensor x, Quantized w, Activations activations, Tensor y, boolean accumulate) {
        Shape.require("Matmul on the x86 backend", y, "y", DType.F32);
        quantized.multiply(x, w, activations, precision(), y, accumulate);
    }

    private void run(Gemm.Left left, Panels right, Tensor c, boolean accumulate) {
        Shape.require("Matmul on the x86 backend", c, "c", DType.F32);
        gemm.run(List.of(new Gemm.Problem(c.size(0), left, right, c, accumulate, null)));
    }
}
