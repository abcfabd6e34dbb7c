package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;

/// Copies `[tokens, heads, dim]` as bf16. A warp for each row.
///
/// @param source what it reads
record PackHeads(Elements source) {
    Launch launch(long rows) {
        return RowOfWarp.launch(rows);
    }

    void write(PtxKernel k) {
        Elements target = new Elements(DType.BF16, source.count());
        HeadRows from = HeadRows.param(k, "from");
        HeadRows to = HeadRows.param(k, "to");
        Reg heads = k.param("heads", Type.U32);
        Reg rows = k.param("rows", Type.U32);
        Reg dim = k.param("dim", Type.U32);
        RowOfWarp warp = RowOfWarp.of(k, rows);
        Reg row = warp.row();
        Reg token = k.reg(Type.U32, "token");
        Reg head = k.reg(Type.U32, "head");
        k.div(token, row, heads);
        k.rem(head, row, heads);
        Reg begin = from.at(k, "from_row", from.ofHead(k, "from_head", head), token);
        Reg goal = to.at(k, "to_row", to.ofHead(k, "to_head", head), token);
        Reg at = k.reg(Type.U64, "at");
        Reg first = k.reg(Type.U32, "first");
        k.mul(first, warp.lane(), source.count());
        k.loop("i", first, dim, source.count() * Sums.LANES, i -> {
            k.madWide(at, i, source.bytes(), begin);
            Reg[] values = source.load(k, "value", at);
            k.madWide(at, i, target.bytes(), goal);
            target.store(k, at, values);
        });
    }
}
