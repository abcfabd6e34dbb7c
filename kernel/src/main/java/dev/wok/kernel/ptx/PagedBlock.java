package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.PageTable;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/// What a block of [PagedAttention] computes: some query heads that share a key head, of one token, over one chunk of
/// the rows that it sees. It leaves the greatest exponent, the sum of the powers, and the sum of the values times them.
///
/// @param q where the token's first of these heads lies
/// @param heads how many heads
/// @param keys the key head's first row
/// @param seen what the token sees
/// @param begin the chunk's first row
/// @param count its rows
/// @param scale on the scores, times `log2(e)`
/// @param sums where the sums of values of the first head go, F32, the next head's behind them
/// @param sumsRow bytes of a head's sums
/// @param stats where the first head's exponent and sum go
record PagedBlock(
        PagedRows rows,
        Reg q,
        Reg qHead,
        Reg heads,
        Reg keys,
        Reg keyPage,
        Reg keyRow,
        Reg values,
        Reg valuePage,
        Reg valueRow,
        PagedRows.Seen seen,
        Reg begin,
        Reg count,
        Reg scale,
        Reg qkDim,
        Reg vDim,
        Reg sums,
        Reg sumsRow,
        Reg stats) {

    private static final double LOG2_E = 1.4426950408889634;

    /// Bytes of a head's exponent and sum.
    static final int STAT_BYTES = 2 * Float.BYTES;

    /// @param keys `[pages, rows, kvHeads, qkDim]`
    /// @param tile most heads of a block
    /// @param splits most chunks of a token
    /// @param tokens how many of them
    static Launch launch(Tensor q, Tensor keys, int tile, int splits, int tokens, int threads) {
        int kvHeads = keys.size(2);
        long blocks = (long) tokens * kvHeads * tiles(q.size(1) / kvHeads, tile) * splits;
        return Launch.of(Math.toIntExact(blocks), threads);
    }

    private static int tiles(int share, int tile) {
        return Math.ceilDiv(share, tile);
    }

    /// @param firstToken of the launch
    /// @param sums `[tokens, splits, heads, width]`, F32
    /// @param stats `[tokens, splits, heads, 2]`, F32
    static Object[] arguments(
            Tensor q,
            Tensor keys,
            Tensor values,
            PageTable table,
            Tensor positions,
            double scale,
            int tile,
            int splits,
            int firstToken,
            Tensor sums,
            Tensor stats,
            int width) {
        int kvHeads = keys.size(2);
        int share = q.size(1) / kvHeads;
        List<Object> all = new ArrayList<>(PagedRows.arguments(table, positions, keys));
        strides(all, q, 2);
        strides(all, keys, 3);
        strides(all, values, 3);
        all.addAll(List.of(
                (float) (scale * LOG2_E),
                firstToken,
                kvHeads,
                share,
                tiles(share, tile),
                splits,
                keys.size(3),
                values.size(3),
                width,
                sums,
                stats));
        return all.toArray();
    }

    private static void strides(List<Object> all, Tensor tensor, int count) {
        all.add(tensor);
        for (int i = 0; i < count; i++) {
            all.add(tensor.stride(i) * tensor.dtype().bytes());
        }
    }

    /// Adds the parameters that [#arguments] are for, and finds this block's part; where there is none, it ends.
    ///
    /// @param lane this thread's number in its warp
    static PagedBlock of(PtxKernel k, Chunks chunks, int tile, Reg lane) {
        PagedRows rows = PagedRows.of(k);
        Reg q = k.param("q", Type.U64);
        Reg qToken = k.param("q_token_bytes", Type.U64);
        Reg qHead = k.param("q_head_bytes", Type.U64);
        Reg keys = k.param("keys", Type.U64);
        Reg keyPage = k.param("key_page_bytes", Type.U64);
        Reg keyRow = k.param("key_row_bytes", Type.U64);
        Reg keyHead = k.param("key_head_bytes", Type.U64);
        Reg values = k.param("values", Type.U64);
        Reg valuePage = k.param("value_page_bytes", Type.U64);
        Reg valueRow = k.param("value_row_bytes", Type.U64);
        Reg valueHead = k.param("value_head_bytes", Type.U64);
        Reg scale = k.param("scale_log2", Type.F32);
        Reg firstToken = k.param("first_token", Type.U32);
        Reg kvHeads = k.param("kv_heads", Type.U32);
        Reg share = k.param("share", Type.U32);
        Reg tiles = k.param("head_tiles", Type.U32);
        Reg splits = k.param("splits", Type.U32);
        Reg qkDim = k.param("qk_dim", Type.U32);
        Reg vDim = k.param("v_dim", Type.U32);
        Reg width = k.param("sums_width", Type.U32);
        Reg sums = k.param("sums", Type.U64);
        Reg stats = k.param("stats", Type.U64);

        k.comment("block = ((token * kv_heads + kv_head) * head_tiles + head_tile) * splits + split");
        Reg rest = k.reg(Type.U32, "rest", Special.CTAID_X);
        Reg split = digit(k, "split", rest, splits);
        Reg headTile = digit(k, "head_tile", rest, tiles);
        Reg kvHead = digit(k, "kv_head", rest, kvHeads);
        Reg token = k.reg(Type.U32, "token");
        k.add(token, rest, firstToken);
        Reg wanted = rows.count(k, token);
        Reg size = chunks.size(k, wanted);
        Reg begin = k.reg(Type.U32, "begin");
        Reg count = k.reg(Type.U32, "count");
        k.mul(begin, split, size);
        k.when(k.compare(Compare.GE, begin, wanted), k::ret);
        PagedRows.Seen seen = rows.seen(k, token, wanted, lane);
        k.when(seen.isBad(), k::ret);
        k.sub(count, seen.count(), begin);
        k.min(count, count, size);

        Reg head = k.reg(Type.U32, "head");
        Reg heads = k.reg(Type.U32, "heads_here");
        Reg wide = k.reg(Type.U64, "wide");
        k.mul(head, headTile, tile);
        k.sub(heads, share, head);
        k.min(heads, heads, tile);
        k.mad(head, kvHead, share, head);
        k.op("cvt.u64.u32", wide, token);
        k.mad(q, wide, qToken, q);
        k.op("cvt.u64.u32", wide, head);
        k.mad(q, wide, qHead, q);
        k.op("cvt.u64.u32", wide, kvHead);
        k.mad(keys, wide, keyHead, keys);
        k.mad(values, wide, valueHead, values);
        Reg place = k.reg(Type.U32, "place");
        Reg all = k.reg(Type.U32, "heads");
        Reg sumsRow = k.reg(Type.U64, "sums_row_bytes");
        k.mul(all, kvHeads, share);
        k.mad(place, rest, splits, split);
        k.mad(place, place, all, head);
        k.mulWide(sumsRow, width, Float.BYTES);
        k.op("cvt.u64.u32", wide, place);
        k.mad(sums, wide, sumsRow, sums);
        k.madWide(stats, place, STAT_BYTES, stats);
        return new PagedBlock(
                rows, q, qHead, heads, keys, keyPage, keyRow, values, valuePage, valueRow, seen, begin, count, scale,
                qkDim, vDim, sums, sumsRow, stats);
    }

    /// @return `rest % base` in a new register; `rest` becomes `rest / base`
    static Reg digit(PtxKernel k, String name, Reg rest, Reg base) {
        Reg digit = k.reg(Type.U32, name);
        Reg quotient = k.reg(Type.U32, name + "_quotient");
        k.div(quotient, rest, base);
        k.mul(digit, quotient, base);
        k.sub(digit, rest, digit);
        k.mov(rest, quotient);
        return digit;
    }
}
