package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.GpuFacts;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What is particular to products on GPUs: bits that no choice of tiles changes, and every kernel that may be chosen.
class MatmulPtxTest {
    private static final Kernels REFERENCE = Kernels.on(Device.host(1).stream(), Backend.REFERENCE, Precision.F32);

    private final EmulatedGpu gpu = Device.emulated();
    private final Memory memory = gpu.pinned();

    @AfterEach
    void close() {
        gpu.close();
    }

    private Tensor here(Tensor host) {
        return OnGpu.copy(gpu, host);
    }

    private Tensor normal(String name, DType dtype, long... shape) {
        Rng rng = Seeds.rng(name);
        return here(Tensors.as(dtype, Tensors.normal(rng, DType.F32, shape)));
    }

    private Matmul matmul(Target target, Precision precision) {
        return new MatmulPtx(new Programs(gpu, target), precision, REFERENCE.matmul()::linear);
    }

    private static List<Target> targets() {
        return List.of(Target.SM_80, Target.SM_90A);
    }

    /// Holds a product against sums in double; a sum of `k` products in float32 may be off by `k` roundings.
    private static void assertProduct(String name, Product product) {
        Tensor a = product.turnsA() ? product.a().swap(0, 1) : product.a();
        Tensor b = product.turnsB() ? product.b().swap(0, 1) : product.b();
        int m = product.m();
        int n = product.n();
        int k = product.k();
        Tensor expected = Tensors.zeros(DType.F64, m, n);
        Tensor bound = Tensors.zeros(DType.F64, m, n);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                double size = 0;
                for (int p = 0; p < k; p++) {
                    double term = a.get(a.offset(i, p)) * b.get(b.offset(j, p));
                    sum += term;
                    size += Math.abs(term);
                }
                expected.set((long) i * n + j, sum);
                bound.set((long) i * n + j, (k + 2) * 0x1p-24 * size);
            }
        }
        Close.assertClose(name, expected, product.c(), bound);
    }

    private Product product(boolean turnsA, boolean turnsB, int m, int n, int k) {
        return new Product(
                turnsA ? normal("a", DType.BF16, k, m) : normal("a", DType.BF16, m, k),
                turnsA,
                turnsB ? normal("b", DType.BF16, k, n) : normal("b", DType.BF16, n, k),
                turnsB,
                memory.tensor(DType.F32, m, n),
                false);
    }

    /// Each kernel is right, all of a target have the same bits, and none asks for a bank of shared memory twice.
    private void everyKernel(int turns, int m, int n, int k) {
        GpuFacts facts = gpu.facts();
        for (Target target : targets()) {
            Programs programs = new Programs(gpu, target);
            Product first = product((turns & 1) != 0, (turns & 2) != 0, m, n, k);
            cheapest(target, first.form(), m, n, k).launch(programs, first);
            assertProduct(target + " " + first.form(), first);
            for (ProductKernel kernel : ProductKernel.candidates(target, facts, first.form())) {
                Tensor c = memory.tensor(DType.F32, m, n);
                Product other = new Product(first.a(), first.turnsA(), first.b(), first.turnsB(), c, false);
                kernel.launch(programs, other);
                assertEquals(Map.of(), gpu.lastLaunch().bankConflicts(), kernel::toString);
                Close.assertSame(kernel.toString(), first.c(), c);
            }
        }
    }

    /// What is added to is added once, to all of the sum.
    @Test
    void everyKernelAdds() {
        GpuFacts facts = gpu.facts();
        for (Target target : targets()) {
            Programs programs = new Programs(gpu, target);
            for (int n : new int[] {88, 87}) {
                Product product = product(false, false, 72, n, 64);
                new Bf16Product(programs).multiply(product);
                Tensor start = normal("start", DType.F32, 72, n);
                Tensor expected = Tensors.of(
                        i -> (float) start.get(i) + (float) product.c().get(i), DType.F32, 72, n);
                Product adding = new Product(product.a(), false, product.b(), false, product.c(), true);
                for (ProductKernel kernel : ProductKernel.candidates(target, facts, adding.form())) {
                    product.c().copyFrom(start);
                    kernel.launch(programs, adding);
                    Close.assertSame(kernel.toString(), expected, product.c());
                }
            }
        }
    }

    @Test
    void everyKernelInEveryOrientation() {
        for (int turns = 0; turns < 4; turns++) {
            everyKernel(turns, 72, 88, 136);
        }
    }

    /// Larger than the largest tile, with rows of copies that end within a piece.
    @Test
    void everyKernelOnSeveralTiles() {
        everyKernel(0, 264, 272, 40);
        everyKernel(3, 264, 272, 40);
    }

    /// Sizes that fill no piece of 16 bytes, in memory that is padded.
    @Test
    void oddSizes() {
        for (Target target : targets()) {
            Programs programs = new Programs(gpu, target);
            for (int turns = 0; turns < 4; turns++) {
                boolean turnsA = (turns & 1) != 0;
                boolean turnsB = (turns & 2) != 0;
                Tensor a = (turnsA ? normal("a", DType.BF16, 37, 48) : normal("a", DType.BF16, 43, 40))
                        .slice(1, 0, turnsA ? 43 : 37);
                Tensor b = (turnsB ? normal("b", DType.BF16, 37, 56) : normal("b", DType.BF16, 51, 40))
                        .slice(1, 0, turnsB ? 51 : 37);
                Product product = new Product(a, turnsA, b, turnsB, memory.tensor(DType.F32, 43, 51), false);
                for (ProductKernel kernel : ProductKernel.candidates(target, gpu.facts(), product.form())) {
                    kernel.launch(programs, product);
                    assertProduct(kernel.toString(), product);
                }
            }
        }
    }

    /// Blocks that compute several tiles, alone and in clusters with a row of tiles too many.
    @Test
    void blocksWithSeveralTiles() {
        Programs programs = new Programs(gpu, Target.SM_90A);
        Product product = product(false, false, 5 * 64 - 3, 3 * 64, 200);
        for (int cluster = 1; cluster <= 2; cluster++) {
            ProductKernel kernel = new ProductSm90(product.form(), 64, 1, 1, 4, cluster, true);
            Tensor c = memory.tensor(DType.F32, product.m(), product.n());
            Product again = new Product(product.a(), false, product.b(), false, c, false);
            kernel.launch(gpu.stream(), programs.get(kernel, "product", kernel::write), again, 4);
            assertProduct(kernel.toString(), again);
        }
    }

    /// The rows of a product have the same bits alone as among many, in every orientation and precision.
    @Test
    void rowsDoNotDependOnOthers() {
        int k = 300;
        int n = 70;
        for (Target target : targets()) {
            for (Precision precision : Precision.values()) {
                Matmul matmul = matmul(target, precision);
                Tensor x = normal("x", DType.F32, 140, k);
                Tensor w = normal("w", DType.F32, n, k);
                Tensor turned = normal("turned", DType.F32, k, n);
                Tensor all = memory.tensor(DType.F32, 140, n);
                Tensor allTurned = memory.tensor(DType.F32, 140, n);
                matmul.nt(x, w, all, false);
                matmul.nn(x, turned, allTurned, false);
                for (int rows : new int[] {1, 5, 17, 70}) {
                    Tensor some = memory.tensor(DType.F32, rows, n);
                    matmul.nt(x.slice(0, 3, 3 + rows), w, some, false);
                    Close.assertSame(target + " nt, " + rows, all.slice(0, 3, 3 + rows), some);
                    matmul.nn(x.slice(0, 3, 3 + rows), turned, some, false);
                    Close.assertSame(target + " nn, " + rows, allTurned.slice(0, 3, 3 + rows), some);
                }
            }
        }
    }

    /// Blocks of their own for chunks of `k` change no bit.
    @Test
    void chunksOfFloat32() {
        Programs programs = new Programs(gpu, Target.SM_80);
        for (int k : new int[] {100, 128, 128 * 3 + 5}) {
            for (int n : new int[] {36, 37}) {
                Tensor a = normal("a", DType.F32, 20, k);
                Tensor b = normal("b", DType.F32, n, k);
                Tensor start = normal("c", DType.F32, 20, n);
                for (int[] size : ProductF32.sizes()) {
                    Product whole = new Product(a, false, b, false, here(start), true);
                    Product split = new Product(a, false, b, false, here(start), true);
                    ProductF32.of(whole, size[0], size[1]).launchWhole(programs, whole);
                    ProductF32.of(split, size[0], size[1]).launchSplit(programs, split);
                    Close.assertSame("%d of k, tiles of %d rows".formatted(k, size[0]), whole.c(), split.c());
                }
            }
        }
    }

    /// A bf16 weight is read where it lies, a copy of another one is made anew when the weight has changed, and exact
    /// weights have the bits of float32.
    @Test
    void weights() {
        Rng rng = Seeds.rng("weights");
        Tensor x = normal("x", DType.F32, 9, 40);
        Tensor dy = normal("dy", DType.F32, 9, 11);
        for (Target target : targets()) {
            Matmul bf16 = matmul(target, Precision.BF16);
            Dense weight = Weight.of(normal("before", DType.F32, 11, 40));
            linear(bf16, x, weight);
            Tensor after = Tensors.normal(rng.split("after"), DType.F32, 11, 40);
            weight.value().copyFrom(after);
            weight.changed();
            Close.assertSame("changed", linear(bf16, x, Weight.of(here(after))), linear(bf16, x, weight));
            Close.assertSame(
                    "bf16", linear(bf16, x, weight), linear(bf16, x, Weight.of(here(Tensors.as(DType.BF16, after)))));
            Matmul f32 = matmul(target, Precision.F32);
            Close.assertSame("exact", linear(f32, x, weight), linear(bf16, x, Weight.exact(weight.value())));
            Tensor dw = memory.tensor(DType.F32, 11, 40);
            Tensor exact = memory.tensor(DType.F32, 11, 40);
            f32.linearWeight(dy, x, weight, dw);
            bf16.linearWeight(dy, x, Weight.exact(weight.value()), exact);
            Close.assertSame("dw", dw, exact);
        }
    }

    private Tensor linear(Matmul matmul, Tensor x, Dense w) {
        Tensor y = memory.tensor(DType.F32, x.dim(0), w.value().dim(0));
        matmul.linear(x, w, y, false);
        return y;
    }

    /// Operands in bf16 and float32 side by side, rows at any place, float32 products.
    @Test
    void mixedOperandsInFloat32() {
        for (int gap : new int[] {0, 1, 4}) {
            for (int k : new int[] {24, 33}) {
                Tensor a = normal("a", DType.BF16, 20, k + gap).slice(1, 0, k);
                Tensor b = normal("b", DType.F32, 30, k + gap).slice(1, 0, k);
                Product product = new Product(
                        a,
                        false,
                        b,
                        false,
                        memory.tensor(DType.F32, 20, 30 + gap).slice(1, 0, 30),
                        false);
                matmul(Target.SM_80, Precision.F32).nt(a, b, product.c(), false);
                assertProduct("gap %d, k %d".formatted(gap, k), product);
            }
        }
    }

    /// @return the candidate with the lowest estimate
    private ProductKernel cheapest(Target target, Product.Form form, int m, int n, int k) {
        return ProductKernel.candidates(target, gpu.facts(), form).stream()
                .<ProductKernel>map(candidate -> candidate)
                .min(Comparator.comparingDouble(candidate -> candidate.cost(gpu.facts(), m, n, k)))
                .orElseThrow();
    }

    private void assertChosen(Target target, int m, int n, int k, String expected) {
        Product.Form form = new Product.Form(Product.Numbers.BF16, false, false, false, true);
        assertEquals(expected, cheapest(target, form, m, n, k).toString());
    }

    /// Narrow tiles for few rows, so that all multiprocessors read the weight; wide ones for large products.
    @Test
    void choices() {
        assertChosen(Target.SM_80, 1, 2048, 2048, "sm_80 bf16 nt 16x16x32, 12 stages, 1x1 warps");
        assertChosen(Target.SM_80, 8192, 8192, 8192, "sm_80 bf16 nt 128x128x32, 4 stages, 2x4 warps");
        assertChosen(Target.SM_90A, 1, 2048, 2048, "sm_90a bf16 nt 64x16x128, 10 stages, 1 groups, cluster 1");
        assertChosen(
                Target.SM_90A,
                8192,
                8192,
                8192,
                "sm_90a bf16 nt 128x256x64, 4 stages, 2 groups, cluster 2, persistent");
    }
}
