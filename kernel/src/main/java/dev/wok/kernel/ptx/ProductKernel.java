package dev.wok.kernel.ptx;

import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import java.util.List;

/// A kernel for products of narrow numbers with sums in float32, and how it divides the work. Operands
/// lie in rows that begin at multiples of 16 bytes.
///
/// Whatever the tiles are, an element of the result is one chain of the same instruction along `k`:
/// `wgmma` for sm_90a, `mma.sync` elsewhere. So its bits depend on `k` alone. Of numbers with scales
/// the chain is 128 of `k` long, see [dev.wok.kernel.Fp8Matmul].
sealed interface ProductKernel permits ProductSm80, ProductSm90 {
    /// Writes the code.
    void write(PtxKernel k);

    /// Starts it.
    ///
    /// @param function its code
    /// @param product of this kernel's form, with `k` above 0
    /// @param multiprocessors of the GPU
    void launch(GpuStream stream, PtxFunction function, Product product, int multiprocessors);

    /// Starts it on the GPU of these programs.
    default void launch(Programs programs, Product product) {
        PtxFunction function = programs.get(this, "product", this::write);
        launch(
                programs.gpu().stream(),
                function,
                product,
                programs.gpu().facts().multiprocessors());
    }

    /// @return the estimated time in clocks, to compare kernels by
    double cost(GpuFacts chip, int m, int n, int k);

    /// @return the kernels that the GPU has room for, for products of this form
    static List<? extends ProductKernel> candidates(Target target, GpuFacts chip, Product.Form form) {
        return target == Target.SM_90A && form.numbers() != Product.Numbers.WIDENED
                ? ProductSm90.candidates(chip, form)
                : ProductSm80.candidates(chip, form);
    }
}
