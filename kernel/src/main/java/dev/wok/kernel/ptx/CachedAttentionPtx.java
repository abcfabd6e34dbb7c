package dev.wok.kernel.ptx;

import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;

/// Attention over keys and values in pages, see [PagedAttention].
final class CachedAttentionPtx extends CachedAttention {
    private final PagedAttention attention;

    CachedAttentionPtx(Programs programs, Precision precision) {
        attention = new PagedAttention(programs, precision);
    }

    @Override
    protected void attend(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        attention.attend(q, keys, values, table, positions, scale, out);
    }
}
