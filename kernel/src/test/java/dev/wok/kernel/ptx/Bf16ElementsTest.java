package dev.wok.kernel.ptx;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.Test;

/// Rows in bfloat16: computed in float32, stored rounded. The reference computes from the same numbers in double and
/// rounds too, so results lie one rounding apart on either side at most: 2^-8 each, of what they are near to.
class Bf16ElementsTest {
    private static final double TWO_ROUNDINGS = 0x1.04p-7;
    private static final Kernels REFERENCE = Kernels.on(Device.host(1).stream(), Backend.REFERENCE, Precision.F32);

    private final EmulatedGpu gpu = Device.emulated();
    private final Programs programs = new Programs(gpu, Target.SM_80);

    private Tensor here(Tensor host) {
        return OnGpu.copy(gpu, host);
    }

    private static Tensor bf16(Rng rng, long... shape) {
        return Tensors.as(DType.BF16, Tensors.normal(rng, DType.F32, shape));
    }

    private static void assertNear(String name, Tensor expected, Tensor got) {
        double[] values = Tensors.values(expected);
        Tensor bound =
                Tensors.of(i -> TWO_ROUNDINGS * Math.abs(values[(int) i]) + 0x1p-20, DType.F64, expected.shape());
        Close.assertClose(name, expected, got, bound);
    }

    private void rmsNorm(int tokens, int n) {
        Rng rng = Seeds.rng("bf16 rms " + n);
        Tensor x = bf16(rng.split("x"), tokens, n);
        Tensor weight = bf16(rng.split("w"), n);
        Tensor y = Tensors.zeros(DType.BF16, tokens, n);
        Tensor rstd = Tensors.zeros(DType.F32, tokens);
        REFERENCE.rmsNorm().forward(x, weight, 1e-6, y, rstd);
        Tensor gotY = here(Tensors.zeros(DType.BF16, tokens, n));
        Tensor gotRstd = here(Tensors.zeros(DType.F32, tokens));
        new RmsNormPtx(programs).forward(here(x), here(weight), 1e-6, gotY, gotRstd);
        assertNear("y", y, gotY);
        Close.assertRelative("rstd", rstd, gotRstd, (n + 6) * 0x1p-24);

        Tensor dy = bf16(rng.split("dy"), tokens, n);
        Tensor dx = bf16(rng.split("dx"), tokens, n);
        Tensor dWeight = bf16(rng.split("dw"), n);
        Tensor gotDx = here(dx);
        Tensor gotDWeight = here(dWeight);
        REFERENCE.rmsNorm().backward(x, weight, rstd, dy, dx, false, dWeight);
        new RmsNormPtx(programs).backward(here(x), here(weight), here(rstd), here(dy), gotDx, false, gotDWeight);
        assertNear("dx", dx, gotDx);
        assertNear("dWeight", dWeight, gotDWeight);
    }

    @Test
    void rmsNorm() {
        rmsNorm(3, 64);
        rmsNorm(2, 37);
        rmsNorm(2, 2048);
    }

    private void swiglu(int tokens, int n) {
        Rng rng = Seeds.rng("bf16 swiglu " + n);
        Tensor gateUp = bf16(rng.split("x"), tokens, 2L * n);
        Tensor dOut = bf16(rng.split("d"), tokens, n);
        Tensor out = Tensors.zeros(DType.BF16, tokens, n);
        Tensor gradient = Tensors.zeros(DType.BF16, tokens, 2L * n);
        REFERENCE.swiglu().forward(gateUp, out);
        REFERENCE.swiglu().backward(gateUp, dOut, gradient);
        Tensor gotOut = here(Tensors.zeros(DType.BF16, tokens, n));
        Tensor gotGradient = here(Tensors.zeros(DType.BF16, tokens, 2L * n));
        new SwigluPtx(programs).forward(here(gateUp), gotOut);
        new SwigluPtx(programs).backward(here(gateUp), here(dOut), gotGradient);
        assertNear("out", out, gotOut);
        assertNear("gradient", gradient, gotGradient);
    }

    @Test
    void swiglu() {
        swiglu(3, 64);
        swiglu(2, 37);
    }

    /// Rows that are ready for the copies, and rows that are not.
    @Test
    void products() {
        Rng rng = Seeds.rng("bf16 products");
        for (int k : new int[] {64, 72, 41}) {
            Tensor a = bf16(rng.split("a" + k), 70, k);
            Tensor b = bf16(rng.split("b" + k), 50, k);
            Tensor c = Tensors.zeros(DType.F32, 70, 50);
            REFERENCE.matmul().nt(a, b, c, false);
            Tensor sums = Tensors.zeros(DType.F32, 70, 50);
            REFERENCE
                    .matmul()
                    .nt(
                            Tensors.of(i -> Math.abs(Tensors.values(a)[(int) i]), DType.F32, 70, k),
                            Tensors.of(i -> Math.abs(Tensors.values(b)[(int) i]), DType.F32, 50, k),
                            sums,
                            false);
            double[] size = Tensors.values(sums);
            int terms = k + 2;
            Tensor bound = Tensors.of(i -> terms * 0x1p-24 * size[(int) i], DType.F64, 70, 50);
            for (Target target : new Target[] {Target.SM_80, Target.SM_90A}) {
                Tensor got = here(Tensors.zeros(DType.F32, 70, 50));
                new Bf16Product(new Programs(gpu, target))
                        .multiply(new Product(here(a), false, here(b), false, got, false));
                Close.assertClose("c on " + target, c, got, bound);
            }
        }
    }
}
