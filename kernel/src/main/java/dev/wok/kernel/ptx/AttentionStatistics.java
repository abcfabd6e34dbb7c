package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// What the gradients need of every query besides its row, as F32 `[heads, tokens, 2]`: `-lse` to base
/// 2, and `delta = sum(dOut * out)`. A warp for each row.
record AttentionStatistics(Elements elements) {
    /// Bytes of a query's two numbers.
    static final int BYTES = 2 * Float.BYTES;

    private static final float LOG2_E = 1.4426950408889634f;

    Launch launch(long rows) {
        return RowOfWarp.launch(rows);
    }

    void write(PtxKernel k) {
        HeadRows out = HeadRows.param(k, "out");
        HeadRows dOut = HeadRows.param(k, "dout");
        HeadRows lse = HeadRows.param(k, "lse");
        Reg statistics = k.param("statistics", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg rows = k.param("rows", Type.U32);
        Reg dim = k.param("dim", Type.U32);
        RowOfWarp warp = RowOfWarp.of(k, rows);
        Reg row = warp.row();
        Reg token = k.reg(Type.U32, "token");
        Reg head = k.reg(Type.U32, "head");
        k.div(head, row, tokens);
        k.rem(token, row, tokens);
        Reg left = out.at(k, "out_row", out.ofHead(k, "out_head", head), token);
        Reg right = dOut.at(k, "dout_row", dOut.ofHead(k, "dout_head", head), token);
        Reg sum = k.reg(Type.F32, "sum", 0f);
        Reg at = k.reg(Type.U64, "at");
        Reg first = k.reg(Type.U32, "first");
        k.mul(first, warp.lane(), elements.count());
        k.loop("i", first, dim, elements.count() * Sums.LANES, i -> {
            k.madWide(at, i, elements.bytes(), left);
            Reg[] values = elements.load(k, "value", at);
            k.madWide(at, i, elements.bytes(), right);
            Reg[] slopes = elements.load(k, "slope", at);
            for (int j = 0; j < values.length; j++) {
                k.fma(sum, values[j], slopes[j], sum);
            }
        });
        Sums.overWarp(k, sum);
        k.when(k.compare(Compare.EQ, warp.lane(), 0), () -> {
            Elements single = new Elements(elements.dtype(), 1);
            Reg log = single.load(k, "lse", lse.at(k, "lse_at", lse.ofHead(k, "lse_head", head), token))[0];
            k.mul(log, log, -LOG2_E);
            k.madWide(at, row, BYTES, statistics);
            k.st(GLOBAL, at, vec(log, sum));
        });
    }
}
