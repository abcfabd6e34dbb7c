package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.kernel.ptx.Product.Numbers;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Everything that orders the products' threads, copies and tensor cores is needed: with one of them left out, the
/// emulator says so.
class BrokenProductsTest {
    private static final int SIZE = 70;
    private static final int K = 6 * 64;

    /// Which kernel.
    private record Subject(Target target, Numbers numbers, int cluster) {
        ProductKernel kernel(Product.Form form) {
            int depth = numbers == Numbers.BF16 ? 32 : 128;
            return target == Target.SM_90A
                    ? new ProductSm90(form, 64, 1, 1, 4, cluster, true)
                    : new ProductSm80(form, 64, 64, depth, 3, 2, 2);
        }

        private Product product(Memory memory) {
            DType dtype = numbers == Numbers.BF16 ? DType.BF16 : DType.F8_E4M3;
            Tensor a = memory.tensor(dtype, SIZE, K);
            Tensor b = memory.tensor(dtype, SIZE, K);
            Tensor c = memory.tensor(DType.F32, SIZE, SIZE);
            a.set(0, 1);
            b.set(0, 1);
            if (numbers == Numbers.BF16) {
                return new Product(a, false, b, false, c, false);
            }
            Tensor aScales = memory.tensor(DType.F32, SIZE, Fp8Matmul.groups(K));
            Tensor bScales = memory.tensor(DType.F32, 1, Fp8Matmul.groups(K));
            aScales.set(0, 1);
            bScales.set(0, 1);
            Product.Scales scales = new Product.Scales(aScales, bScales, numbers == Numbers.WIDENED);
            return new Product(a, false, b, false, c, false, scales);
        }

        LeftOut leftOut() {
            LeftOut test = new LeftOut(toString(), "product", target, (programs, memory) -> {
                Product product = product(memory);
                ProductKernel kernel = kernel(product.form());
                PtxFunction function = programs.get(kernel, "product", kernel::write);
                kernel.launch(programs.gpu().stream(), function, product, 2);
                assertEquals(1, product.c().get(0));
            });
            return target == Target.SM_90A ? test.butBarriersForCopies() : test;
        }

        @Override
        public String toString() {
            return "%s, %s, cluster %d".formatted(target, numbers, cluster);
        }
    }

    @TestFactory
    Stream<DynamicTest> whatOrdersThemIsNeeded() {
        return Stream.of(
                        new Subject(Target.SM_80, Numbers.BF16, 1),
                        new Subject(Target.SM_80, Numbers.WIDENED, 1),
                        new Subject(Target.SM_89, Numbers.E4M3, 1),
                        new Subject(Target.SM_90A, Numbers.BF16, 1),
                        new Subject(Target.SM_90A, Numbers.BF16, 2),
                        new Subject(Target.SM_90A, Numbers.E4M3, 1))
                .map(subject -> subject.leftOut().test());
    }
}
