package dev.wok.kernel.ptx;

import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/// Softmax attention over rows that lie in pages, as [dev.wok.kernel.CachedAttention] defines it.
///
/// The rows that a token sees are cut into [Chunks], of which each is a block's. A second kernel joins them. Where all
/// chunks of all tokens would leave more than there is memory for, tokens come in groups, one after another.
///
/// A token that no sequence has, or whose rows lie in pages that are not there, gets NaN.
final class PagedAttention {
    /// Floats that blocks may leave at once: 256 MiB.
    static final long MOST_SUMS = 1L << 26;

    private static final Chunks CHUNKS = new Chunks(256, 4096, 16);

    private final Programs programs;
    private final Precision precision;
    private final long mostSums;

    PagedAttention(Programs programs, Precision precision) {
        this(programs, precision, MOST_SUMS);
    }

    PagedAttention(Programs programs, Precision precision, long mostSums) {
        this.programs = programs;
        this.precision = precision;
        this.mostSums = mostSums;
    }

    /// @param q `[tokens, heads, qkDim]`
    /// @param keys `[pages, rows, kvHeads, qkDim]`
    /// @param values `[pages, rows, kvHeads, vDim]`
    /// @param out `[tokens, heads, vDim]`
    void attend(Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        if (out.elements() == 0) {
            return;
        }
        int share = q.size(1) / keys.size(2);
        Form form = precision == Precision.BF16
                ? onTensorCores(q, keys, values, share).orElseGet(() -> plain(q, keys, values, share))
                : plain(q, keys, values, share);
        int splits = form.chunks.count(PagedRows.most(table, keys));
        int width = Math.ceilDiv(values.size(3), Elements.WIDE) * Elements.WIDE;
        long perToken = (long) splits * q.size(1) * width;
        int group = (int) Math.clamp(mostSums / perToken, 1, q.dim(0));
        long rows = (long) group * splits * q.size(1);
        Tensor sums = programs.scratch("PagedAttention.sums", DType.F32, rows * width);
        Tensor stats = programs.scratch("PagedAttention.stats", DType.F32, rows * 2);
        PagedCombine combine = new PagedCombine(Elements.of(out.size(2), out), form.chunks);
        for (int first = 0; first < q.size(0); first += group) {
            int tokens = Math.min(group, q.size(0) - first);
            programs.gpu().stream()
                    .launch(
                            form.kernel,
                            PagedBlock.launch(q, keys, form.heads, splits, tokens, form.threads)
                                    .withShared(form.sharedBytes),
                            PagedBlock.arguments(
                                    q,
                                    keys,
                                    values,
                                    table,
                                    positions,
                                    scale,
                                    form.heads,
                                    splits,
                                    first,
                                    sums,
                                    stats,
                                    width));
            Tensor part = out.slice(0, first, (long) first + tokens);
            programs.gpu().stream()
                    .launch(
                            programs.get(combine, "paged_combine", combine::write),
                            combine.launch(part),
                            PagedCombine.arguments(part, table, positions, keys, splits, first, sums, stats, width));
        }
    }

    /// A kernel that computes [PagedBlock]s.
    ///
    /// @param heads of a block
    private record Form(PtxFunction kernel, Chunks chunks, int heads, int threads, int sharedBytes) {}

    private Form plain(Tensor q, Tensor keys, Tensor values, int share) {
        int heads = 1;
        while (heads < share && heads < PagedPlain.MOST_HEADS) {
            heads *= 2;
        }
        PagedPlain shape = new PagedPlain(
                new Elements(q.dtype(), 1),
                Elements.of(keys.size(3), keys),
                new Elements(values.dtype(), 1),
                heads,
                precision == Precision.BF16);
        return new Form(
                programs.get(shape, "paged_plain", shape::write),
                Chunks.of(PagedPlain.KEYS),
                heads,
                PagedPlain.THREADS,
                shape.sharedBytes(q.size(2)));
    }

    /// @return a kernel with tiles, where one fits into shared memory
    private Optional<Form> onTensorCores(Tensor q, Tensor keys, Tensor values, int share) {
        boolean isLatent = isPrefix(values, keys);
        int qkDim = keys.size(3);
        int vDim = values.size(3);
        int most = programs.gpu().facts().sharedBytes();
        if (isLatent && programs.target() == Target.SM_90A) {
            Optional<Form> form = PagedSm90.choose(Bf16Rows.of(q), Bf16Rows.of(keys), qkDim, vDim, CHUNKS, most)
                    .map(shape -> new Form(
                            programs.get(shape, "paged_sm90", shape::write),
                            CHUNKS,
                            PagedSm90.HEADS,
                            PagedSm90.threads(),
                            shape.sharedBytes()));
            if (form.isPresent()) {
                return form;
            }
        }
        List<PagedSm80> candidates = PagedSm80.candidates(
                Bf16Rows.of(q), Bf16Rows.of(keys), Bf16Rows.of(values), isLatent, share, qkDim, vDim, CHUNKS, most);
        return PagedSm80.choose(candidates, share)
                .map(shape -> new Form(
                        programs.get(shape, "paged_sm80", shape::write),
                        CHUNKS,
                        shape.heads(),
                        shape.threads(),
                        shape.sharedBytes()));
    }

    private static boolean isPrefix(Tensor values, Tensor keys) {
        boolean isPrefix = values.dtype() == keys.dtype()
                && values.memory().address() == keys.memory().address()
                && values.dim(3) <= keys.dim(3);
        for (int i = 0; i < 3; i++) {
            isPrefix &= values.dim(i) == keys.dim(i) && values.stride(i) == keys.stride(i);
        }
        return isPrefix;
    }
}
