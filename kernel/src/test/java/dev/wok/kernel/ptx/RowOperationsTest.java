package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Rotary.Pairing;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// What the operations on rows do on a GPU alone: bfloat16, sizes where another kernel takes over, and
/// data that points outside.
class RowOperationsTest {
    /// Two results, each computed in float32 or better and rounded to bfloat16: 2^-8 each, of what they
    /// are near to.
    private static final double TWO_ROUNDINGS = 0x1.04p-7;

    private static final double U = 0x1p-24;
    private static final Kernels REFERENCE = Kernels.on(Device.host(1).stream(), Backend.REFERENCE, Precision.F32);

    private final EmulatedGpu gpu = Device.emulated();
    private final Programs programs = new Programs(gpu, Target.SM_80);
    private final Memory memory = gpu.pinned();

    private Tensor here(Tensor host) {
        return OnGpu.copy(gpu, host);
    }

    private Tensor zeros(DType dtype, long... shape) {
        return here(Tensors.zeros(dtype, shape));
    }

    private static Tensor bf16(String name, long... shape) {
        return Tensors.as(DType.BF16, Tensors.normal(Seeds.rng(name), DType.F32, shape));
    }

    private static void assertNear(String name, Tensor expected, Tensor got, double absolute) {
        double[] values = Tensors.values(expected);
        Tensor bound =
                Tensors.of(i -> TWO_ROUNDINGS * Math.abs(values[(int) i]) + absolute, DType.F64, expected.shape());
        Close.assertClose(name, expected, got, bound);
    }

    // ---------------------------------------------------------------------------------------------- embedding

    private static int[] idsWithAFrequentOne(int tokens, int vocab) {
        Rng rng = Seeds.rng("frequent ids");
        int[] ids = new int[tokens];
        Arrays.setAll(ids, t -> rng.below(2L * t, 2) == 0 ? 7 : rng.below(2L * t + 1, vocab));
        return ids;
    }

