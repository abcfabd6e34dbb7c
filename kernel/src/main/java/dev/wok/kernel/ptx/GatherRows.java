package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;

/// Gathers the rows of a plan: each is its slot's token's, times the slot's factor, and NaN where the
/// slot lies outside of the table.
///
/// @param from how tokens and factors are read
/// @param to how rows are written, as many numbers at once
record GatherRows(Elements from, Elements to) {
    /// @param tokens `[tokens, width]`
    /// @param factors `[tokens, topK]`, of their type
    /// @param rows `[rows, width]`
    static void launch(Programs programs, Tensor tokens, Routing.Plan plan, Tensor factors, Tensor rows) {
        Elements from = Elements.of(tokens.size(1), tokens);
        Elements to = Elements.of(tokens.size(1), rows);
        GatherRows kernel = new GatherRows(from.atMost(to), to.atMost(from));
        programs.gpu().stream()
                .launch(
                        programs.get(kernel, "gather_rows", kernel::write),
                        Grid.rows(rows.size(0), rows.size(1), kernel.to.count()),
                        tokens,
                        Elements.rowBytes(tokens),
                        factors,
                        plan.rowSlot(),
                        factors.size(1),
                        rows,
                        Elements.rowBytes(rows),
                        rows.size(0),
                        rows.size(1));
    }

    void write(PtxKernel k) {
        Reg tokens = k.param("tokens", Type.U64);
        Reg tokenBytes = k.param("token_bytes", Type.U64);
        Reg factors = k.param("factors", Type.U64);
        Reg rowSlot = k.param("row_slot", Type.U64);
        Reg topK = k.param("top_k", Type.U32);
        Reg target = k.param("rows", Type.U64);
        Reg rowBytes = k.param("row_bytes", Type.U64);
        Reg rows = k.param("row_count", Type.U32);
        Reg columns = k.param("columns", Type.U32);
        Elements single = new Elements(from.dtype(), 1);
        Grid.eachOfRows(k, to.count(), rows, columns, (row, column) -> {
            Reg slot = k.reg(Type.U32, "slot");
            Reg slotAt = k.reg(Type.U64, "slot_at");
            k.madWide(slotAt, row, Integer.BYTES, rowSlot);
            k.ld(GLOBAL, slot, slotAt);
            Reg isBad = k.compare(Compare.GE, slot, rows);
            k.onlyIf(isBad, () -> k.mov(slot, 0));
            Reg factor = single.load(k, "factor", single.at(k, "factor_at", factors, slot))[0];
            k.onlyIf(isBad, () -> k.mov(factor, Float.NaN));
            Reg token = k.reg(Type.U32, "token");
            k.div(token, slot, topK);
            Reg[] values = from.load(k, "value", from.at(k, "token_at", tokens, token, tokenBytes, column));
            for (Reg value : values) {
                k.mul(value, value, factor);
            }
            to.store(k, to.at(k, "row_at", target, row, rowBytes, column), values);
        });
    }
}
