package dev.wok.kernel;

import static dev.wok.kernel.Contract.REFERENCE;
import static dev.wok.kernel.Contract.U;
import static dev.wok.kernel.Contract.abs;
import static dev.wok.kernel.Contract.dot;
import static dev.wok.kernel.Contract.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Memory;
import dev.wok.kernel.ptx.Gpus;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class AttentionTest {
    private static final List<String> RESULTS = List.of("out", "lse", "dq", "dk", "dv");

    private static Property sizes(String name) {
        return Property.of(name)
                .size("tokens", 0, 210)
                .size("kvHeads", 1, 2)
                .size("share", 1, 3)
                .size("qkDim", 1, 33)
                .size("vDim", 1, 50)
                .size("documents", 1, 6)
                .size("window", 0, 150)
                .size("gap", 0, 3)
                .cases(Contract.cases(30));
    }

    /// Documents end at random places; with a window, a token sees no more than that many keys.
    private static int[] starts(Case c) {
        int tokens = c.size("tokens");
        int[] starts = new int[tokens];
        int start = 0;
        for (int t = 0; t < tokens; t++) {
            boolean begins = c.rng("documents").below(t, Math.max(1, tokens)) < c.size("documents") - 1;
            start = begins ? t : start;
            starts[t] = c.size("window") == 0 ? start : Math.max(start, t - c.size("window"));
        }
        return starts;
    }

    /// The operands of both directions.
    private record Operands(
            Precision in,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            int tokens,
            int heads,
            int vDim,
            int gap) {
        static Operands of(Contract.Run run, Case c) {
            int gap = c.size("gap");
            int tokens = c.size("tokens");
            int heads = c.size("kvHeads") * c.size("share");
            return new Operands(
                    run.kernels().precision(),
                    run.input(c.rng("q"), gap, tokens, heads, c.size("qkDim")),
                    run.input(c.rng("k"), gap, tokens, c.size("kvHeads"), c.size("qkDim")),
                    run.input(c.rng("v"), gap, tokens, c.size("kvHeads"), c.size("vDim")),
                    run.integers(starts(c)),
                    (float) (1.5 / Math.sqrt(c.size("qkDim"))),
                    tokens,
                    heads,
                    c.size("vDim"),
                    gap);
        }

        double dot(Tensor a, int t, int h, Tensor b, int j, int g, boolean absolute) {
            double sum = 0;
            for (int i = 0; i < a.dim(2); i++) {
                double product = in.operand(a.get(a.offset(t, h, i))) * in.operand(b.get(b.offset(j, g, i)));
                sum += absolute ? Math.abs(product) : product;
            }
            return sum;
        }

        /// The largest error of an exponent `scale q . k - max`, over all pairs: the products' sum,
        /// and the roundings of the scaled sum and of the difference, whose size is at most twice the
        /// sum of absolute products.
        double exponentError() {
            double most = 0;
            int share = (int) (q.dim(1) / k.dim(1));
            for (int t = 0; t < tokens; t++) {
                for (int h = 0; h < heads; h++) {
                    for (int j = keyStart.getInt(t); j <= t; j++) {
                        most = Math.max(most, scale * dot(q, t, h, k, j, h / share, true));
                    }
                }
            }
            return (q.dim(2) + 6) * U * most;
        }
    }

    /* Every probability is off by a factor of twice the exponent's error (its own and the sum's), a few roundings of
     * the exponential, and one per key for the sums; out is a mean of values with these weights. In bfloat16 each side
     * rounds its own probabilities, after their sum.
     */
    @Test
    void attends() {
        sizes("Attention.forward").check(c -> Contract.checkProducts(forward(c)));
    }

    private static Contract.Operation forward(Case c) {
        return run -> {
            Operands o = Operands.of(run, c);
            Tensor out = run.written(o.gap, o.tokens, o.heads, o.vDim);
            Tensor lse = run.written(o.gap, o.tokens, o.heads);
            run.kernels().attention().forward(o.q, o.k, o.v, o.keyStart, o.scale, out, lse);
            double error = run.isReference() ? 2 * o.exponentError() + (o.tokens + 16) * U : 0;
            run.result("out", out, () -> {
                Tensor sums = Tensors.zeros(DType.F64, out.shape());
                run.kernels().attention().forward(o.q, o.k, abs(o.v), o.keyStart, o.scale, sums, Tensors.copy(lse));
                return map(sums, sum -> (error + run.roundingError()) * sum);
            });
            run.result("lse", lse, () -> map(lse, l -> error + U * Math.abs(l)));
        };
    }

    /* With p off by a factor of `error`, dp = dOut . v and delta = dOut . out off by vDim u of their absolute sums, and
     * sums over at most tokens terms: each gradient is the same sum over absolute values times the factor. In bfloat16
     * each side rounds its own p and ds as well; delta takes dOut unrounded, which may be larger by a factor of 1 + 2^-8.
     */
    @Test
    void gradients() {
        sizes("Attention.backward").check(c -> Contract.checkProducts(backward(c)));
    }

    private static Contract.Operation backward(Case c) {
        Tensor[] forward = new Tensor[2];
        return run -> {
            Operands o = Operands.of(run, c);
            if (run.isReference()) {
                forward[0] = Tensors.zeros(DType.F32, o.tokens, o.heads, o.vDim);
                forward[1] = Tensors.zeros(DType.F32, o.tokens, o.heads);
                run.kernels()
                        .attention()
                        .forward(
                                Tensors.as(DType.F32, o.q),
                                Tensors.as(DType.F32, o.k),
                                Tensors.as(DType.F32, o.v),
                                o.keyStart,
                                o.scale,
                                forward[0],
                                forward[1]);
            }
            Tensor out = run.input(i -> forward[0].get(i), o.gap, forward[0].shape());
            Tensor lse = run.input(i -> forward[1].get(i), o.gap, forward[1].shape());
            Tensor dOut = run.input(c.rng("dOut"), o.gap, o.tokens, o.heads, o.vDim);
            Tensor dq = run.written(o.gap, o.q.shape());
            Tensor dk = run.written(o.gap, o.k.shape());
            Tensor dv = run.written(o.gap, o.v.shape());
            run.kernels().attention().backward(o.q, o.k, o.v, o.keyStart, o.scale, out, lse, dOut, dq, dk, dv);
            Tensor[] bounds = {
                Tensors.zeros(DType.F64, dq.shape()),
                Tensors.zeros(DType.F64, dk.shape()),
                Tensors.zeros(DType.F64, dv.shape())
            };
            if (run.isReference()) {
                addBounds(o, run.roundingError(), out, lse, dOut, bounds);
            }
            run.result("dq", dq, () -> bounds[0]);
            run.result("dk", dk, () -> bounds[1]);
            run.result("dv", dv, () -> bounds[2]);
        };
    }

    /// Tiles of several shapes.
    void everyTile() {
        Property.of("Attention.tiles")
                .size("tokens", 1, 140)
                .size("kvHeads", 1, 1)
                .size("share", 1, 2)
                .size("qkDim", 1, 190)
                .size("vDim", 1, 130)
                .size("documents", 1, 3)
                .size("window", 0, 70)
                .size("gap", 0, 2)
                .cases(3)
                .check(c -> {
                    Contract.check(forward(c), Precision.BF16, Gpus.attentionTiles());
                    Contract.check(backward(c), Precision.BF16, Gpus.attentionTiles());
                });
    }

    /// Rows that no tile of tensor cores holds.
    void longRows() {
        Property.of("Attention.rows")
                .size("tokens", 40, 40)
                .size("kvHeads", 1, 1)
                .size("share", 1, 1)
                .size("qkDim", 330, 330)
                .size("vDim", 20, 200)
                .size("documents", 1, 2)
                .size("window", 0, 0)
                .size("gap", 0, 1)
                .cases(2)
                .check(c -> {
                    Contract.checkProducts(forward(c));
                    Contract.checkProducts(backward(c));
                });
    }

    private static void addBounds(Operands o, double rounding, Tensor out, Tensor lse, Tensor dOut, Tensor[] bounds) {
        int share = (int) (o.q.dim(1) / o.k.dim(1));
        double error = 2 * o.exponentError() + (share * o.tokens + o.vDim + 24) * U + rounding;
        for (int t = 0; t < o.tokens; t++) {
            for (int h = 0; h < o.heads; h++) {
                int g = h / share;
                double delta = (1 + rounding) * o.dot(dOut, t, h, out, t, h, true);
                for (int j = o.keyStart.getInt(t); j <= t; j++) {
                    double p = Math.exp(o.scale * o.dot(o.q, t, h, o.k, j, g, false) - lse.get(lse.offset(t, h)));
                    double ds = p * (o.dot(dOut, t, h, o.v, j, g, true) + delta) * o.scale;
                    for (int i = 0; i < o.vDim; i++) {
                        add(
                                bounds[2],
                                bounds[2].offset(j, g, i),
                                error * p * o.in.operand(dOut.get(dOut.offset(t, h, i))));
                    }
                    for (int i = 0; i < o.q.dim(2); i++) {
                        add(
                                bounds[0],
                                bounds[0].offset(t, h, i),
                                error * ds * o.in.operand(o.k.get(o.k.offset(j, g, i))));
                        add(
                                bounds[1],
                                bounds[1].offset(j, g, i),
                                error * ds * o.in.operand(o.q.get(o.q.offset(t, h, i))));
                    }
                }
            }
        }
    }

    private static void add(Tensor sums, long at, double value) {
        sums.set(at, sums.get(at) + Math.abs(value));
    }

    @Test
    void gradientsAgreeWithDifferences() {
        Rng rng = Seeds.rng("attention");
        Tensor keyStart = Tensor.of(0, 0, 1, 3, 3, 3);
        Tensor q = Tensors.normal(rng.split("q"), DType.F64, 6, 4, 3);
        Tensor k = Tensors.normal(rng.split("k"), DType.F64, 6, 2, 3);
        Tensor v = Tensors.normal(rng.split("v"), DType.F64, 6, 2, 2);
        Tensor dOut = Tensors.normal(rng.split("dOut"), DType.F64, 6, 4, 2);
        Tensor out = Tensors.zeros(DType.F64, 6, 4, 2);
        Tensor lse = Tensors.zeros(DType.F64, 6, 4);
        DoubleSupplier loss = () -> {
            REFERENCE.attention().forward(q, k, v, keyStart, 0.7, out, lse);
            return dot(out, dOut);
        };
        assertTrue(Double.isFinite(loss.getAsDouble()));
        Tensor dq = Tensors.zeros(DType.F64, q.shape());
        Tensor dk = Tensors.zeros(DType.F64, k.shape());
        Tensor dv = Tensors.zeros(DType.F64, v.shape());
        REFERENCE.attention().backward(q, k, v, keyStart, 0.7, out, lse, dOut, dq, dk, dv);
        GradCheck.check("q", q, dq, loss, 72, 1);
        GradCheck.check("k", k, dk, loss, 36, 1);
        GradCheck.check("v", v, dv, loss, 24, 1);
    }

    /// Packing must not change a document's numbers: the same bits as alone.
    @Test
    void packedDocumentsAreAsIfAlone() {
        Rng rng = Seeds.rng("packing");
        Tensor q = Tensors.normal(rng.split("q"), DType.F32, 170, 2, 8);
        Tensor k = Tensors.normal(rng.split("k"), DType.F32, 170, 2, 8);
        Tensor v = Tensors.normal(rng.split("v"), DType.F32, 170, 2, 8);
        Tensor dOut = Tensors.normal(rng.split("dOut"), DType.F32, 170, 2, 8);
        Tensor starts = Tensors.of(t -> t < 61 ? 0 : 61, DType.I32, 170);
        for (Precision precision : Precision.values()) {
            Contract.fast(precision).forEach(kernels -> {
                List<Tensor> packed = bothWays(kernels, q, k, v, dOut, starts);
                List<Tensor> alone = bothWays(
                        kernels,
                        q.slice(0, 61, 170),
                        k.slice(0, 61, 170),
                        v.slice(0, 61, 170),
                        dOut.slice(0, 61, 170),
                        Tensors.zeros(DType.I32, 109));
                for (int i = 0; i < alone.size(); i++) {
                    Close.assertSame(RESULTS.get(i), alone.get(i), packed.get(i).slice(0, 61, 170));
                }
            });
        }
    }

    /// @return [#RESULTS]
    private static List<Tensor> bothWays(Kernels kernels, Tensor q, Tensor k, Tensor v, Tensor dOut, Tensor keyStart) {
        Memory memory = Contract.memory(kernels);
        Tensor[] in = Stream.of(q, k, v, dOut, keyStart)
                .map(tensor -> Contract.seenBy(kernels, tensor))
                .toArray(Tensor[]::new);
        Tensor out = memory.tensor(DType.F32, dOut.shape());
        Tensor lse = memory.tensor(DType.F32, q.dim(0), q.dim(1));
        Tensor dq = memory.tensor(DType.F32, q.shape());
        Tensor dk = memory.tensor(DType.F32, k.shape());
        Tensor dv = memory.tensor(DType.F32, v.shape());
        Attention attention = kernels.attention();
        attention.forward(in[0], in[1], in[2], in[4], 0.5, out, lse);
        attention.backward(in[0], in[1], in[2], in[4], 0.5, out, lse, in[3], dq, dk, dv);
        kernels.stream().synchronize();
        return List.of(out, lse, dq, dk, dv);
    }

    /// What a query must not see does not reach it, be it an infinity or NaN; nor does it reach a gradient. Where the
    /// reference has numbers, the bits are those without them; elsewhere there are the same infinities and NaN.
    @Test
    void nothingUnseenIsSeen() {
        sizes("Attention.unseen").cases(Contract.orOnPtx(18, 2)).check(c -> {
            for (Precision precision : Precision.values()) {
                Contract.fast(precision).forEach(kernels -> {
                    Spoiled spoiled = new Spoiled(c, true);
                    spoiled.compare(kernels, precision, new Spoiled(c, false));
                });
            }
        });
    }

    /// Operands and results of both directions; some operands hold infinities and NaN or the same numbers without them.
    private static final class Spoiled {
        private static final int ONE_IN = 400;

        final boolean spoiled;
        final Tensor q;
        final Tensor k;
        final Tensor v;
        final Tensor dOut;
        final Tensor keyStart;

        Spoiled(Case c, boolean spoiled) {
            this.spoiled = spoiled;
            int tokens = c.size("tokens");
            int kvHeads = c.size("kvHeads");
            int heads = kvHeads * c.size("share");
            q = numbers(c.rng("q"), Double.NaN, tokens, heads, c.size("qkDim"));
            k = numbers(c.rng("k"), Double.NaN, tokens, kvHeads, c.size("qkDim"));
            v = numbers(c.rng("v"), Double.POSITIVE_INFINITY, tokens, kvHeads, c.size("vDim"));
            dOut = numbers(c.rng("dOut"), Double.POSITIVE_INFINITY, tokens, heads, c.size("vDim"));
            keyStart = Tensor.of(starts(c));
        }

        private Tensor numbers(Rng rng, double special, long... shape) {
            Rng where = rng.split("special");
            return Tensors.of(i -> spoiled && where.below(i, ONE_IN) == 0 ? special : rng.normal(i), DType.F32, shape);
        }

        List<Tensor> results(Kernels kernels) {
            return bothWays(kernels, q, k, v, dOut, keyStart);
        }

        void compare(Kernels kernels, Precision precision, Spoiled whole) {
            List<Tensor> expected = results(Contract.reference(precision));
            List<Tensor> clean = whole.results(kernels);
            List<Tensor> actual = results(kernels);
            for (int i = 0; i < expected.size(); i++) {
                double[] reference = Tensors.values(expected.get(i));
                double[] numbers = Tensors.values(clean.get(i));
                Tensor right = Tensors.of(
                        e -> Double.isFinite(reference[(int) e]) ? numbers[(int) e] : reference[(int) e],
                        DType.F32,
                        actual.get(i).shape());
                Close.assertSame(RESULTS.get(i), right, actual.get(i));
            }
        }
    }

    /// Scores in the thousands: the running maximum keeps the exponentials in range.
    @Test
    void largeScoresStayFinite() {
        Contract.check(run -> {
            Tensor q = run.input(i -> 64 * (i % 5 - 2), 0, 100, 1, 4);
            Tensor k = run.input(i -> 64 * (i % 7 - 3), 0, 100, 1, 4);
            Tensor v = run.input(i -> i % 3, 0, 100, 1, 2);
            Tensor out = run.written(0, 100, 1, 2);
            Tensor lse = run.written(0, 100, 1);
            run.kernels().attention().forward(q, k, v, run.integers(new int[100]), 1, out, lse);
            run.result("out", out, () -> map(out, _ -> 2 * 120 * U));
            run.relative("lse", lse, 120 * U);
        });
    }

    /// A block of keys that weigh nothing at all is as if it were not there.
    @Test
    void scoresOfMinusInfinityWeighNothing() {
        int tokens = 200;
        Tensor q = Tensors.of(_ -> 1, DType.F32, tokens, 1, 1);
        Tensor k = Tensors.of(t -> t < 144 ? Double.NEGATIVE_INFINITY : 0, DType.F32, tokens, 1, 1);
        Tensor v = Tensors.of(t -> t, DType.F32, tokens, 1, 1);
        Tensor starts = Tensors.zeros(DType.I32, tokens);
        Stream.concat(Stream.of(REFERENCE), Contract.fast(Precision.F32)).forEach(kernels -> {
            Tensor out = bothWays(kernels, q, k, v, v, starts).getFirst();
            assertEquals((144 + 199) / 2.0, out.get(199), 1e-4);
        });
    }
}
