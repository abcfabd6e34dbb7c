package dev.wok.kernel.ptx;

import dev.wok.kernel.Dense;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.kernel.ptx.HeadProduct.Matrices;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Absorbed queries are queries of [PagedAttention] that all share one key head: a cache row is the
/// key, and its first columns, the latent, are the value. [HeadProduct] takes queries there and the
/// weighted latents back.
final class LatentAttentionPtx extends LatentAttention {
    private final Programs programs;
    private final Precision precision;
    private final PagedAttention attention;

    LatentAttentionPtx(Programs programs, Precision precision) {
        this.programs = programs;
        this.precision = precision;
        attention = new PagedAttention(programs, precision);
    }

    @Override
    protected void attend(
            Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {
        long vDim = out.dim(2);
        long rank = kvB.value().dim(1);
        long nopeDim = q.dim(2) - (cache.dim(2) - rank);
        Precision in = in(kvB);
        Tensor weight = in == Precision.BF16 ? programs.forms().bf16(kvB) : kvB.value();
        Tensor perHead = weight.split(0, nopeDim + vDim);
        attend(
                q,
                Matrices.of(perHead.slice(1, 0, nopeDim).swap(1, 2)),
                in,
                Matrices.of(perHead.slice(1, nopeDim, nopeDim + vDim)),
                in,
                cache,
                table,
                positions,
                scale,
                out);
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
        Matrices up = Matrices.of(keys);
        Matrices down = Matrices.of(values);
        attend(q, up, in(keys), down, in(values), cache, table, positions, scale, out);
    }

    private Precision in(Weight weight) {
        return weight.exact() ? Precision.F32 : precision;
    }

    /// @param keys `[heads, rank, nopeDim]`
    /// @param inKeys the precision of products with them
    /// @param values `[heads, vDim, rank]`
    /// @param inValues the precision of products with them
    private void attend(
            Tensor q,
            Matrices keys,
            Precision inKeys,
            Matrices values,
            Precision inValues,
            Tensor cache,
            PageTable table,
            Tensor positions,
            double scale,
            Tensor out) {
        int tokens = q.size(0);
        int heads = q.size(1);
        int rank = keys.n();
        Tensor absorbed = scratch("LatentAttention.absorbed", precision, tokens, heads, cache.size(2));
        Tensor latents = scratch("LatentAttention.latents", inValues, tokens, heads, rank);
        HeadProduct.multiply(programs, keys, q, absorbed, inKeys == Precision.BF16);
        Tensor rows = cache.split(1, 1);
        attention.attend(absorbed, rows, rows.slice(3, 0, rank), table, positions, scale, latents);
        HeadProduct.multiply(programs, values, latents, out, inValues == Precision.BF16);
    }

    private Tensor scratch(String name, Precision entering, long... sizes) {
        DType dtype = entering == Precision.BF16 ? DType.BF16 : DType.F32;
        long elements = 1;
        for (long size : sizes) {
            elements *= size;
        }
        return programs.scratch(name + dtype, dtype, Math.max(1, elements))
                .slice(0, 0, elements)
                .reshape(sizes);
    }
}
