package dev.wok.kernel.x86;

import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.Tensor;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/* The query heads that share a key head meet its keys and values together. */
final class CachedAttentionX86 extends CachedAttention {
    /// Elements of keys and values in a part: as float32, half of a second-level cache.
    private static final int PART_ELEMENTS = 1 << 16;
    /// Scores of so many keys for a strip stay in the first-level cache.
    private static final int PART_GROUPS_MOST = 256;

    private final StripAttention attention;

    CachedAttentionX86(StripAttention attention) {
        this.attention = attention;
    }

    @Override
    protected void attend(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        Span.read("CachedAttention", q);
        Span.read("CachedAttention", keys, keys.dtype());
        Span.read("CachedAttention", values, values.dtype());
        Span.written("CachedAttention", out);
        int share = q.size(1) / keys.size(2);
        List<StripAttention.Problem> problems = new ArrayList<>();
        for (PagedSequence sequence : PagedSequence.of(table, positions, keys)) {
            Tensor queries = q.slice(0, sequence.from(), sequence.to());
            Tensor outputs = out.slice(0, sequence.from(), sequence.to());
            for (int g = 0; g < keys.size(2); g++) {
                problems.add(new StripAttention.Problem(
                        queries.slice(1, g * share, (g + 1) * share),
                        keys.select(2, g),
                        values.select(2, g),
                        sequence,
                        outputs.slice(1, g * share, (g + 1) * share)));
            }
        }
        attention.run(problems, (float) scale, partGroups(q.size(2) + values.size(3)), null);
        Reference.reachabilityFence(q);
        Reference.reachabilityFence(keys);
        Reference.reachabilityFence(values);
        Reference.reachabilityFence(out);
    }

    private static int partGroups(int elements) {
        return Math.clamp(Integer.highestOneBit(PART_ELEMENTS / elements), 1, PART_GROUPS_MOST);
    }
}
