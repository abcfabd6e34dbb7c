package dev.wok.kernel.ptx;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.kernel.host.HostFp8Matmul;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// E4M3 on the emulator: the processor's bits where numbers are rounded, and products within the rounding of float32,
/// which is more than chips promise.
class Fp8MatmulPtxTest {
    private static final Fp8Matmul HOST = new HostFp8Matmul(Device.host(1).workers());
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_89, Target.SM_90A);

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
        return here(Tensors.as(dtype, Tensors.normal(Seeds.rng(name), DType.F32, shape)));
    }

    private void assertRounded(String name, Tensor x, int gap) {
        long m = x.dim(0);
        long k = x.dim(1);
        Tensor values = memory.tensor(DType.F8_E4M3, m, k + gap).slice(1, 0, k);
        Tensor scales = memory.tensor(DType.F32, m, Fp8Matmul.groups(k));
        Tensor expected = Tensors.zeros(DType.F8_E4M3, m, k);
        Tensor expectedScales = Tensors.zeros(DType.F32, scales.shape());
        HOST.quantize(x, expected, expectedScales);
        new Fp8MatmulPtx(new Programs(gpu, Target.SM_80)).quantize(x, values, scales);
        Close.assertSame(name, expected, values);
        Close.assertSame(name + ", scales", expectedScales, scales);
    }

    @Test
    void rounding() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int k : new int[] {128, 300, 131}) {
                for (int gap : new int[] {0, 4, 1}) {
                    assertRounded("%s, %d of %d".formatted(dtype, k, k + gap), normal("x", dtype, 5, k), gap);
                }
            }
        }
    }

    /// Ties, numbers below the smallest normal one, zeros, and what is no number.
    @Test
    void roundingOfExtremes() {
        Tensor x = here(Tensors.of(
                i -> (i % 2 == 0 ? 1 : -1) * Math.scalb(1 + i % 32 / 16.0, (int) (9 - i / 32 % 20)),
                DType.F32,
                8,
                256));
        for (int i = 0; i < 128; i++) {
            x.set(i, i % 2 == 0 ? 0 : -0.0);
        }
        x.set(300, Double.NaN);
        x.set(600, Double.POSITIVE_INFINITY);
        x.set(900, Float.MAX_VALUE);
        x.set(1200, Float.MIN_VALUE);
        assertRounded("extremes", x, 0);
    }

    private record Operands(Tensor a, Tensor aScales, Tensor b, Tensor bScales) {}

    private Operands operands(int m, int n, int k, int gap) {
        Tensor a = memory.tensor(DType.F8_E4M3, m, k + gap).slice(1, 0, k);
        Tensor aScales = memory.tensor(DType.F32, m, Fp8Matmul.groups(k));
        HOST.quantize(normal("a", DType.F32, m, k), a, aScales);
        Tensor b = memory.tensor(DType.F8_E4M3, n, k + gap).slice(1, 0, k);
        HOST.quantize(normal("b", DType.F32, n, k), b, memory.tensor(DType.F32, n, Fp8Matmul.groups(k)));
        Tensor bScales = normal("scales", DType.F32, Fp8Matmul.groups(n), Fp8Matmul.groups(k));
        return new Operands(a, aScales, b, bScales);
    }

    private static void assertProduct(String name, Operands o, Tensor c) {
        int k = o.a.size(1);
        Tensor expected = Tensors.zeros(DType.F64, c.shape());
        Tensor bound = Tensors.zeros(DType.F64, c.shape());
        for (int i = 0; i < c.size(0); i++) {
            for (int j = 0; j < c.size(1); j++) {
                double sum = 0;
                double size = 0;
                for (int p = 0; p < k; p++) {
                    int group = p / Fp8Matmul.GROUP;
                    double scale = o.aScales.get(o.aScales.offset(i, group))
                            * o.bScales.get(o.bScales.offset(j / Fp8Matmul.GROUP, group));
                    double term = scale * o.a.get(o.a.offset(i, p)) * o.b.get(o.b.offset(j, p));
                    sum += term;
                    size += Math.abs(term);
                }
                expected.set(expected.offset(i, j), sum);
                bound.set(bound.offset(i, j), (k + 4) * 0x1p-24 * size);
            }
        }
        Close.assertClose(name, expected, c, bound);
    }

    /// Each kernel is right, and all of a target have the same bits.
    @Test
    void everyKernel() {
        Operands o = operands(72, 200, 300, 4);
        Operands aligned = operands(72, 200, 300, 20);
        for (Target target : TARGETS) {
            Programs programs = new Programs(gpu, target);
            Tensor first = memory.tensor(DType.F32, 72, 200);
            new Fp8MatmulPtx(programs).nt(o.a, o.aScales, o.b, o.bScales, first);
            assertProduct(target + "", o, first);
            Product.Scales scales = new Product.Scales(aligned.aScales, aligned.bScales, target == Target.SM_80);
            Tensor c = memory.tensor(DType.F32, 72, 200);
            Product product = new Product(aligned.a, false, aligned.b, false, c, false, scales);
            for (ProductKernel kernel : ProductKernel.candidates(target, gpu.facts(), product.form())) {
                kernel.launch(programs, product);
                Close.assertSame(kernel.toString(), first, c);
            }
        }
    }

    /// Few rows, odd sizes, and nothing to add.
    @Test
    void sizes() {
        for (Target target : TARGETS) {
            Fp8Matmul matmul = new Fp8MatmulPtx(new Programs(gpu, target));
            for (int[] s : new int[][] {{1, 33, 37}, {3, 129, 128}, {17, 5, 257}, {2, 3, 0}}) {
                Operands o = operands(s[0], s[1], s[2], 0);
                Tensor c = memory.tensor(DType.F32, s[0], s[1]);
                matmul.nt(o.a, o.aScales, o.b, o.bScales, c);
                assertProduct("%s, %dx%dx%d".formatted(target, s[0], s[1], s[2]), o, c);
            }
        }
    }

    /// Where a code or a scale is no number, the results concerned are none, and no others.
    @Test
    void whatIsNoNumberStaysSo() {
        for (Target target : TARGETS) {
            Operands o = operands(4, 40, 256, 0);
            o.a.set(o.a.offset(1, 200), Double.NaN);
            o.aScales.set(o.aScales.offset(2, 1), Double.NaN);
            Tensor c = memory.tensor(DType.F32, 4, 40);
            new Fp8MatmulPtx(new Programs(gpu, target)).nt(o.a, o.aScales, o.b, o.bScales, c);
            assertProduct(target + "", o, c);
        }
    }
}
