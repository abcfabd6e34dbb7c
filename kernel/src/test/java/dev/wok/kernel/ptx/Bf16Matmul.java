package dev.wok.kernel.ptx;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;

/// Puts [Bf16Product] under the tests of matrix products.
final class Bf16Matmul extends Matmul {
    private final Bf16Product product;

    Bf16Matmul(Programs programs, Precision precision) {
        super(precision);
        product = new Bf16Product(programs);
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        if (in != Precision.BF16) {
            throw new AssertionError("no kernels in " + in);
        }
        product.multiply(a, orientation == Orientation.TN, b, orientation != Orientation.NT, c, accumulate);
    }

    @Override
    protected void multiplyDense(Orientation orientation, Tensor a, Dense b, Tensor c, int k, boolean accumulate) {
        throw new AssertionError("no kernels for weights");
    }

    @Override
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        throw new AssertionError("no kernels for packed weights");
    }
}
