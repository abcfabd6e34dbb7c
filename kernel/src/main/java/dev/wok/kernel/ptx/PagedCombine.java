package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

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

/// Joins what the blocks of [PagedBlock] left for a token's head, the first chunk first, and divides by the sum of
/// powers. A block for each token and head.
///
/// @param out how a thread writes numbers
record PagedCombine(Elements out, Chunks chunks) {
    private static final int MOST_THREADS = 128;

    /// @param to `[tokens, heads, vDim]`, the tokens of this launch
    Launch launch(Tensor to) {
        int threads = Math.ceilDiv(to.size(2), out.count());
        int warps = Math.ceilDiv(threads, Sums.LANES);
        return Launch.of(Math.multiplyExact(to.size(0), to.size(1)), Math.min(MOST_THREADS, warps * Sums.LANES));
    }

    static Object[] arguments(
            Tensor to,
            PageTable table,
            Tensor positions,
            Tensor keys,
            int splits,
            int firstToken,
            Tensor sums,
            Tensor stats,
            int width) {
        List<Object> all = new ArrayList<>(PagedRows.arguments(table, positions, keys));
        long bytes = to.dtype().bytes();
        all.addAll(List.of(
                to,
                to.stride(0) * bytes,
                to.stride(1) * bytes,
                firstToken,
                to.size(1),
                splits,
                to.size(2),
                width,
                sums,
                stats));
        return all.toArray();
    }

    void write(PtxKernel k) {
        PagedRows rows = PagedRows.of(k);
        Reg to = k.param("out", Type.U64);
        Reg toToken = k.param("out_token_bytes", Type.U64);
        Reg toHead = k.param("out_head_bytes", Type.U64);
        Reg firstToken = k.param("first_token", Type.U32);
        Reg heads = k.param("heads", Type.U32);
        Reg splits = k.param("splits", Type.U32);
        Reg vDim = k.param("v_dim", Type.U32);
        Reg width = k.param("sums_width", Type.U32);
        Reg sums = k.param("sums", Type.U64);
        Reg stats = k.param("stats", Type.U64);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg threads = k.reg(Type.U32, "threads", Special.NTID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg index = k.reg(Type.U32, "token_index");
        Reg head = k.reg(Type.U32, "head");
        Reg token = k.reg(Type.U32, "token");
        Reg wide = k.reg(Type.U64, "wide");
        k.and(lane, tid, Sums.LANES - 1);
        k.div(index, block, heads);
        k.mul(head, index, heads);
        k.sub(head, block, head);
        k.add(token, index, firstToken);
        PagedRows.Seen seen = rows.seen(k, token, rows.count(k, token), lane);
        k.op("cvt.u64.u32", wide, index);
        k.mad(to, wide, toToken, to);
        k.op("cvt.u64.u32", wide, head);
        k.mad(to, wide, toHead, to);
        Reg place = k.reg(Type.U32, "place");
        Reg rowBytes = k.reg(Type.U64, "sums_row_bytes");
        Reg splitBytes = k.reg(Type.U64, "sums_split_bytes");
        Reg statBytes = k.reg(Type.U64, "stats_split_bytes");
        k.mul(place, index, splits);
        k.mad(place, place, heads, head);
        k.mulWide(rowBytes, width, Float.BYTES);
        k.op("cvt.u64.u32", wide, place);
        k.mad(sums, wide, rowBytes, sums);
        k.op("cvt.u64.u32", wide, heads);
        k.mul(splitBytes, wide, rowBytes);
        k.madWide(stats, place, PagedBlock.STAT_BYTES, stats);
        k.mulWide(statBytes, heads, PagedBlock.STAT_BYTES);

        k.comment("the greatest exponent");
        Reg count = k.reg(Type.U32, "chunks");
        Reg size = chunks.size(k, seen.count());
        k.add(count, seen.count(), size);
        k.sub(count, count, 1);
        k.div(count, count, size);
        Reg most = k.reg(Type.F32, "most", Float.NEGATIVE_INFINITY);
        Reg one = k.reg(Type.F32, "one");
        Reg power = k.reg(Type.F32, "power");
        Reg sum = k.reg(Type.F32, "sum");
        Reg base = k.reg(Type.F32, "base");
        Reg statAt = k.reg(Type.U64, "stat_at");
        k.mov(statAt, stats);
        k.loop("split", 0, count, 1, _ -> {
            k.ld(GLOBAL, one, statAt);
            k.op("max.NaN.f32", most, most, one);
            k.add(statAt, statAt, statBytes);
        });
        Softmax.base(k, base, most);

        k.comment("the chunks in their order; zeros where nothing is seen, NaN where the table is bad");
        Reg[] totals = k.regs(Type.F32, "total", out.count());
        Reg[] parts = k.regs(Type.F32, "part", out.count());
        Reg nothing = k.reg(Type.F32, "nothing");
        Reg first = k.reg(Type.U32, "first_column");
        Reg step = k.reg(Type.U32, "column_step");
        Reg at = k.reg(Type.U64, "sums_at");
        Reg hasNone = k.compare("has_none", Compare.EQ, count, 0);
        k.selp(nothing, Float.NaN, 0f, seen.isBad());
        k.mul(first, tid, out.count());
        k.mul(step, threads, out.count());
        k.loop("column", first, vDim, step, column -> {
            for (Reg total : totals) {
                k.mov(total, 0f);
            }
            k.mov(sum, 0f);
            k.mov(statAt, stats);
            k.madWide(at, column, Float.BYTES, sums);
            k.loop("split", 0, count, 1, _ -> {
                k.ld(GLOBAL, vec(one, power), statAt);
                k.sub(one, one, base);
                k.ex2(one, one);
                k.fma(sum, power, one, sum);
                k.ld(GLOBAL, out.count() == 1 ? parts[0] : vec((Object[]) parts), at);
                for (int i = 0; i < totals.length; i++) {
                    k.fma(totals[i], parts[i], one, totals[i]);
                }
                k.add(statAt, statAt, statBytes);
                k.add(at, at, splitBytes);
            });
            for (Reg total : totals) {
                k.div(total, total, sum);
                k.selp(total, nothing, total, hasNone);
            }
            Reg target = k.reg(Type.U64, "target");
            k.madWide(target, column, out.bytes(), to);
            out.store(k, target, totals);
        });
    }
}
