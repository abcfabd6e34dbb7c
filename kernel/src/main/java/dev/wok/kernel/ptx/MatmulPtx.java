package dev.wok.kernel.ptx;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// In float32 [ProductF32], in bf16 [Bf16Product]. Both choose their tiles by all sizes, and add the products of an
/// element in an order that no tile changes: see there and [ProductKernel].
final class MatmulPtx extends Matmul {
    /// `y (+)= x * w^T` with a packed weight.
    interface OfPacked {
        void multiply(Tensor x, Packed w, Tensor y, boolean accumulate);
    }

    private final Programs programs;
    private final Bf16Product bf16;
    private final OfPacked packed;
    private final int multiprocessors;

    MatmulPtx(Programs programs, Precision precision, OfPacked packed) {
        super(precision);
        this.programs = programs;
        this.packed = packed;
        bf16 = new Bf16Product(programs);
        multiprocessors = programs.gpu().facts().multiprocessors();
    }

    private Product product(Orientation orientation, Tensor a, Tensor b, Tensor c, boolean accumulate) {
        Shape.require("Matmul on a GPU", c, "c", DType.F32);
        return new Product(a, orientation == Orientation.TN, b, orientation != Orientation.NT, c, accumulate);
    }

    @Override
    protected void multiply(
            Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        Product product = product(orientation, a, b, c, accumulate);
        if (in == Precision.BF16 && k > 0) {
            bf16.multiply(product);
        } else {
            ProductF32.multiply(programs, product, multiprocessors);
        }
    }

    @Override
    protected void multiplyDense(Orientation orientation, Tensor a, Dense b, Tensor c, int k, boolean accumulate) {
        if (precision(b) == Precision.BF16 && k > 0) {
            bf16.multiply(product(orientation, a, b.value(), c, accumulate), b);
        } else {
            multiply(Precision.F32, orientation, a, b.value(), c, k, accumulate);
        }
    }

    @Override
    protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {
        packed.multiply(x, w, y, accumulate);
    }
}
