package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.function.LongToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class LatentAttentionTest {
    private record Sizes(int tokens, int heads, int nope, int rope, int vDim, int rank, int keys, int gap) {
        static Sizes of(Case c) {
            return new Sizes(
                    c.size("tokens"),
                    c.size("heads"),
                    c.size("nope"),
                    c.size("rope"),
                    c.size("vDim"),
                    c.size("rank"),
                    c.size("keys"),
                    c.size("gap"));
        }
    }

    /* An exponent is off by (nope + rank + rope + 6) u times its sum of absolute products, a probability by twice that
     * and a rounding per key, the value by two more sums. In bfloat16 each side rounds its own q', which moves the
     * exponent by so much of that sum, its own probabilities, and its own weighted latent.
     */
    private static void attends(Case c) {
        Contract.checkProducts(run -> {
            Sizes s = Sizes.of(c);
            double scale = (float) (1 / Math.sqrt(s.nope + s.rope));
            Tensor q = run.input(c.rng("q"), s.gap, s.tokens, s.heads, s.nope + s.rope);
            LongToDoubleFunction weights = i -> c.rng("w").normal(i) / Math.sqrt(s.rank);
            long outputs = (long) s.heads * (s.nope + s.vDim);
            Tensor kvB = c.flag("narrow weights")
                    ? run.narrow(weights, s.gap, outputs, s.rank)
                    : run.input(weights, s.gap, outputs, s.rank);
            LongToDoubleFunction latents = c.rng("cache")::normal;
            Paging paging = Paging.of(c);
            Tensor cache = c.flag("narrow cache")
                    ? run.narrow(latents, s.gap, paging.pages(), paging.rows(), s.rank + s.rope)
                    : run.input(latents, s.gap, paging.pages(), paging.rows(), s.rank + s.rope);
            PageTable table = paging.table(run);
            Tensor out = run.written(s.gap, s.tokens, s.heads, s.vDim);
            LatentAttention attention = run.kernels().latentAttention();
            Tensor at = run.integers(paging.positions());
            boolean narrow = c.flag("narrow weights");
            if (c.flag("packed") && (narrow || run.kernels().precision() == Precision.F32)) {
                Packed.Element element = narrow ? Packed.Element.BF16 : Packed.Element.F32;
                Packed keys = packed(run, s, kvB, element, true);
                attention.forward(q, keys, packed(run, s, kvB, element, false), cache, table, at, scale, out);
            } else {
                attention.forward(q, Weight.of(kvB), cache, table, at, scale, out);
            }
            run.result("out", out, () -> bounds(run, s, q, kvB, cache, paging, scale));
        });
    }

    @Test
    void attends() {
        Paging.sizes(Property.of("LatentAttention"))
                .size("heads", 1, 21)
                .size("nope", 1, 33)
                .size("rope", 0, 20)
                .size("vDim", 1, 33)
                .size("rank", 1, 50)
                .size("keys", 0, 307)
                .size("gap", 0, 3)
                .flag("narrow weights")
                .flag("narrow cache")
                .flag("packed")
                .cases(60)
                .check(LatentAttentionTest::attends);
    }

    /// The latents of DeepSeek-V3, and more heads than a block of a GPU takes.
    @Test
    void attendsToLargeLatents() {
        large("LatentAttention.large", 66, 512, 64, 90).cases(2).check(LatentAttentionTest::attends);
    }

    /// So many keys that they are cut into larger parts.
    @Test
    void attendsToManyKeys() {
        large("LatentAttention.many", 3, 8, 4, 9000).cases(3).check(LatentAttentionTest::attends);
    }

    private static Property large(String name, int heads, int rank, int rope, int keys) {
        return Property.of(name)
                .size("tokens", 1, 2)
                .size("sequences", 1, 2)
                .size("half page", 8, 40)
                .flag("one page")
                .size("heads", heads, heads)
                .size("nope", 1, 3)
                .size("rope", rope, rope)
                .size("vDim", 1, 5)
                .size("rank", rank, rank)
                .size("keys", keys - 50, keys)
                .size("gap", 0, 0)
                .flag("narrow weights")
                .flag("narrow cache")
                .flag("packed");
    }

    /// Each head's rows of the keys, transposed, or of the values.
    private static Packed packed(Contract.Run run, Sizes s, Tensor kvB, Packed.Element element, boolean keys) {
        Tensor rows = kvB.split(0, s.nope + (long) s.vDim);
        Tensor part = keys ? rows.slice(1, 0, s.nope).swap(1, 2) : rows.slice(1, s.nope, s.nope + s.vDim);
        Tensor contiguous = Tensors.zeros(DType.F32, part.shape());
        contiguous.copyFrom(part);
        return Packed.of(contiguous, element, 0, Activations.FLOAT, run.memory());
    }

    private static Tensor bounds(
            Contract.Run run, Sizes s, Tensor q, Tensor kvB, Tensor cache, Paging paging, double scale) {
        Precision in = run.kernels().precision();
        Tensor bounds = Tensors.zeros(DType.F64, s.tokens, s.heads, s.vDim);
        for (Paging.Seen seen : paging.seen()) {
            int t = seen.token();
            for (int h = 0; h < s.heads; h++) {
                int row = h * (s.nope + s.vDim);
                double[] latentSum = new double[s.rank];
                double exponent = 0;
                for (int j = 0; j < seen.count(); j++) {
                    long cached = cache.offset(seen.page()[j], seen.within()[j]);
                    double sum = 0;
                    for (int r = 0; r < s.rank; r++) {
                        double latent = Math.abs(in.operand(cache.get(cached + r)));
                        latentSum[r] = Math.max(latentSum[r], latent);
                        for (int i = 0; i < s.nope; i++) {
                            sum += Math.abs(in.operand(q.get(q.offset(t, h, i)))
                                            * in.operand(kvB.get(kvB.offset(row + i, r))))
                                    * latent;
                        }
                    }
                    for (int i = 0; i < s.rope; i++) {
                        sum += Math.abs(in.operand(q.get(q.offset(t, h, s.nope + i)))
                                * in.operand(cache.get(cached + s.rank + i)));
                    }
                    exponent = Math.max(exponent, scale * sum);
                }
                double exponentError = ((s.nope + s.rank + s.rope + 6) * U + run.roundingError()) * exponent;
                double error = Math.expm1(2 * exponentError)
                        + (2 * s.keys + s.rank + 16) * U
                        + Math.expm1(2 * run.roundingError());
                for (int i = 0; i < s.vDim; i++) {
                    double sum = 0;
                    for (int r = 0; r < s.rank; r++) {
                        sum += Math.abs(in.operand(kvB.get(kvB.offset(row + s.nope + i, r)))) * latentSum[r];
                    }
                    bounds.set(bounds.offset(t, h, i), error * sum);
                }
            }
        }
        return bounds;
    }

    /// The absorbed form equals attention over keys and values expanded from the latents, to double's accuracy.
    @Test
    void equalsAttentionOnExpandedKeys() {
        Property.of("LatentAttention.expanded")
                .size("tokens", 1, 17)
                .size("heads", 1, 3)
                .size("nope", 1, 7)
                .size("rope", 1, 5)
                .size("vDim", 1, 7)
                .size("rank", 1, 9)
                .cases(20)
                .check(c -> {
                    int tokens = c.size("tokens");
                    int heads = c.size("heads");
                    int nope = c.size("nope");
                    int rope = c.size("rope");
                    int vDim = c.size("vDim");
                    int rank = c.size("rank");
                    Tensor q = Tensors.normal(c.rng("q"), DType.F64, tokens, heads, nope + rope);
                    Tensor kvB = Tensors.normal(c.rng("w"), DType.F64, (long) heads * (nope + vDim), rank);
                    Tensor cache = Tensors.normal(c.rng("cache"), DType.F64, tokens, rank + rope);
                    Tensor absorbed = Tensors.zeros(DType.F64, tokens, heads, vDim);
                    Tensor positions = Tensors.of(t -> t, DType.I32, tokens);
                    REFERENCE
                            .latentAttention()
                            .forward(
                                    q,
                                    Weight.of(kvB),
                                    Paging.asPage(cache),
                                    PageTable.onePage(tokens),
                                    positions,
                                    0.3,
                                    absorbed);

                    Tensor kv = Tensors.zeros(DType.F64, tokens, (long) heads * (nope + vDim));
                    REFERENCE.matmul().nt(cache.slice(1, 0, rank), kvB, kv, false);
                    Tensor perHead = kv.split(1, nope + vDim);
                    Tensor k = Tensors.zeros(DType.F64, tokens, heads, nope + rope);
                    REFERENCE.latentKeys().forward(perHead.slice(2, 0, nope), cache.slice(1, rank, rank + rope), k);
                    Tensor expanded = Tensors.zeros(DType.F64, tokens, heads, vDim);
                    REFERENCE
                            .attention()
                            .forward(
                                    q,
                                    k,
                                    perHead.slice(2, nope, nope + vDim),
                                    Tensors.zeros(DType.I32, tokens),
                                    0.3,
                                    expanded,
                                    Tensors.zeros(DType.F64, tokens, heads));
                    Close.assertClose("out", expanded, absorbed, 1e-11);
                });
    }

    /// Calls kernels with tensors of the host.
    @FunctionalInterface
    private interface Forward {
        void forward(Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out);
    }

    private static Stream<Forward> fast(Precision precision) {
        return Contract.fast(precision).map(kernels -> (q, kvB, cache, table, positions, scale, out) -> {
            Tensor result = Contract.seenBy(kernels, out);
            kernels.latentAttention()
                    .forward(
                            Contract.seenBy(kernels, q),
                            Weight.of(Contract.seenBy(kernels, kvB.value())),
                            Contract.seenBy(kernels, cache),
                            Paging.seenBy(kernels, table),
                            Contract.seenBy(kernels, positions),
                            scale,
                            result);
            kernels.stream().synchronize();
            out.copyFrom(result);
        });
    }

    /// One query alone and the same query among others: the same bits, so that a batch changes no answer.
    @Test
    void aQueryDoesNotDependOnItsBatch() {
        Rng rng = Seeds.rng("batch");
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, 5, 2, 16);
        Tensor kvB = Tensors.normal(rng.split("w"), DType.F32, 2 * 16, 128);
        Tensor cache = Tensors.normal(rng.split("cache"), DType.F32, 1, 30, 136);
        for (Precision precision : Precision.values()) {
            fast(precision).forEach(attention -> {
                Tensor together = Tensors.zeros(DType.F32, 5, 2, 8);
                Tensor positions = Tensor.of(3, 29, 0, 17, 8);
                attention.forward(q, Weight.of(kvB), cache, PageTable.onePage(5), positions, 0.3, together);
                Tensor alone = Tensors.zeros(DType.F32, 1, 2, 8);
                Tensor query = q.slice(0, 3, 4);
                attention.forward(query, Weight.of(kvB), cache, PageTable.onePage(1), Tensor.of(17), 0.3, alone);
                Close.assertSame("query 3", together.slice(0, 3, 4), alone);
            });
        }
    }

    /// So many that the machine code joins the parts of some before it begins with the others.
    @Test
    void aQueryDoesNotDependOnAHundredOthers() {
        Rng rng = Seeds.rng("hundred");
        int tokens = 100;
        int keys = 300;
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, tokens, 128, 6);
        Tensor kvB = Tensors.normal(rng.split("w"), DType.F32, 128 * 4, 512);
        Tensor cache = Tensors.normal(rng.split("cache"), DType.F32, 1, keys, 516);
        int[] positions = new int[tokens];
        Arrays.setAll(positions, t -> keys - tokens + t);
        for (Precision precision : Precision.values()) {
            for (Kernels kernels : Contract.machineCode(2, precision)) {
                LatentAttention attention = kernels.latentAttention();
                Tensor together = Tensors.zeros(DType.F32, tokens, 128, 2);
                PageTable all = PageTable.onePage(tokens);
                attention.forward(q, Weight.of(kvB), cache, all, Tensor.of(positions), 0.1, together);
                for (int t : new int[] {0, 41, tokens - 1}) {
                    Tensor alone = Tensors.zeros(DType.F32, 1, 128, 2);
                    Tensor query = q.slice(0, t, t + 1);
                    PageTable one = PageTable.onePage(1);
                    attention.forward(query, Weight.of(kvB), cache, one, Tensor.of(positions[t]), 0.1, alone);
                    Close.assertSame("query " + t, together.slice(0, t, t + 1), alone);
                }
                kernels.stream().device().close();
            }
        }
    }

    /// Two sequences whose pages lie anywhere, and each of them alone in one piece: the same bits.
    @Test
    void pagesChangeNoBits() {
        Rng rng = Seeds.rng("pages");
        int most = 90;
        int[] order = IntStream.range(0, 2 * most).map(i -> i * 7 % (2 * most)).toArray();
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, 7, 3, 16);
        Tensor kvB = Tensors.normal(rng.split("w"), DType.F32, 3 * 16, 128);
        Tensor positions = Tensor.of(3, 17, 899, 0, 400, 401, 402);
        PageTable table = new PageTable(Tensor.of(0, 3, 7), Tensor.of(order).reshape(2, most));
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            Tensor cache = Tensors.normal(rng.split("cache"), dtype, 2 * most, 10, 136);
            for (Precision precision : Precision.values()) {
                fast(precision).forEach(attention -> {
                    Tensor together = Tensors.zeros(DType.F32, 7, 3, 8);
                    attention.forward(q, Weight.of(kvB), cache, table, positions, 0.3, together);
                    for (int s = 0; s < 2; s++) {
                        Tensor rows = Tensors.zeros(dtype, most, 10, 136);
                        for (int i = 0; i < most; i++) {
                            rows.select(0, i).copyFrom(cache.select(0, order[s * most + i]));
                        }
                        int from = 3 * s;
                        int to = 3 + 4 * s;
                        Tensor alone = Tensors.zeros(DType.F32, to - from, 3, 8);
                        attention.forward(
                                q.slice(0, from, to),
                                Weight.of(kvB),
                                rows.reshape(1, most * 10L, 136),
                                PageTable.onePage(to - from),
                                positions.slice(0, from, to),
                                0.3,
                                alone);
                        Close.assertSame("sequence " + s, together.slice(0, from, to), alone);
                    }
                });
            }
        }
    }

    /// Latents beyond a query's position do not reach it, be they infinities or NaN.
    @Test
    void nothingUnseenIsSeen() {
        Rng rng = Seeds.rng("unseen");
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, 5, 2, 16);
        Tensor kvB = Tensors.normal(rng.split("w"), DType.F32, 2 * 16, 128);
        Tensor positions = Tensor.of(3, 29, 0, 17, 8);
        PageTable table = PageTable.onePage(5);
        for (double special : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            Tensor clean = Tensors.normal(rng.split("cache"), DType.F32, 1, 30, 136);
            Tensor cache = Tensors.copy(clean);
            cache.set(cache.offset(0, 18, 5), special);
            for (Precision precision : Precision.values()) {
                fast(precision).forEach(attention -> {
                    Tensor expected = Tensors.zeros(DType.F32, 5, 2, 8);
                    attention.forward(q, Weight.of(kvB), clean, table, positions, 0.3, expected);
                    Tensor actual = Tensors.zeros(DType.F32, 5, 2, 8);
                    attention.forward(q, Weight.of(kvB), cache, table, positions, 0.3, actual);
                    Close.assertSame("before", expected.slice(0, 0, 1), actual.slice(0, 0, 1));
                    Close.assertSame("behind", expected.slice(0, 2, 5), actual.slice(0, 2, 5));
                    for (double value : Tensors.values(actual.slice(0, 1, 2))) {
                        assertFalse(Double.isFinite(value));
                    }
                });
            }
        }
    }
}
