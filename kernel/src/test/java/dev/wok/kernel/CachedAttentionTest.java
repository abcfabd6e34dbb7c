package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CachedAttentionTest {
    private record Sizes(int tokens, int kvHeads, int share, int qkDim, int vDim, int keys, int gap) {
        static Sizes of(Case c) {
            return new Sizes(
                    c.size("tokens"),
                    c.size("kvHeads"),
                    c.size("share"),
                    c.size("qkDim"),
                    c.size("vDim"),
                    c.size("keys"),
                    c.size("gap"));
        }

        int heads() {
            return kvHeads * share;
        }
    }

    private static Property sizes(String name, int mostKeys) {
        return Paging.sizes(Property.of(name))
                .size("kvHeads", 1, 3)
                .size("share", 1, 9)
                .size("qkDim", 1, 50)
                .size("vDim", 1, 70)
                .size("keys", 0, mostKeys)
                .size("gap", 0, 3)
                .flag("whole")
                .flag("narrow");
    }

    private static Tensor cache(Contract.Run run, Case c, String name, long... shape) {
        int gap = c.size("gap");
        return c.flag("narrow") ? run.narrow(c.rng(name)::normal, gap, shape) : run.input(c.rng(name), gap, shape);
    }

    /* An exponent is off by (qkDim + 6) u times its sum of absolute products, a probability by twice that and a rounding
     * per key, as in AttentionTest; in bfloat16 each side rounds its own probabilities.
     */
    private static void attends(Case c) {
        Contract.checkProducts(run -> {
            Sizes s = Sizes.of(c);
            int qkDim = c.flag("whole") ? (s.qkDim + 7) / 8 * 8 : s.qkDim;
            int vDim = c.flag("whole") ? (s.vDim + 7) / 8 * 8 : s.vDim;
            double scale = (float) (1.5 / Math.sqrt(qkDim));
            Tensor q = run.input(c.rng("q"), s.gap, s.tokens, s.heads(), qkDim);
            Paging paging = Paging.of(c);
            Tensor keys = cache(run, c, "keys", paging.pages(), paging.rows(), s.kvHeads, qkDim);
            Tensor values = cache(run, c, "values", paging.pages(), paging.rows(), s.kvHeads, vDim);
            Tensor out = run.written(s.gap, s.tokens, s.heads(), vDim);
            Tensor positions = run.integers(paging.positions());
            run.kernels().cachedAttention().forward(q, keys, values, paging.table(run), positions, scale, out);
            run.result("out", out, () -> bounds(run, s, q, keys, values, paging, scale));
        });
    }

    private static Tensor bounds(
            Contract.Run run, Sizes s, Tensor q, Tensor keys, Tensor values, Paging paging, double scale) {
        Precision in = run.kernels().precision();
        Tensor bounds = Tensors.zeros(DType.F64, q.dim(0), q.dim(1), values.dim(3));
        for (Paging.Seen seen : paging.seen()) {
            for (int h = 0; h < q.dim(1); h++) {
                double exponent = 0;
                double[] largest = new double[values.size(3)];
                for (int j = 0; j < seen.count(); j++) {
                    long key = keys.offset(seen.page()[j], seen.within()[j], h / s.share);
                    long row = values.offset(seen.page()[j], seen.within()[j], h / s.share);
                    double sum = 0;
                    for (int i = 0; i < q.dim(2); i++) {
                        sum += Math.abs(
                                in.operand(q.get(q.offset(seen.token(), h, i))) * in.operand(keys.get(key + i)));
                    }
                    exponent = Math.max(exponent, scale * sum);
                    for (int i = 0; i < largest.length; i++) {
                        largest[i] = Math.max(largest[i], Math.abs(in.operand(values.get(row + i))));
                    }
                }
                double error =
                        Math.expm1(2 * (q.dim(2) + 6) * U * exponent) + (2.0 * s.keys + 16) * U + run.roundingError();
                for (int i = 0; i < largest.length; i++) {
                    bounds.set(bounds.offset(seen.token(), h, i), error * largest[i]);
                }
            }
        }
        return bounds;
    }

    @Test
    void attends() {
        sizes("CachedAttention", 307).cases(40).check(CachedAttentionTest::attends);
    }

    /// Several parts of the keys, and ranges of them.
    @Test
    void attendsToManyKeys() {
        sizes("CachedAttention.many", Contract.isPtx() ? 700 : 2000).cases(4).check(CachedAttentionTest::attends);
    }

    /// With the keys and values of a sequence it equals attention over the sequence, to double's
    /// accuracy.
    @Test
    void equalsAttentionOverTheSequence() {
        Rng rng = Seeds.rng("sequence");
        int tokens = 23;
        Tensor q = Tensors.normal(rng.split("q"), DType.F64, tokens, 6, 13);
        Tensor k = Tensors.normal(rng.split("k"), DType.F64, tokens, 2, 13);
        Tensor v = Tensors.normal(rng.split("v"), DType.F64, tokens, 2, 7);
        Tensor expected = Tensors.zeros(DType.F64, tokens, 6, 7);
        Tensor keyStart = Tensors.zeros(DType.I32, tokens);
        REFERENCE.attention().forward(q, k, v, keyStart, 0.3, expected, Tensors.zeros(DType.F64, tokens, 6));
        Tensor actual = Tensors.zeros(DType.F64, tokens, 6, 7);
        Tensor positions = Tensors.of(t -> t, DType.I32, tokens);
        PageTable table = PageTable.onePage(tokens);
        REFERENCE.cachedAttention().forward(q, Paging.asPage(k), Paging.asPage(v), table, positions, 0.3, actual);
        Close.assertClose("out", expected, actual, 1e-11);
    }

    /// Calls kernels with tensors of the host.
    @FunctionalInterface
    private interface Forward {
        void forward(Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out);
    }

    private static Stream<Forward> fast(Precision precision) {
        return Contract.fast(precision).map(kernels -> (q, keys, values, table, positions, scale, out) -> {
            Tensor result = Contract.seenBy(kernels, out);
            kernels.cachedAttention()
                    .forward(
                            Contract.seenBy(kernels, q),
                            Contract.seenBy(kernels, keys),
                            Contract.seenBy(kernels, values),
                            Paging.seenBy(kernels, table),
                            Contract.seenBy(kernels, positions),
                            scale,
                            result);
            kernels.stream().synchronize();
            out.copyFrom(result);
        });
    }

    /// One query alone, against a cache that ends with its position, and the same query among 512
    /// others: the same bits, so that a batch changes no answer.
    @Test
    void aQueryDoesNotDependOnItsBatch() {
        Rng rng = Seeds.rng("batch");
        int tokens = Contract.isPtx() ? 9 : 512;
        int rows = Contract.isPtx() ? 700 : 1500;
        int[] positions = new int[tokens];
        Arrays.setAll(positions, t -> rng.below(t, rows + 1) - 1);
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            for (int[] dims : new int[][] {{1, 3, 8, 8}, {2, 6, 13, 10}, {1, 4, 64, 40}, {8, 8, 128, 16}}) {
                Tensor q = Tensors.normal(rng.split("q"), DType.F32, tokens, dims[1], dims[2]);
                Tensor keys = Tensors.normal(rng.split("keys"), dtype, rows, dims[0], dims[2]);
                Tensor values = Tensors.normal(rng.split("values"), dtype, rows, dims[0], dims[3]);
                for (Precision precision : Precision.values()) {
                    fast(precision).forEach(attention -> {
                        Tensor together = Tensors.zeros(DType.F32, tokens, dims[1], dims[3]);
                        attention.forward(
                                q,
                                Paging.asPage(keys),
                                Paging.asPage(values),
                                PageTable.onePage(tokens),
                                Tensor.of(positions),
                                0.3,
                                together);
                        for (int t : new int[] {0, tokens / 7, tokens / 2, tokens - 1}) {
                            int seen = positions[t] + 1;
                            Tensor alone = Tensors.zeros(DType.F32, 1, dims[1], dims[3]);
                            attention.forward(
                                    q.slice(0, t, t + 1),
                                    Paging.asPage(keys.slice(0, 0, seen)),
                                    Paging.asPage(values.slice(0, 0, seen)),
                                    PageTable.onePage(1),
                                    Tensor.of(positions[t]),
                                    0.3,
                                    alone);
                            Close.assertSame("query " + t, together.slice(0, t, t + 1), alone);
                        }
                    });
                }
            }
        }
    }

    /// Several sequences whose pages lie anywhere, and each of them alone in one piece: the same bits.
    @Test
    void pagesChangeNoBits() {
        Rng rng = Seeds.rng("pages");
        int[] starts = {0, 1, 18, 18, 20};
        int pageRows = 6;
        int rows = Contract.isPtx() ? 700 : 1000;
        int most = Math.ceilDiv(rows, pageRows);
        int pages = 4 * most;
        int[] order = IntStream.range(0, pages).map(i -> i * 7 % pages).toArray();
        Tensor positions = Tensors.of(t -> t % 3 == 0 ? rows - 1 - t : 30 * t, DType.I32, 20);
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            Tensor q = Tensors.normal(rng.split("q"), DType.F32, 20, 6, 40);
            Tensor keys = Tensors.normal(rng.split("keys"), dtype, pages, pageRows, 2, 40);
            Tensor values = Tensors.normal(rng.split("values"), dtype, pages, pageRows, 2, 24);
            PageTable table = new PageTable(Tensor.of(starts), Tensor.of(order).reshape(4, most));
            for (Precision precision : Precision.values()) {
                fast(precision).forEach(attention -> {
                    Tensor together = Tensors.zeros(DType.F32, 20, 6, 24);
                    attention.forward(q, keys, values, table, positions, 0.3, together);
                    for (int s = 0; s < 4; s++) {
                        int tokens = starts[s + 1] - starts[s];
                        Tensor alone = Tensors.zeros(DType.F32, tokens, 6, 24);
                        int[] own = Arrays.copyOfRange(order, s * most, (s + 1) * most);
                        attention.forward(
                                q.slice(0, starts[s], starts[s + 1]),
                                inOnePiece(keys, own),
                                inOnePiece(values, own),
                                PageTable.onePage(tokens),
                                positions.slice(0, starts[s], starts[s + 1]),
                                0.3,
                                alone);
                        Close.assertSame("sequence " + s, together.slice(0, starts[s], starts[s + 1]), alone);
                    }
                });
            }
        }
    }

    private static Tensor inOnePiece(Tensor pages, int... own) {
        Tensor rows = Tensors.zeros(pages.dtype(), own.length, pages.dim(1), pages.dim(2), pages.dim(3));
        for (int i = 0; i < own.length; i++) {
            rows.select(0, i).copyFrom(pages.select(0, own[i]));
        }
        return rows.reshape(1, own.length * pages.dim(1), pages.dim(2), pages.dim(3));
    }

    @Test
    void tablesThatPointNowhereAreRefused() {
        Tensor q = Tensors.zeros(DType.F32, 2, 2, 2);
        Tensor cache = Tensors.zeros(DType.F32, 3, 4, 2, 2);
        Tensor out = Tensors.zeros(DType.F32, 2, 2, 2);
        for (Kernels kernels : Contract.ALL) {
            CachedAttention attention = kernels.cachedAttention();
            PageTable outside = new PageTable(Tensor.of(0, 2), Tensor.of(1, 3).reshape(1, 2));
            PageTable few = new PageTable(Tensor.of(0, 1), Tensor.of(0).reshape(1, 1));
            attention.forward(q, cache, cache, outside, Tensor.of(2, 3), 1, out);
            assertEquals(
                    "a sequence of 5 rows in the pages [1, 3], expected 2 of 0 to 2",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> attention.forward(q, cache, cache, outside, Tensor.of(2, 4), 1, out)));
            assertEquals(
                    "a page table for the tokens [0, 1], expected from 0 to 2",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> attention.forward(q, cache, cache, few, Tensor.of(0, 0), 1, out)));
        }
        Tensor odd = Tensors.zeros(DType.F32, 3, 3, 2, 2);
        PageTable two = new PageTable(Tensor.of(0, 2), Tensor.of(0, 1).reshape(1, 2));
        assertEquals(
                "CachedAttention: the pages of keys are F32[3, 3, 2, 2], expected an even number of rows",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> REFERENCE.cachedAttention().forward(q, odd, odd, two, Tensor.of(0, 0), 1, out)));
    }

    /// Rows beyond a query's position do not reach it, be they infinities or NaN.
    @Test
    void nothingUnseenIsSeen() {
        Rng rng = Seeds.rng("unseen");
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, 5, 4, 12);
        Tensor positions = Tensor.of(3, 29, 0, 17, 8);
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            Tensor keys = Tensors.normal(rng.split("keys"), dtype, 1, 30, 2, 12);
            Tensor values = Tensors.normal(rng.split("values"), dtype, 1, 30, 2, 8);
            for (double special : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
                for (boolean inValues : new boolean[] {false, true}) {
                    Tensor spoilt = Tensors.copy(inValues ? values : keys);
                    for (int g = 0; g < 2; g++) {
                        spoilt.set(spoilt.offset(0, 18, g, 5), special);
                    }
                    for (Precision precision : Precision.values()) {
                        fast(precision).forEach(attention -> {
                            Tensor expected = Tensors.zeros(DType.F32, 5, 4, 8);
                            PageTable table = PageTable.onePage(5);
                            attention.forward(q, keys, values, table, positions, 0.3, expected);
                            Tensor actual = Tensors.zeros(DType.F32, 5, 4, 8);
                            Tensor otherKeys = inValues ? keys : spoilt;
                            Tensor otherValues = inValues ? spoilt : values;
                            attention.forward(q, otherKeys, otherValues, table, positions, 0.3, actual);
                            Close.assertSame("before", expected.slice(0, 0, 1), actual.slice(0, 0, 1));
                            Close.assertSame("behind", expected.slice(0, 2, 5), actual.slice(0, 2, 5));
                            Tensor seeing = inValues ? actual.slice(2, 5, 6) : actual;
                            if (inValues || !(special < 0 || special > 0)) {
                                for (double value : Tensors.values(seeing.slice(0, 1, 2))) {
                                    assertFalse(Double.isFinite(value));
                                }
                            }
                        });
                    }
                }
            }
        }
    }

    @Test
    void queryHeadsThatCannotShareAreRefused() {
        Tensor q = Tensors.zeros(DType.F32, 1, 5, 2);
        Tensor cache = Tensors.zeros(DType.F32, 1, 3, 2, 2);
        PageTable table = PageTable.onePage(1);
        assertEquals(
                "CachedAttention: 5 query heads cannot share 2 key heads",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> REFERENCE
                                .cachedAttention()
                                .forward(q, cache, cache, table, Tensor.of(0), 1, Tensors.zeros(DType.F32, 1, 5, 2))));
    }
}