    /// Half of all tokens are one id: each row is the sum of its tokens in their order, bit for bit.
    private void scatter(int tokens, int vocab, int hidden, DType dtype) {
        int[] ids = idsWithAFrequentOne(tokens, vocab);
        ids[tokens / 2] = -1;
        Tensor dOut = Tensors.as(dtype, Tensors.normal(Seeds.rng("dOut"), DType.F32, tokens, hidden));
        Tensor dTable = Tensors.as(dtype, Tensors.normal(Seeds.rng("dTable"), DType.F32, vocab, hidden));
        float[] sums = dTable.toFloats();
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < hidden && ids[t] >= 0; i++) {
                sums[ids[t] * hidden + i] += (float) dOut.get(dOut.offset(t, i));
            }
        }
        Tensor got = here(dTable);
        new EmbeddingPtx(programs).backward(here(Tensor.of(ids)), here(dOut), got);
        Close.assertSame("dTable", Tensors.of(i -> sums[(int) i], dtype, vocab, hidden), got);
    }

    @Test
    void frequentTokensAreSummedInTheirOrder() {
        scatter(9000, 129_280, 4, DType.F32);
        scatter(300, 11, 133, DType.F32);
        scatter(257, 12, 40, DType.BF16);
        for (int tokens : new int[] {1, 32, 33, 34, 63, 64, 65, 66, 97, 128, 255, 256}) {
            scatter(tokens, 9, 3, DType.F32);
            scatter(tokens, 8, 8, DType.BF16);
        }
    }

    /// A run of one id that begins and ends anywhere beside the places that warps look from.
    @Test
    void longRunsBeginAnywhere() {
        for (int before : new int[] {0, 1, 31, 32, 33}) {
            for (int count : new int[] {31, 32, 33, 64, 65}) {
                int tokens = before + count + 3;
                int[] ids = new int[tokens];
                Arrays.setAll(ids, t -> t < before ? 0 : t < before + count ? 1 : 2);
                Tensor dOut = Tensors.of(t -> 1 << t % 20, DType.F32, tokens, 1);
                Tensor got = zeros(DType.F32, 4, 1);
                new EmbeddingPtx(programs).backward(here(Tensor.of(ids)), here(dOut), got);
                Tensor expected = Tensors.zeros(DType.F32, 4, 1);
                for (int t = 0; t < tokens; t++) {
                    expected.set(ids[t], expected.get(ids[t]) + dOut.get(t));
                }
                Close.assertSame(before + " before " + count, expected, got);
            }
        }
    }

    @Test
    void idsBeyondTheTableGiveNothing() {
        Tensor table = here(Tensors.normal(Seeds.rng("table"), DType.F32, 5, 8)).slice(0, 0, 4);
        Tensor ids = here(Tensor.of(3, 4, -1, Integer.MAX_VALUE, Integer.MIN_VALUE));
        Tensor out = zeros(DType.F32, 5, 8);
        new EmbeddingPtx(programs).forward(ids, table, out);
        Tensor expected = Tensors.of(i -> i / 8 == 1 || i / 8 == 3 ? Double.NaN : 0, DType.F32, 5, 8);
        expected.select(0, 0).copyFrom(table.select(0, 3));
        Close.assertSame("out", expected, out);

        Tensor before = Tensors.copy(table);
        Tensor dOut = here(Tensors.of(i -> i < 8 ? 0 : 1, DType.F32, 5, 8));
        new EmbeddingPtx(programs).backward(ids, dOut, table);
        Close.assertSame("table", before, table);
    }

    @Test
    void tablesInBf16() {
        Tensor ids = Tensor.of(3, 0, -1, 3);
        for (int hidden : new int[] {5, 64}) {
            Tensor table = bf16("table", 4, hidden);
            for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
                Tensor out = Tensors.zeros(dtype, 4, hidden);
                REFERENCE.embedding().forward(ids, table, out);
                Tensor got = zeros(dtype, 4, hidden);
                new EmbeddingPtx(programs).forward(here(ids), here(table), got);
                Close.assertSame("out", out, got);
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- elementwise

    @Test
    void elementwiseInBf16() {
        for (int n : new int[] {37, 64}) {
            Tensor x = bf16("x", 3, n);
            Tensor y = bf16("y", 3, n);
            Tensor bias = bf16("bias", n);
            Tensor sum = Tensors.zeros(DType.BF16, 3, n);
            Tensor gotSum = zeros(DType.BF16, 3, n);
            ElementwisePtx elementwise = new ElementwisePtx(programs);
            REFERENCE.elementwise().add(x, y, sum);
            elementwise.add(here(x), here(y), gotSum);
            Close.assertSame("sum of two bf16, which is exact in float32", sum, gotSum);
            REFERENCE.elementwise().addBias(sum, bias);
            elementwise.addBias(gotSum, here(bias));
            Close.assertSame("with bias", sum, gotSum);
            Tensor dBias = here(bias);
            REFERENCE.elementwise().biasGradient(x, bias);
            elementwise.biasGradient(here(x), dBias);
            // The sums of 4 numbers below 6, rounded to float32 and once to bfloat16.
            assertNear("bias gradient", bias, dBias, 4 * U * 24);
        }
    }

    /// Several chunks of tokens, the last one short.
    @Test
    void manyTokensHaveOneBias() {
        for (int n : new int[] {37, 160}) {
            int tokens = 1300;
            Tensor dy = Tensors.normal(Seeds.rng("dy"), DType.F32, tokens, n);
            Tensor sums = Tensors.normal(Seeds.rng("sums"), DType.F32, n);
            Tensor got = here(sums);
            REFERENCE.elementwise().biasGradient(dy, sums);
            new ElementwisePtx(programs).biasGradient(here(dy), got);
            // Three levels: 64 tokens of a thread, 8 threads, 3 chunks; each number below 6.
            Close.assertClose("sums", sums, got, (64 + 8 + 3 + 2) * U * 6 * (tokens + 1));
        }
    }

    /// More rows than a grid has in its second dimension.
    @Test
    void moreRowsThanBlocks() {
        int rows = 65_541;
        int n = 129;
        Tensor x = zeros(DType.BF16, rows, n);
        Tensor bias = here(Tensors.as(DType.BF16, Tensors.of(i -> i + 1, DType.F32, n)));
        new ElementwisePtx(programs).addBias(x, bias);
        for (int row : new int[] {0, 1, 65_534, 65_535, 65_536, rows - 1}) {
            Close.assertSame("row " + row, bias, x.select(0, row));
        }
    }

    /// All upper halves of a float, with lower halves on either side of the middle: every exponent,
    /// infinities, numbers below the normal ones; what is no number stays none.
    @Test
    void roundsEveryKindOfNumber() {
        int[] lower = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
        Tensor x = memory.tensor(DType.F32, 1 << 16, lower.length);
        for (int i = 0; i < x.elements(); i++) {
            x.memory().setAtIndex(ValueLayout.JAVA_INT, i, i / lower.length << 16 | lower[i % lower.length]);
        }
        ElementwisePtx elementwise = new ElementwisePtx(programs);
        Tensor narrow = zeros(DType.BF16, x.shape());
        Tensor wide = zeros(DType.F32, x.shape());
        Tensor copy = zeros(DType.F32, x.shape());
        Tensor narrowCopy = zeros(DType.BF16, x.shape());
        elementwise.cast(x, narrow);
        elementwise.cast(narrow, wide);
        elementwise.cast(x, copy);
        elementwise.cast(narrow, narrowCopy);
        Tensor expected = Tensors.as(DType.BF16, x);
        Close.assertSame("narrow", expected, narrow);
        Close.assertSame("wide", Tensors.as(DType.F32, expected), wide);
        assertEquals(-1, x.memory().mismatch(copy.memory()), "a copy has the same bits");
        assertEquals(-1, narrow.memory().mismatch(narrowCopy.memory()), "a copy has the same bits");
    }

    /// Four dimensions, none of which joins the next, in every pair of types; what lies between stays.
    @Test
    void castsRowsOfFourDimensions() {
        for (int n : new int[] {7, 8}) {
            for (DType from : new DType[] {DType.F32, DType.BF16}) {
                for (DType to : new DType[] {DType.F32, DType.BF16}) {
                    Tensor source = Tensors.as(from, Tensors.normal(Seeds.rng("cast"), DType.F32, 4, 3, 7, n + 4));
                    Tensor around = zeros(to, 3, 5, 6, n + 8);
                    Tensor target =
                            around.slice(0, 0, 2).slice(1, 1, 4).slice(2, 2, 6).slice(3, 4, n + 4);
                    new ElementwisePtx(programs)
                            .cast(here(source).slice(0, 2, 4).slice(2, 1, 5).slice(3, 0, n), target);
                    Tensor expected = Tensors.zeros(to, 3, 5, 6, n + 8);
                    expected.slice(0, 0, 2)
                            .slice(1, 1, 4)
                            .slice(2, 2, 6)
                            .slice(3, 4, n + 4)
                            .copyFrom(source.slice(0, 2, 4).slice(2, 1, 5).slice(3, 0, n));
                    Close.assertSame("around", expected, around);
                }
            }
        }
    }

    /// A page or a table that points outside, and positions behind the table: nothing is written.
    @Test
    void placesOutsideOfTheCacheAreLeftOut() {
        Tensor from = here(Tensors.of(i -> i + 1, DType.F32, 5, 1, 4));
        Tensor to = zeros(DType.F32, 2, 2, 1, 4);
        PageTable table = new PageTable(
                here(Tensor.of(0, 3, 5)),
                here(Tensor.of(1, 2, -1, Integer.MAX_VALUE)).reshape(2, 2));
        Tensor positions = here(Tensor.of(1, 2, 4, 0, Integer.MAX_VALUE));
        new ElementwisePtx(programs).castToPages(from, to, table, positions);
        Tensor expected = Tensors.zeros(DType.F32, 2, 2, 1, 4);
        expected.select(0, 1).select(0, 1).copyFrom(from.select(0, 0));
        Close.assertSame("to", expected, to);
    }

    // ---------------------------------------------------------------------------------------------- rotary

    /// Cosine and sine of any angle are correctly rounded: near multiples of pi/2, far from zero, in
    /// both types.
    @Test
    void anglesOfAllSizes() {
        int[] positions = {0, 1, -1, 11, 22, 33, 355, 710, 103_993, 1 << 24, 573_204_480, Integer.MAX_VALUE, -(1 << 30)
        };
        float[] frequencies = {1, 0.1f, 1e-4f, 1e-30f, 0x1p-149f, 1.5707964f, 3.1415927f, 0x1.921fb6p-30f, 1000, 0};
        int half = frequencies.length;
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            Tensor cos = zeros(dtype, positions.length, half);
            Tensor sin = zeros(dtype, positions.length, half);
            Tensor rates = Tensors.of(i -> frequencies[(int) i], DType.F32, half);
            new RotaryPtx(programs).table(here(Tensor.of(positions)), here(rates), 1, cos, sin);
            for (int t = 0; t < positions.length; t++) {
                for (int i = 0; i < half; i++) {
                    float angle = positions[t] * frequencies[i];
                    String place = "%s of %s * %s".formatted(dtype, positions[t], frequencies[i]);
                    assertRounded("cos " + place, Math.cos(angle), cos.get(cos.offset(t, i)), dtype);
                    assertRounded("sin " + place, Math.sin(angle), sin.get(sin.offset(t, i)), dtype);
                }
            }
        }
    }

    private static void assertRounded(String what, double exact, double got, DType dtype) {
        assertEquals(dtype == DType.F32 ? (float) exact : Bf16.round(exact), got, what);
    }

    @Test
    void rotaryInBf16() {
        for (int half : new int[] {5, 32}) {
            Tensor cos = bf16("cos", 3, half);
            Tensor sin = bf16("sin", 3, half);
            for (Pairing pairing : Pairing.values()) {
                Tensor x = bf16("x", 3, 2, 2L * half);
                Tensor got = here(x);
                REFERENCE.rotary().rotate(x, cos, sin, pairing, true);
                new RotaryPtx(programs).rotate(got, here(cos), here(sin), pairing, true);
                // Two products of numbers below 6.
                assertNear(pairing + " of " + half, x, got, 3 * U * 72);
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- keys

    @Test
    void latentKeysInBf16() {
        for (int rope : new int[] {3, 16}) {
            int nope = 2 * rope;
            Tensor own = bf16("nope", 3, 4, nope);
            Tensor shared = bf16("rope", 3, rope);
            Tensor keys = Tensors.zeros(DType.BF16, 3, 4, nope + rope);
            Tensor got = zeros(DType.BF16, 3, 4, nope + rope);
            REFERENCE.latentKeys().forward(own, shared, keys);
            LatentKeysPtx latentKeys = new LatentKeysPtx(programs);
            latentKeys.forward(here(own), here(shared), got);
            Close.assertSame("keys", keys, got);

            Tensor dk = bf16("dk", 3, 4, nope + rope);
            Tensor dNope = zeros(DType.BF16, 3, 4, nope);
            Tensor dRope = zeros(DType.BF16, 3, rope);
            REFERENCE.latentKeys().backward(dk, own, shared);
            latentKeys.backward(here(dk), dNope, dRope);
            Close.assertSame("dNope", own, dNope);
            assertNear("dRope", shared, dRope, 4 * U * 24);
        }
    }

    // ---------------------------------------------------------------------------------------------- cross-entropy

    /// As [dev.wok.kernel.CrossEntropyTest] derives them, with what rounding to bfloat16 adds.
    private void crossEntropy(DType dtype, int vocab) {
        int[] targets = {vocab - 1, 0, -1, vocab / 2};
        double factor = 0.25;
        Tensor logits = Tensors.as(dtype, Tensors.normal(Seeds.rng("logits"), DType.F32, 4, vocab));
        Tensor losses = Tensors.zeros(DType.F32, 4);
        Tensor gotLosses = zeros(DType.F32, 4);
        Tensor forward = zeros(DType.F32, 4);
        Tensor got = here(logits);
        CrossEntropyPtx crossEntropy = new CrossEntropyPtx(programs);
        crossEntropy.forward(got, here(Tensor.of(targets)), forward);
        crossEntropy.forwardBackward(got, here(Tensor.of(targets)), factor, gotLosses);
        Close.assertSame("losses", forward, gotLosses);
        REFERENCE.crossEntropy().forwardBackward(logits, Tensor.of(targets), factor, losses);
        // The sum of a thread's numbers, then of the threads', over a range of 12.
        double terms = vocab / 128.0 + 32 + 16 + 12 + 12;
        Close.assertClose("losses", losses, gotLosses, U * (terms + 2 * 24));
        double[] values = Tensors.values(logits);
        double rounding = dtype == DType.BF16 ? TWO_ROUNDINGS : 2 * terms * U;
        Tensor bound =
                Tensors.of(i -> rounding * Math.abs(values[(int) i]) + factor * 3 * U, DType.F64, logits.shape());
        Close.assertClose("gradient", logits, got, bound);
    }

    @Test
    void crossEntropyOfLargeVocabularies() {
        crossEntropy(DType.F32, 129_280);
        crossEntropy(DType.F32, 4097);
        crossEntropy(DType.BF16, 129_280);
        crossEntropy(DType.BF16, 301);
    }

    @Test
    void targetsBeyondTheVocabularyGiveNaN() {
        Tensor logits = zeros(DType.F32, 3, 6);
        Tensor targets = here(Tensor.of(6, -1, Integer.MAX_VALUE));
        Tensor losses = zeros(DType.F32, 3);
        Tensor expected = Tensor.of(Float.NaN, 0f, Float.NaN);
        new CrossEntropyPtx(programs).forward(logits, targets, losses);
        Close.assertSame("losses", expected, losses);
        assertTrue(Arrays.stream(Tensors.values(logits)).allMatch(x -> x == 0), "logits are read alone");
        new CrossEntropyPtx(programs).forwardBackward(logits, targets, 1, losses);
        Close.assertSame("losses", expected, losses);
        Close.assertSame("gradients", Tensors.of(i -> i / 6 == 1 ? 0 : Double.NaN, DType.F32, 3, 6), logits);
    }
}
