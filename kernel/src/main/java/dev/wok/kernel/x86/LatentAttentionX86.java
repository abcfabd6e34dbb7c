package dev.wok.kernel.x86;

import dev.wok.kernel.Dense;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/* All heads of a query meet the cache together: its rows are keys, and their beginnings values. During the sums a share of
 * the weights that will make values of them is fetched.
 */
final class LatentAttentionX86 extends LatentAttention {
    /// Of the second-level cache: a part of the keys of 576 elements takes 288 KiB.
    private static final int PART_GROUPS = 128;

    private final Precision precision;
    private final Gemm gemm;
    private final Forms forms;
    private final Buffer absorbed;
    private final Buffer means;
    private final StripAttention attention;

    /// Of each layer's keys and then values: there are some for each head, and a token is soon computed.
    private final Map<Packed, List<Panels>> panels = Collections.synchronizedMap(new WeakHashMap<>());

    LatentAttentionX86(Gemm gemm, Forms forms, StripAttention attention, Precision precision) {
        this.precision = precision;
        this.gemm = gemm;
        this.forms = forms;
        absorbed = new Buffer(gemm.programs().device());
        means = new Buffer(gemm.programs().device());
        this.attention = attention;
    }

    @Override
    protected void attend(
            Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        int heads = q.size(1);
        int nopeDim = q.size(2) - (cache.size(2) - kvB.value().size(1));
        attend(q, forms.ofHeads(kvB, heads, nopeDim, precision), precision, cache, table, positions, scale, out);
    }

    @Override
    protected void attend(
            Tensor q,
            Packed keys,
            Packed values,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out) {
        List<Panels> weights = panels.computeIfAbsent(
                keys,
                _ -> Stream.of(keys, values)
                        .flatMap(w -> IntStream.range(0, q.size(1)).mapToObj(h -> gemm.panels(w.matrix(h), precision)))
                        .toList());
        attend(q, weights, keys.exact() ? Precision.F32 : precision, cache, table, positions, scale, out);
    }

    /// @param weights what makes latents of each head's queries, then what makes each head's values of
    ///     latents
    /// @param in how the other operand enters products with them
    private void attend(
            Tensor q,
            List<Panels> weights,
            Precision in,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out) {
        Span.read("LatentAttention", q);
        Span.read("LatentAttention", cache, cache.dtype());
        Span.written("LatentAttention", out);
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = weights.getFirst().n();
        int width = cache.size(2);
        int nopeDim = weights.getFirst().k();
        Tensor queries = absorb(q, nopeDim, weights, in, rank, width);
        Tensor latents =
                Tensor.of(means.of((long) tokens * heads * rank * Float.BYTES), DType.F32, tokens, heads, rank);
        List<StripAttention.Problem> sequences = PagedSequence.of(table, positions, cache).stream()
                .map(sequence -> new StripAttention.Problem(
                        queries.slice(0, sequence.from(), sequence.to()),
                        cache,
                        cache.slice(2, 0, rank),
                        sequence,
                        latents.slice(0, sequence.from(), sequence.to())))
                .toList();
        attention.run(sequences, (float) scale, PART_GROUPS, weights.get(heads).memory());
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            Gemm.Left left = gemm.rows(latents.select(1, h), i -> i, in);
            problems.add(new Gemm.Problem(tokens, left, weights.get(heads + h), out.select(1, h), false, null));
        }
        gemm.run(problems);
        Reference.reachabilityFence(q);
        Reference.reachabilityFence(cache);
        Reference.reachabilityFence(out);
    }

    /// @return the queries that meet the cache's rows, `[tokens, heads, rank + ropeDim]`
    private Tensor absorb(Tensor q, int nopeDim, List<Panels> weights, Precision in, int rank, int width) {
        int tokens = q.size(0);
        int heads = q.size(1);
        long bytes = (long) tokens * heads * width * Float.BYTES;
        Tensor queries = Tensor.of(absorbed.of(bytes), DType.F32, tokens, heads, width);
        List<Gemm.Problem> problems = new ArrayList<>();
        for (int h = 0; h < heads; h++) {
            Gemm.Left left = gemm.rows(q.select(1, h).slice(1, 0, nopeDim), i -> i, in);
            Tensor c = queries.select(1, h).slice(1, 0, rank);
            problems.add(new Gemm.Problem(tokens, left, weights.get(h), c, false, null));
        }
        gemm.run(problems);
        long ropeBytes = (long) (width - rank) * Float.BYTES;
        for (int t = 0; t < tokens; t++) {
            for (int h = 0; h < heads; h++) {
                long from = q.offset(t, h, nopeDim) * Float.BYTES;
                long to = queries.offset(t, h, rank) * Float.BYTES;
                Copies.bytes(q.memory(), from, queries.memory(), to, ropeBytes);
            }
        }
        return queries;
    }
}
