package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Attention;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// What holds for attention on GPUs alone.
class AttentionPtxTest {
    private static final int TOKENS = 70;
    private static final int HEADS = 2;
    private static final List<Target> TARGETS = List.of(Target.SM_80, Target.SM_90A);

    private final EmulatedGpu gpu = Device.emulated();
    private final Memory memory = gpu.pinned();

    private Tensor here(DType dtype, Tensor host) {
        Tensor here = memory.tensor(dtype, host.shape());
        here.copyFrom(host);
        return here;
    }

    private static Tensor numbers(Rng rng, int heads, int dim) {
        return Tensors.as(DType.F32, Tensors.as(DType.BF16, Tensors.normal(rng, DType.F32, TOKENS, heads, dim)));
    }

    /// @return `out, lse, dq, dk, dv` with everything in a type, the gradients from these values of `out` and `lse`
    private List<Tensor> results(
            Attention attention, DType dtype, int[] keyStart, Tensor q, Tensor k, Tensor v, Tensor dOut) {
        Tensor[] in = List.of(q, k, v, dOut).stream().map(t -> here(dtype, t)).toArray(Tensor[]::new);
        Tensor starts = here(DType.I32, Tensor.of(keyStart));
        Tensor out = memory.tensor(dtype, dOut.shape());
        Tensor lse = memory.tensor(dtype, TOKENS, HEADS);
        attention.forward(in[0], in[1], in[2], starts, 0.2, out, lse);
        Tensor dq = memory.tensor(dtype, q.shape());
        Tensor dk = memory.tensor(dtype, k.shape());
        Tensor dv = memory.tensor(dtype, v.shape());
        Tensor outBefore = here(dtype, dOut);
        Tensor lseBefore = here(dtype, Tensors.of(_ -> 4, DType.F32, TOKENS, HEADS));
        attention.backward(in[0], in[1], in[2], starts, 0.2, outBefore, lseBefore, in[3], dq, dk, dv);
        return List.of(out, lse, dq, dk, dv);
    }

    private void assertRounds(Target target, Precision precision, int qkDim, int vDim) {
        Rng rng = Seeds.rng("attention in bf16 " + qkDim);
        Tensor q = numbers(rng.split("q"), HEADS, qkDim);
        Tensor k = numbers(rng.split("k"), 1, qkDim);
        Tensor v = numbers(rng.split("v"), 1, vDim);
        Tensor dOut = numbers(rng.split("dOut"), HEADS, vDim);
        int[] starts = IntStream.range(0, TOKENS).map(t -> t < 21 ? 0 : 21).toArray();
        Attention attention = new AttentionPtx(new Programs(gpu, target), precision);
        List<Tensor> wide = results(attention, DType.F32, starts, q, k, v, dOut);
        List<Tensor> narrow = results(attention, DType.BF16, starts, q, k, v, dOut);
        for (int i = 0; i < wide.size(); i++) {
            String name = "%d of %d, %d in %s on %s".formatted(i, qkDim, vDim, precision, target);
            Close.assertSame(name, Tensors.as(DType.BF16, wide.get(i)), narrow.get(i));
        }
    }

    /// Tensors of bf16 hold the rounded results of the same numbers in float32, whether copies can read them as they
    /// lie or not.
    @Test
    void bf16IsRoundedFloat32() {
        for (Target target : TARGETS) {
            assertRounds(target, Precision.BF16, 192, 128);
            assertRounds(target, Precision.BF16, 24, 16);
            assertRounds(target, Precision.BF16, 8, 6);
            assertRounds(target, Precision.BF16, 5, 3);
        }
        assertRounds(Target.SM_80, Precision.F32, 8, 4);
        assertRounds(Target.SM_80, Precision.F32, 5, 3);
    }

    private Tensor forward(Target target, Tensor q, Tensor k, Tensor v, int document) {
        int tokens = q.size(0);
        int[] starts =
                IntStream.range(0, tokens).map(t -> t < document ? 0 : document).toArray();
        Tensor out = memory.tensor(DType.F32, tokens, 1, 16);
        new AttentionPtx(new Programs(gpu, target), Precision.BF16)
                .forward(
                        here(DType.F32, q),
                        here(DType.F32, k),
                        here(DType.F32, v),
                        here(DType.I32, Tensor.of(starts)),
                        0.3,
                        out,
                        memory.tensor(DType.F32, tokens, 1));
        return out;
    }

    /* Weights are rounded to bf16 relative to a maximum that depends on the tiles: 2^-8 on either side of a mean of
     * positive numbers.
     */
    /// Through a ring of stages many times.
    @Test
    void longDocuments() {
        int tokens = 1100;
        int document = 333;
        Rng rng = Seeds.rng("long documents");
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, tokens, 1, 16);
        Tensor k = Tensors.normal(rng.split("k"), DType.F32, tokens, 1, 16);
        Rng values = rng.split("v");
        Tensor v = Tensors.of(i -> 1 + values.below(i, 8) / 8.0, DType.F32, tokens, 1, 16);
        Tensor expected = forward(Target.SM_80, q, k, v, document);
        for (Target target : TARGETS) {
            Tensor packed = forward(target, q, k, v, document);
            Close.assertRelative("out on " + target, expected, packed, 0x1.04p-7);
            Tensor alone = forward(
                    target,
                    q.slice(0, document, tokens),
                    k.slice(0, document, tokens),
                    v.slice(0, document, tokens),
                    0);
            Close.assertSame("alone on " + target, alone, packed.slice(0, document, tokens));
        }
    }

    /// A query whose keys begin nowhere has no numbers, and nobody else loses theirs.
    @Test
    void badKeyStartsGiveNoNumbers() {
        Rng rng = Seeds.rng("bad key starts");
        Tensor q = numbers(rng.split("q"), HEADS, 16);
        Tensor k = numbers(rng.split("k"), 1, 16);
        Tensor v = numbers(rng.split("v"), 1, 16);
        Tensor dOut = numbers(rng.split("dOut"), HEADS, 16);
        int[] starts = new int[TOKENS];
        starts[9] = -3;
        starts[TOKENS - 1] = 1 << 30;
        assertSpoilsBadAlone(Target.SM_80, Precision.F32, starts, q, k, v, dOut);
        for (Target target : TARGETS) {
            assertSpoilsBadAlone(target, Precision.BF16, starts, q, k, v, dOut);
        }
    }

    private void assertSpoilsBadAlone(
            Target target, Precision precision, int[] starts, Tensor q, Tensor k, Tensor v, Tensor dOut) {
        Attention attention = new AttentionPtx(new Programs(gpu, target), precision);
        List<Tensor> results = results(attention, DType.F32, starts, q, k, v, dOut);
        for (int t = 0; t < TOKENS; t++) {
            boolean isBad = starts[t] < 0 || starts[t] > t;
            for (int i = 0; i < 3; i++) {
                Tensor result = results.get(i);
                assertEquals(isBad, Double.isNaN(result.get(t * result.stride(0))), t + " " + i);
            }
        }
        for (double value : Tensors.values(results.get(3))) {
            assertFalse(Double.isNaN(value), "dk");
        }
    }
}
