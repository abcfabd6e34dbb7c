package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// The matrix products in machine code touch no byte beside their operands, and give the same bits wherever these lie.
class ProductsGuardedTest {
    private static Property sizes(String name) {
        return Property.of(name)
                .size("m", 0, 40)
                .size("n", 1, 120)
                .size("k", 1, 300)
                .size("gap", 0, 3)
                .flag("accumulate")
                .flag("bf16");
    }

    private static Tensor operand(Guarded.Place p, Case c, String name, boolean bf16, int gap, long... shape) {
        return p.exactly(c.rng(name)::normal, bf16 ? DType.BF16 : DType.F32, gap, shape);
    }

    private static SequencedMap<String, Guarded.Call> products(Kernels kernels, Case c) {
        int m = c.size("m");
        int n = c.size("n");
        int k = c.size("k");
        int gap = c.size("gap");
        boolean add = c.flag("accumulate");
        boolean bf16 = c.flag("bf16");
        Matmul matmul = kernels.matmul();
        SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
        calls.put(
                "nt",
                p -> matmul.nt(
                        operand(p, c, "a", bf16, gap, m, k),
                        operand(p, c, "b", bf16, gap, n, k),
                        p.normal(c.rng("c"), gap, m, n),
                        add));
        calls.put(
                "nn",
                p -> matmul.nn(
                        operand(p, c, "a", bf16, gap, m, k),
                        operand(p, c, "b", bf16, gap, k, n),
                        p.normal(c.rng("c"), gap, m, n),
                        add));
        calls.put(
                "tn",
                p -> matmul.tn(
                        operand(p, c, "a", bf16, gap, k, m),
                        operand(p, c, "b", bf16, gap, k, n),
                        p.normal(c.rng("c"), gap, m, n),
                        add));
        calls.put("linear", p -> {
            Dense weight = Weight.of(operand(p, c, "w", bf16, gap, n, k));
            Tensor x = operand(p, c, "x", bf16, gap, m, k);
            Tensor y = p.normal(c.rng("y"), gap, m, n);
            matmul.linear(x, weight, y, add);
            matmul.linearInput(y, weight, p.normal(c.rng("dx"), gap, m, k), add);
        });
        return calls;
    }

    private static void check(Kernels kernels, SequencedMap<String, Guarded.Call> calls) {
        calls.forEach((name, call) -> {
            try {
                Guarded.check(kernels, call);
            } catch (AssertionError e) {
                throw new AssertionError(name + ": " + e.getMessage(), e);
            }
        });
    }

    private static void everywhere(
            Property sizes, BiFunction<Kernels, Case, SequencedMap<String, Guarded.Call>> calls) {
        sizes.cases(12).check(c -> {
            for (Precision precision : Precision.values()) {
                for (Kernels kernels : Contract.machineCode(2, precision)) {
                    check(kernels, calls.apply(kernels, c));
                    kernels.stream().device().close();
                }
            }
        });
    }

    @Test
    void matmul() {
        everywhere(sizes("matmul, guarded"), ProductsGuardedTest::products);
    }

    /// Two of five experts get nothing.
    @Test
    void experts() {
        everywhere(sizes("experts, guarded"), (kernels, c) -> {
            int tokens = c.size("m");
            int hidden = c.size("n");
            int inner = 1 + c.size("k") / 4;
            int gap = c.size("gap");
            int topK = 2;
            long rows = (long) tokens * topK;
            Routing.Plan plan = RoutingTest.plan(5, Math.toIntExact(rows));
            Tensor chosen = Tensors.of(i -> (i / topK + i) % 3, DType.I32, tokens, topK);
            Contract.REFERENCE.routing().plan(chosen, plan, Tensors.zeros(DType.I32, 5));
            SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
            calls.put("both passes", p -> {
                Experts experts = kernels.experts();
                Tensor x = p.normal(c.rng("x"), gap, tokens, hidden);
                Dense up = Weight.of(p.normal(c.rng("up"), gap, 5, 2L * inner, hidden));
                Dense down = Weight.of(p.normal(c.rng("down"), gap, 5, hidden, inner));
                Tensor weights = p.normal(c.rng("weights"), 0, tokens, topK);
                Tensor gateUp = p.zeros(gap, rows, 2L * inner);
                Tensor activated = p.zeros(gap, rows, inner);
                Tensor scratch = p.zeros(gap, rows, hidden);
                experts.gateUp(x, plan, up, gateUp, activated);
                experts.down(activated, plan, down, weights, scratch, p.normal(c.rng("y"), gap, tokens, hidden));
                Tensor dActivated = p.zeros(gap, rows, inner);
                experts.downBackward(x, plan, down, weights, activated, dActivated, p.zeros(0, tokens, topK));
                experts.downWeightGradient(x, plan, weights, activated, p.zeros(gap, 5, hidden, inner));
                Tensor dx = p.normal(c.rng("dx"), gap, tokens, hidden);
                experts.gateUpBackward(gateUp, plan, up, p.zeros(gap, rows, hidden), dx);
                experts.gateUpWeightGradient(gateUp, plan, x, p.zeros(gap, 5, 2L * inner, hidden));
            });
            return calls;
        });
    }

    @Test
    void attention() {
        everywhere(sizes("attention, guarded"), (kernels, c) -> {
            int tokens = c.size("k") / 2;
            int kvHeads = 1 + c.size("m") % 2;
            int heads = kvHeads * (1 + c.size("m") % 3);
            int qkDim = 1 + c.size("n") / 2;
            int vDim = 1 + c.size("n") / 3;
            int gap = c.size("gap");
            int[] starts = new int[tokens];
            Arrays.setAll(starts, t -> t / 40 * 40);
            SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
            calls.put("both passes", p -> {
                Tensor q = p.normal(c.rng("q"), gap, tokens, heads, qkDim);
                Tensor k = p.normal(c.rng("k"), gap, tokens, kvHeads, qkDim);
                Tensor v = p.normal(c.rng("v"), gap, tokens, kvHeads, vDim);
                Tensor keyStart = p.integers(starts);
                Tensor out = p.zeros(gap, tokens, heads, vDim);
                Tensor lse = p.zeros(gap, tokens, heads);
                kernels.attention().forward(q, k, v, keyStart, 0.3, out, lse);
                kernels.attention()
                        .backward(
                                q,
                                k,
                                v,
                                keyStart,
                                0.3,
                                out,
                                lse,
                                p.normal(c.rng("d"), gap, tokens, heads, vDim),
                                p.zeros(gap, tokens, heads, qkDim),
                                p.zeros(gap, tokens, kvHeads, qkDim),
                                p.zeros(gap, tokens, kvHeads, vDim));
            });
            return calls;
        });
    }

    /// One sequence, its pages in reverse.
    private static PageTable table(Guarded.Place p, int tokens, int pages) {
        int[] reverse = IntStream.range(0, pages).map(i -> pages - 1 - i).toArray();
        return new PageTable(p.integers(0, tokens), p.integers(reverse).reshape(1, pages));
    }

    @Test
    void cachedAttention() {
        everywhere(sizes("cached attention, guarded"), (kernels, c) -> {
            int tokens = c.size("m") % 7;
            int rows = 1 + c.size("k");
            int pages = rows % 4 == 0 ? 2 : 1;
            int kvHeads = 1 + c.size("m") % 3;
            int heads = kvHeads * (1 + c.size("n") % 7);
            int width = c.size("m") % 2 == 0 ? 8 : 1;
            int qkDim = width * (1 + c.size("n") % 20);
            int vDim = width * (1 + c.size("n") % 30);
            int gap = c.size("gap");
            int[] positions = new int[tokens];
            Arrays.setAll(positions, t -> (t * 37 + rows) % (rows + 1) - 1);
            SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
            calls.put(
                    "forward",
                    p -> kernels.cachedAttention()
                            .forward(
                                    p.normal(c.rng("q"), gap, tokens, heads, qkDim),
                                    operand(p, c, "keys", c.flag("bf16"), gap, pages, rows / pages, kvHeads, qkDim),
                                    operand(p, c, "values", c.flag("bf16"), gap, pages, rows / pages, kvHeads, vDim),
                                    table(p, tokens, pages),
                                    p.integers(positions),
                                    0.3,
                                    p.zeros(gap, tokens, heads, vDim)));
            return calls;
        });
    }

    @Test
    void latentAttention() {
        everywhere(sizes("latent attention, guarded"), (kernels, c) -> {
            int tokens = c.size("m") % 7;
            int keys = 1 + c.size("k");
            int pages = keys % 4 == 0 ? 2 : 1;
            int heads = 1 + c.size("n") % 20;
            int rank = 1 + c.size("n");
            int ropeDim = 2 * (c.size("m") % 5);
            int gap = c.size("gap");
            int[] positions = new int[tokens];
            Arrays.setAll(positions, t -> (t * 37 + keys) % (keys + 1) - 1);
            SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
            calls.put(
                    "forward",
                    p -> kernels.latentAttention()
                            .forward(
                                    p.normal(c.rng("q"), gap, tokens, heads, 9L + ropeDim),
                                    Weight.of(p.normal(c.rng("kvB"), gap, heads * (9L + 11), rank)),
                                    operand(p, c, "cache", c.flag("bf16"), gap, pages, keys / pages, rank + ropeDim),
                                    table(p, tokens, pages),
                                    p.integers(positions),
                                    0.3,
                                    p.zeros(gap, tokens, heads, 11)));
            return calls;
        });
    }
}
